"""sample_spans: documents -> fingerprints, by which repeated spans of the corpus are found.

The first of the steps that take out what stands in the corpus before, byte for byte. A fingerprint
stands for all windows of ``min_span_bytes`` that have one gram for their anchor
(`pipelines.kernels.winnowing`): a window that stands twice has the same in both places.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipelines.dedupe.by_bucket import by_bucket
from pipelines.dedupe.span_config import SpansConfig
from pipelines.kernels.buffers import text_buffers
from pipelines.text_slices import one_array, slices_of
from store.step import Inputs, Output, Step

VERSION = 1

# Windows begin at bytes first_byte to last_byte of the document's text.
FINGERPRINTS = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),  # of gram_hash; slices
        pa.field("gram_hash", pa.uint64(), nullable=False),  # of the windows' anchor
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("anchor_byte", pa.int64(), nullable=False),  # where the gram begins
        pa.field("first_byte", pa.int64(), nullable=False),
        pa.field("last_byte", pa.int64(), nullable=False),
        pa.field("copied_bytes", pa.int64(), nullable=False),  # how far before each has its copy
    ]
)


def sample_spans(inputs: Inputs, config: SpansConfig) -> Output:
    """Return the fingerprints of a partition, by bucket, and within it in document order.

    ``copied_bytes`` is 0 where only other fingerprints tell whether the windows stand elsewhere.
    Raises `UsageError` if a text is null.
    """
    documents = inputs.one("documents").table(["doc_id", "text"])
    tables = (
        _sample(documents.slice(first, num_rows), config)
        for first, num_rows in slices_of(documents["text"])
    )
    return by_bucket(tables, FINGERPRINTS)


def _sample(documents: pa.Table, config: SpansConfig) -> pa.Table:
    from pipelines.kernels.winnowing import sample_windows

    texts = text_buffers(one_array(documents["text"]))
    samples = sample_windows(texts, config.min_span_bytes, config.gram_bytes)
    numbers = np.repeat(np.arange(texts.num_texts), np.diff(samples.offsets))
    columns = [
        ((samples.hashes >> np.uint64(32)) % np.uint64(config.num_buckets)).astype(np.int32),
        samples.hashes,
        one_array(documents["doc_id"]).take(pa.array(numbers)),
        samples.anchors,
        samples.firsts,
        samples.lasts,
        samples.distances,
    ]
    return pa.table(columns, schema=FINGERPRINTS)


STEP = Step(
    name="sample_spans",
    version=VERSION,
    kind="map",
    run=sample_spans,
    config=SpansConfig,
    schema=FINGERPRINTS,
    inputs={"documents": "aligned"},
    emits="model",
)
