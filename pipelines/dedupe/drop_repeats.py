"""drop_repeats: documents, takings -> documents without them, and how much was taken of each.

Stands where `pipelines.edit_texts` stands, for edits that the whole corpus decides. Every document
stays, even if nothing of its text does: a policy drops it, with a reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.documents import DOCUMENTS, hash_text
from data_contracts.errors import RecipeError
from pipelines.dedupe.takings import by_document
from pipelines.dedupe.text_arrays import text_array
from pipelines.edits import repeated_lines, repeated_spans
from pipelines.kernels.buffers import text_buffers
from pipelines.text_slices import one_array, slices_of
from store.step import Inputs, Output, Step

VERSION = 1
_FIELDS = {"lines": repeated_lines.FIELDS, "spans": repeated_spans.FIELDS}
_CUTS = {"lines": repeated_lines.cut_lines, "spans": repeated_spans.cut_spans}

Takings = Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]  # rows, starts, ends


@dataclass(frozen=True)
class DropConfig:
    """What is taken: ``lines``, ``spans`` or both; each is an input of the step with that name."""

    use: tuple[str, ...] = ("lines",)

    def __post_init__(self) -> None:
        if self.use not in (("lines",), ("spans",), ("lines", "spans")):
            raise RecipeError(
                f"drop_repeats.use is {self.use!r}; give lines, spans, or lines and spans, so."
            )


def drop_facts(config: DropConfig) -> tuple[pa.Field, ...]:
    """Return the columns that are added: how much was taken of a document."""
    return tuple(field for name in config.use for field in _FIELDS[name])


def dropped_schema(config: DropConfig) -> pa.Schema:
    """Return the columns of `DOCUMENTS` and those that are added."""
    return pa.schema([*DOCUMENTS, *drop_facts(config)])


def drop_step(config: DropConfig) -> Step:
    """Return the step with an input for each kind of taking that the config uses."""
    return replace(STEP, inputs={"documents": "aligned", **dict.fromkeys(config.use, "aligned")})


def drop_repeats(inputs: Inputs, config: DropConfig) -> Output:
    """Take out of a partition's texts what its takings name; rows stand in the documents' order.

    ``text`` and ``text_hash`` are those of what is left; all other columns are as they were. Raises
    `UsageError` if takings do not belong to these texts.
    """
    documents = inputs.one("documents").table(DOCUMENTS.names)
    sizes = pc.binary_length(documents["text"]).to_numpy().astype(np.int64)
    takings = {
        name: by_document(inputs.one(name).table(), documents["doc_id"], sizes)
        for name in config.use
    }
    return Output(_drop(documents, takings, dropped_schema(config)))


def _drop(documents: pa.Table, takings: Takings, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for first, num_rows in slices_of(documents["text"]):
        rows = documents.slice(first, num_rows)
        here = {name: _in_rows(given, first, num_rows) for name, given in takings.items()}
        yield from _edited(rows, here).cast(schema).to_batches()


def _in_rows(
    takings: tuple[np.ndarray, np.ndarray, np.ndarray], first: int, num_rows: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, starts, ends = takings
    low, high = np.searchsorted(rows, (first, first + num_rows))
    return rows[low:high] - first, starts[low:high], ends[low:high]


def _edited(rows: pa.Table, takings: Takings) -> pa.Table:
    from pipelines.kernels.cuts import count_bytes, cut_texts, join_spans, unite

    texts = text_buffers(one_array(rows["text"]))
    taken = join_spans(texts.num_texts, *np.zeros((3, 0), dtype=np.int64))
    num_taken = count_bytes(taken)
    facts = []
    for name, (numbers, starts, ends) in takings.items():
        before = texts.offsets[numbers]
        cut, counts = _CUTS[name](texts, numbers, starts + before, ends + before)
        taken = unite(taken, cut)
        facts += [counts, count_bytes(taken) - num_taken]
        num_taken = count_bytes(taken)
    kept = cut_texts(texts, taken)
    hashes = rows["text_hash"].to_pylist()
    for row in np.flatnonzero(num_taken).tolist():
        hashes[row] = hash_text(kept.data[kept.offsets[row] : kept.offsets[row + 1]].tobytes())
    changed = {"text": text_array(kept), "text_hash": pa.array(hashes, pa.string())}
    columns = [changed.get(name, rows[name]) for name in rows.column_names]
    fields = [field for name in takings for field in _FIELDS[name]]
    names = [*rows.column_names, *(field.name for field in fields)]
    return pa.table([*columns, *map(pa.array, facts)], names=names)


STEP = Step(
    name="drop_repeats",
    version=VERSION,
    kind="map",
    run=drop_repeats,
    config=DropConfig,
    schema=dropped_schema(DropConfig()),
    inputs={"documents": "aligned", "lines": "aligned"},
    accounts_for="documents",
    schema_of=dropped_schema,
)
