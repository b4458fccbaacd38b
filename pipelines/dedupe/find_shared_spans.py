"""find_shared_spans: fingerprints -> those that stand in more than one place.

Most stand in one place and end here, so that texts are read again only where something may repeat.
"""

from __future__ import annotations

import pyarrow as pa

from pipelines.dedupe.sample_spans import FINGERPRINTS
from pipelines.dedupe.span_config import SpansConfig
from pipelines.sql import query
from store.step import Inputs, Output, Step

VERSION = 1

SHARED_SPANS = pa.schema([field for field in FINGERPRINTS if field.name != "bucket"])

_SQL = """
WITH shared AS (
    SELECT gram_hash FROM fingerprints WHERE copied_bytes = 0
    GROUP BY gram_hash HAVING count(*) > 1
)
SELECT * FROM fingerprints
WHERE copied_bytes > 0 OR gram_hash IN (SELECT gram_hash FROM shared)
ORDER BY gram_hash, doc_id, first_byte
"""


def find_shared_spans(inputs: Inputs, config: SpansConfig) -> Output:
    """Return the shared fingerprints of one bucket, by hash, document and byte.

    Those whose windows are known to be copies are among them.
    """
    if not inputs.parts["fingerprints"]:
        return Output(SHARED_SPANS.empty_table())
    return Output(query(_SQL, SHARED_SPANS, fingerprints=inputs.table("fingerprints")))


STEP = Step(
    name="find_shared_spans",
    version=VERSION,
    kind="shuffle",
    run=find_shared_spans,
    config=SpansConfig,
    schema=SHARED_SPANS,
    inputs={"fingerprints": "bucket"},
    emits="model",
    num_buckets=lambda config: config.num_buckets,
)
