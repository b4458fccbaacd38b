"""Measure every document once: the second step of the data path, from which policies decide.

Reads a partition of documents, writes a row of signals for each of them, in their order. What the
signals are is in `pipelines.signals`, one file per family.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipelines.kernels.decoded import text_batch
from pipelines.signals.family import SignalsConfig
from pipelines.signals.registry import FAMILIES, SIGNALS_SCHEMA
from store.step import Inputs, Output, Step

VERSION = 1


def compute_signals(inputs: Inputs, config: SignalsConfig) -> Output:
    """Return the signals of a partition of documents: one row each, in the documents' order.

    Works batch by batch, with memory for one batch of integers besides the documents. A value
    depends on the document's text and ``config`` alone. Raises `UsageError` if a text is null.
    """
    documents = inputs.one("documents").table(["doc_id", "text"])
    return Output(rows=_measure_batches(documents, config))


def measure_texts(texts: pa.Array, config: SignalsConfig) -> dict[str, pa.Array]:
    """Return every signal of ``n`` texts, by name in schema order, as arrays of ``n`` values.

    Raises `UsageError` if ``texts`` is not of a string type or holds nulls.
    """
    batch = text_batch(texts)
    values: dict[str, np.ndarray] = {}
    for family in FAMILIES:
        values.update(family.measure(batch, config))
    return {
        field.name: pa.array(values[field.name], type=field.type)
        for family in FAMILIES
        for field in family.fields
    }


def _measure_batches(documents: pa.Table, config: SignalsConfig) -> Iterator[pa.RecordBatch]:
    for batch in documents.to_batches():
        signals = measure_texts(batch.column("text"), config)
        doc_ids = batch.column("doc_id").cast(pa.string())
        yield pa.RecordBatch.from_arrays([doc_ids, *signals.values()], schema=SIGNALS_SCHEMA)


STEP = Step(
    name="compute_signals",
    version=VERSION,
    kind="map",
    run=compute_signals,
    config=SignalsConfig,
    schema=SIGNALS_SCHEMA,
    inputs={"documents": "aligned"},
    # No library's version changes the rows: kernels add, compare and hash integers, whose
    # arithmetic is the machine's, ratios are single IEEE divisions, character classes are our own.
    libraries=(),
    accounts_for="documents",
)
