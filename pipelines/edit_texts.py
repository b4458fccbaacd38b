"""edit_texts: documents -> documents with edited text, and what each edit took.

Stands between ingest and everything that reads text, in recipes that list edits. The text as it was
read stays where ingest wrote it; signals may be measured of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data_contracts.documents import DOCUMENTS, hash_text
from data_contracts.errors import RecipeError
from pipelines.edits.registry import edit_named
from pipelines.kernels.buffers import TextBuffers
from pipelines.kernels.decoded import text_batch
from pipelines.text_slices import slices_of
from store.step import Inputs, Output, Step

VERSION = 1


@dataclass(frozen=True)
class EditsConfig:
    """Which edits change the text, in order; ``use`` names them, ``c4_lines@datatrove-0.10``.

    Raises `RecipeError` for a name that is no edit, and for edits that tell the same facts.
    """

    use: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        told: dict[str, str] = {}
        for name in self.use:
            for field in edit_named(name).fields:
                if field.name in told:
                    raise RecipeError(
                        f"edits.use lists {told[field.name]} and {name}, which both tell "
                        f"{field.name}; keep one of them."
                    )
                told[field.name] = name


def edit_facts(config: EditsConfig) -> tuple[pa.Field, ...]:
    """Return the columns that the edits add: what each of them took."""
    return tuple(field for name in config.use for field in edit_named(name).fields)


def edited_schema(config: EditsConfig) -> pa.Schema:
    """Return the columns of `DOCUMENTS` and those that the edits add."""
    return pa.schema([*DOCUMENTS, *edit_facts(config)])


def edit_texts(inputs: Inputs, config: EditsConfig) -> Output:
    """Edit the texts of a partition, slice by slice; rows stand in the documents' order.

    ``text`` and ``text_hash`` are those of the edited text, which may be empty; all other columns
    are as they were.
    """
    return Output(_edit(inputs.one("documents").table(DOCUMENTS.names), config))


def _edit(documents: pa.Table, config: EditsConfig) -> Iterator[pa.RecordBatch]:
    schema = edited_schema(config)
    for first, num_rows in slices_of(documents["text"]):
        rows = documents.slice(first, num_rows).combine_chunks()
        texts = rows["text"].combine_chunks()
        facts: dict[str, np.ndarray] = {}
        for name in config.use:
            edited = edit_named(name).edit(text_batch(texts))
            texts = _array(edited.texts)
            facts |= edited.facts
        yield from _with_texts(rows, texts, facts).cast(schema).to_batches()


def _with_texts(rows: pa.Table, texts: pa.Array, facts: Mapping[str, np.ndarray]) -> pa.Table:
    """Return rows with other texts and their hashes, and the facts in further columns."""
    hashes = rows["text_hash"].to_pylist()
    before = rows["text"].combine_chunks()
    for row in pa.compute.indices_nonzero(pa.compute.not_equal(before, texts)).to_pylist():
        hashes[row] = hash_text(texts[row].as_buffer().to_pybytes())
    changed = {"text": texts, "text_hash": pa.array(hashes, pa.string())}
    for name, column in changed.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    for name, counts in facts.items():
        rows = rows.append_column(name, pa.array(counts))
    return rows


def _array(texts: TextBuffers) -> pa.Array:
    """Return texts as an Arrow array, which begins at its first byte."""
    offsets = pa.py_buffer(np.ascontiguousarray(texts.offsets))
    data = pa.py_buffer(np.ascontiguousarray(texts.data))
    array = pa.LargeStringArray.from_buffers(texts.num_texts, offsets, data)
    return array.cast(pa.string())


STEP = Step(
    name="edit_texts",
    version=VERSION,
    kind="map",
    run=edit_texts,
    config=EditsConfig,
    schema=DOCUMENTS,
    inputs={"documents": "aligned"},
    accounts_for="documents",
    schema_of=edited_schema,
)
