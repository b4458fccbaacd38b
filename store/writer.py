"""Writing one partition: batches in, a Parquet file, its digests and counts out.

Row groups end after a fixed number of rows or bytes, and where a slice ends; pages carry checksums,
so that a flipped bit is found when the rows are read. Texts that rarely repeat are written without
a dictionary, which would cost a quarter of the writing and make the file no smaller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from store.datasets import Slice
from store.identity import TableDigest

ROW_GROUP_ROWS = 16_384
ROW_GROUP_BYTES = 64 << 20
# Of the first row group: over half of a column's values differ = no dictionary; of few it stays.
_SAMPLE_ROWS, _MIN_SAMPLE_VALUES = 512, 64


@dataclass
class Written:
    """What was written to one file: counts, digests, slices."""

    digest: str = ""
    num_rows: int = 0
    num_kept: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    slices: dict[str, Slice] = field(default_factory=dict)


def write_rows(
    rows: pa.Table | Iterable[pa.RecordBatch], schema: pa.Schema, path: Path, slice_by: str | None
) -> Written:
    """Write rows to a Parquet file (zstd) and return what was written.

    ``slice_by`` names a column whose equal values are adjacent; each value gets row groups of its
    own. Raises TypeError if a batch does not have the schema's names and types, ValueError if a
    null stands in a column that allows none or a slice comes twice.
    """
    batches = rows.to_batches() if isinstance(rows, pa.Table) else rows
    checked = (_checked(batch, schema) for batch in batches)
    with _File(path, schema) as file:
        return _Writing(file, schema, slice_by).write(checked)


class _File:
    """A Parquet file; its first row group says which columns are written with a dictionary."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened(self._schema.empty_table()).close()

    def write_group(self, group: pa.Table) -> None:
        """Write a table as one row group."""
        self._opened(group).write_table(group, row_group_size=max(1, group.num_rows))

    def _opened(self, group: pa.Table) -> pq.ParquetWriter:
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._path,
                self._schema,
                compression="zstd",
                use_dictionary=_repeating(group),
                write_page_checksum=True,
                store_schema=True,
            )
        return self._writer


def _repeating(group: pa.Table) -> list[str]:
    """Return the paths, as Parquet has them, of all columns but texts that rarely repeat."""
    return [
        path
        for field_, column in zip(group.schema, group.columns, strict=True)
        if not (pa.types.is_string(field_.type) and _is_varied(column.slice(0, _SAMPLE_ROWS)))
        for path in _leaves(field_.name, field_.type)
    ]


def _is_varied(column: pa.ChunkedArray) -> bool:
    values = column.drop_null().to_pylist()
    return len(values) >= _MIN_SAMPLE_VALUES and 2 * len(set(values)) > len(values)


def _leaves(path: str, kind: pa.DataType) -> Iterator[str]:
    if pa.types.is_map(kind):
        yield from _leaves(f"{path}.key_value.key", kind.key_type)
        yield from _leaves(f"{path}.key_value.value", kind.item_type)
    elif pa.types.is_struct(kind):
        for field_ in kind:
            yield from _leaves(f"{path}.{field_.name}", field_.type)
    elif pa.types.is_nested(kind):
        yield from _leaves(f"{path}.list.element", kind.value_type)
    else:
        yield path


class _Writing:
    """The state of writing one file: open slice, digests, counts."""

    def __init__(self, file: _File, schema: pa.Schema, slice_by: str | None) -> None:
        self._file, self._schema, self._slice_by = file, schema, slice_by
        self._whole = TableDigest(schema)
        self._num_groups = 0
        self._kept = 0
        self._reasons: Counter[str] = Counter()
        self._slices: dict[str, Slice] = {}

    def write(self, batches: Iterable[pa.RecordBatch]) -> Written:
        for name, run in _runs(batches, self._slice_by):
            first_group, digest, kept = self._num_groups, TableDigest(self._schema), 0
            for group in _groups(run, self._schema):
                self._file.write_group(group)
                self._num_groups += 1
                kept += self._count(group)
                for batch in group.to_batches():
                    self._whole.update(batch)
                    if name is not None:
                        digest.update(batch)
            if name is not None:
                if name in self._slices:
                    raise ValueError(f"rows of slice {self._slice_by}={name} are not adjacent")
                groups = self._num_groups - first_group
                self._slices[name] = Slice(
                    first_group, groups, digest.num_rows, kept, digest.hexdigest()
                )
            self._kept += kept
        reasons = dict(sorted(self._reasons.items()))
        digest_hex = self._whole.hexdigest()
        return Written(digest_hex, self._whole.num_rows, self._kept, reasons, self._slices)

    def _count(self, group: pa.Table) -> int:
        """Count the reasons of dropped rows; return the number of kept ones."""
        if "keep" not in self._schema.names:
            return group.num_rows
        if "reason" in self._schema.names:
            for pair in pc.value_counts(group["reason"].drop_null()).to_pylist():
                self._reasons[pair["values"]] += pair["counts"]
        return pc.sum(group["keep"]).as_py() or 0


def _checked(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    is_same = batch.schema.equals(schema)
    if not is_same and (batch.schema.names, batch.schema.types) != (schema.names, schema.types):
        raise TypeError(f"the step wrote columns {batch.schema}, its schema says {schema}")
    for field_, column in zip(schema, batch.columns, strict=True):
        if not field_.nullable and column.null_count:
            raise ValueError(f"the step wrote a null into {field_.name}, which allows none")
    return batch if is_same else pa.RecordBatch.from_arrays(batch.columns, schema=schema)


Run = tuple[str | None, Iterator[pa.RecordBatch]]


def _runs(batches: Iterable[pa.RecordBatch], slice_by: str | None) -> Iterator[Run]:
    """Split a stream of batches into runs of equal ``slice_by`` values (one run if it is None)."""
    if slice_by is None:
        yield None, iter(batches)
        return
    pieces = _Pieces(batches, slice_by)
    while (name := pieces.peek()) is not None:
        yield name, pieces.take(name)


class _Pieces:
    """Batches cut where the value of a column changes, with a look-ahead of one."""

    def __init__(self, batches: Iterable[pa.RecordBatch], column: str) -> None:
        self._cut = (piece for batch in batches for piece in _cut(batch, column))
        self._next = next(self._cut, None)

    def peek(self) -> str | None:
        return None if self._next is None else self._next[0]

    def take(self, name: str) -> Iterator[pa.RecordBatch]:
        while self._next is not None and self._next[0] == name:
            piece = self._next[1]
            self._next = next(self._cut, None)
            yield piece


def _cut(batch: pa.RecordBatch, column: str) -> Iterator[tuple[str, pa.RecordBatch]]:
    runs = pc.run_end_encode(batch[column])
    start = 0
    for value, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield str(value), batch.slice(start, end - start)
        start = end


def _groups(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Gather batches into tables of at most `ROW_GROUP_ROWS` rows and about `ROW_GROUP_BYTES`."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        while batch.num_rows:
            piece = batch.slice(0, ROW_GROUP_ROWS - rows)
            batch = batch.slice(piece.num_rows)
            held.append(piece)
            rows, size = rows + piece.num_rows, size + piece.nbytes
            if rows == ROW_GROUP_ROWS or size >= ROW_GROUP_BYTES:
                yield pa.Table.from_batches(held, schema).combine_chunks()
                held, rows, size = [], 0, 0
    if held:
        yield pa.Table.from_batches(held, schema).combine_chunks()
