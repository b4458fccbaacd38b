"""Measure every document once: the second step of the data path, from which policies decide.

Reads a partition of documents, writes a row of signals for each of them, in their order. What the
signals are is in `pipelines.signals`, one file per family; a recipe's config says which of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import pyarrow as pa

from data_contracts.documents import EDITED
from pipelines.edits.registry import edit_named
from pipelines.kernels.decoded import TextBatch, text_batch
from pipelines.signals.family import Family, SignalsConfig
from pipelines.signals.registry import (
    SIGNALS_SCHEMA,
    measured,
    measured_edited,
    signals_schema,
)
from pipelines.text_slices import one_array, slices_of
from store.step import Inputs, Output, Step

VERSION = 2


def compute_signals(inputs: Inputs, config: SignalsConfig) -> Output:
    """Return the signals of a partition of documents: one row each, in the documents' order.

    Works slice by slice: besides the documents, memory is for some 20 bytes per character of
    `pipelines.text_slices.SLICE_BYTES` of text, or of the longest document. A value depends on the
    document's row and ``config`` alone. Raises `UsageError` if a text is null.
    """
    families = measured(config)
    schema = signals_schema(config)
    read = sorted({column for family in families for column in family.reads})
    documents = inputs.one("documents").table(["doc_id", "text", *read])
    edited = None
    if config.edits:
        facts = [field.name for name in config.edits for field in edit_named(name).fields]
        edited = inputs.one("edited").table(["text", *facts])
    return Output(rows=_measure(documents, edited, read, config, schema))


def measure_texts(
    texts: pa.Array, config: SignalsConfig, columns: Mapping[str, pa.Array] | None = None
) -> dict[str, pa.Array]:
    """Return every signal of ``n`` texts, by name in schema order, as arrays of ``n`` values.

    ``columns`` are other columns of the same rows, of which families read some. Raises `UsageError`
    if ``texts`` is not of a string type or holds nulls.
    """
    return measure_batch(text_batch(texts, columns), measured(config), config)


def measure_batch(
    batch: TextBatch, families: Iterable[Family], config: SignalsConfig
) -> dict[str, pa.Array]:
    """Return the signals of some families for a batch of texts, as `measure_texts` does."""
    signals: dict[str, pa.Array] = {}
    for family in families:
        values = family.measure(batch, config)
        for field in family.fields:
            signals[field.name] = pa.array(values[field.name], type=field.type)
    return signals


def _measure(
    documents: pa.Table,
    edited: pa.Table | None,
    read: list[str],
    config: SignalsConfig,
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    for first, num_rows in slices_of(documents["text"]):
        rows = documents.slice(first, num_rows)
        columns = {name: one_array(rows[name]) for name in read}
        batch = text_batch(one_array(rows["text"]), columns)
        signals = measure_batch(batch, measured(config), config)
        if edited is not None:
            told = edited.slice(first, num_rows)
            text = one_array(told["text"])
            signals |= {name: one_array(told[name]) for name in told.column_names[1:]}
            found = measure_batch(text_batch(text, columns), measured_edited(config), config)
            signals |= {EDITED + name: values for name, values in found.items()}
        doc_ids = one_array(rows["doc_id"]).cast(pa.string())
        yield pa.RecordBatch.from_arrays([doc_ids, *signals.values()], schema=schema)


STEP = Step(
    name="compute_signals",
    version=VERSION,
    kind="map",
    run=compute_signals,
    config=SignalsConfig,
    schema=SIGNALS_SCHEMA,
    inputs={"documents": "aligned"},
    # No library's version changes the rows of kernels: they add, compare and hash integers, whose
    # arithmetic is the machine's, ratios are single IEEE divisions, character classes are our own.
    # The packages that families of signals ask count through `SignalsConfig.lists`.
    libraries=(),
    accounts_for="documents",
    schema_of=signals_schema,
)
STEP_WITH_EDITS = replace(STEP, inputs={"documents": "aligned", "edited": "aligned"})
