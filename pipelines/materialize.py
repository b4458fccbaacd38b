"""materialize: documents, signals, splits -> the curated Parquet that people and trainers read.

The one place besides ingest where text is written. Only documents that every step kept are in it,
in document order, with labels, provenance, their split and their size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data_contracts.documents import CURATED, DOCUMENTS, EDITED
from pipelines.sql import query
from store.step import Inputs, Output, Step

VERSION = 1

_PICKED = pa.schema(
    [
        ("position", pa.int64()),
        ("split", pa.string()),
        ("num_chars", pa.int64()),
        ("num_words", pa.int64()),
    ]
)

_SQL = """
    SELECT d.position, p.split, s.num_chars, s.num_words
    FROM splits AS p
    JOIN documents AS d ON d.doc_id = p.doc_id
    JOIN signals AS s ON s.doc_id = p.doc_id
    WHERE p.keep ORDER BY d.position
"""


@dataclass(frozen=True)
class MaterializeConfig:
    """``edited``: the documents' text was edited, and sizes are those of the edited text."""

    edited: bool = False


def materialize(inputs: Inputs, config: MaterializeConfig) -> Output:
    """Write the kept documents of a partition, in document order."""
    documents = inputs.one("documents").table(DOCUMENTS.names)
    ids = documents.select(["doc_id"])
    ids = ids.append_column("position", pa.array(np.arange(len(ids))))
    splits = inputs.one("splits").table(["doc_id", "keep", "split"])
    before = EDITED if config.edited else ""
    signals = inputs.one("signals").table(["doc_id", f"{before}num_chars", f"{before}num_words"])
    signals = signals.rename_columns(["doc_id", "num_chars", "num_words"])
    picked = query(_SQL, _PICKED, documents=ids, splits=splits, signals=signals)
    rows = documents.take(picked["position"])
    for name in ("split", "num_chars", "num_words"):
        rows = rows.append_column(name, picked[name])
    return Output(rows.cast(CURATED))


STEP = Step(
    name="materialize",
    version=VERSION,
    kind="map",
    run=materialize,
    config=MaterializeConfig,
    schema=CURATED,
    inputs={"documents": "aligned", "signals": "aligned", "splits": "aligned"},
    accounts_for="splits",
)
