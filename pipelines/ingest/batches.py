"""Records to rows: clean, identify and check each; what fails goes to quarantine, never away.

Each record becomes one row of `DOCUMENTS` or one row of `store.step.QUARANTINE`, in the order in
which it came. A block of records is taken apart only if one of them fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from data_contracts.documents import DOCUMENTS, doc_id, doc_ids, hash_text, hash_texts
from pipelines.ingest.repeated_keys import REASON
from pipelines.ingest.rows import RAW_BYTES, Item, Record, RecordBlock, Unreadable
from pipelines.ingest.text import clean_text, replace_surrogates
from pipelines.kernels.buffers import each_text

BATCH_ROWS = 4096
BATCH_BYTES = 32 << 20
_MIN_BLOCK_ROWS = 16  # of fewer records, rows one by one cost less than a batch

_TEXT = DOCUMENTS.names.index("text")
_Row = tuple[Any, ...]  # in the order of `DOCUMENTS`


def build_batches(
    items: Iterable[Item],
    source: str,
    encoding_errors: str,
    quarantined: list[dict[str, Any]],
    repeated_ids: Iterable[str] = (),
) -> Iterator[pa.RecordBatch]:
    """Yield the items as batches of `DOCUMENTS`; append those that fail to ``quarantined``.

    Fail: unreadable items, a key that came before (from its second record on, in this partition or,
    as ``repeated_ids`` say, in an earlier one), lone surrogates unless ``encoding_errors`` is
    ``repair``, runs of marks too long to normalise, and texts that are empty once cleaned. Batches
    are of at most `BATCH_ROWS` rows and about `BATCH_BYTES` of text; a long block is one by itself.
    """
    builder = _RowBuilder(source, encoding_errors == "repair", repeated_ids)
    held: list[_Row] = []
    num_bytes = 0
    for item in items:
        batch = builder.batch(item) if isinstance(item, RecordBlock) else None
        if batch is not None:
            yield from _batches_of(held)
            held, num_bytes = [], 0
            yield batch
            continue
        for row in builder.rows(item, quarantined):
            num_bytes += len(row[_TEXT])
            if len(held) == BATCH_ROWS or num_bytes > BATCH_BYTES:
                yield from _batches_of(held)
                held, num_bytes = [], len(row[_TEXT])
            held.append(row)
    yield from _batches_of(held)


def _batches_of(rows: list[_Row]) -> Iterator[pa.RecordBatch]:
    """Yield rows, whose texts are bytes, as a batch; nothing if there are none."""
    if rows:
        columns = zip(DOCUMENTS, zip(*rows, strict=True), strict=True)
        arrays = [pa.array(values, field.type) for field, values in columns]
        yield pa.RecordBatch.from_arrays(arrays, schema=DOCUMENTS)


class _Repeated:
    """Columns of one value, each made once for all the blocks of a file."""

    def __init__(self) -> None:
        self._columns: dict[str, tuple[Any, pa.Array]] = {}

    def column(self, name: str, value: Any, num_rows: int) -> pa.Array:
        """Return a column of `DOCUMENTS` that holds one value so many times."""
        last, column = self._columns.get(name, (None, ()))
        if last != value or len(column) < num_rows:
            column = pa.repeat(pa.scalar(value, DOCUMENTS.field(name).type), num_rows)
            self._columns[name] = (value, column)
        return column[:num_rows]


def _hex_array(digests: Sequence[bytes]) -> pa.StringArray:
    """Return digests of one length as a column of hex digits."""
    digits = b"".join(digests).hex().encode()
    offsets = np.arange(len(digests) + 1, dtype=np.int32) * (2 * len(digests[0]))
    return pa.StringArray.from_buffers(len(digests), pa.py_buffer(offsets), pa.py_buffer(digits))


class _Rejected(Exception):
    """Why an item becomes no row, and its id if it has one of its own."""

    def __init__(self, error: str, doc_id: str | None) -> None:
        super().__init__(error)
        self.doc_id = doc_id


class _RowBuilder:
    """Makes rows and remembers the keys that it saw."""

    def __init__(self, source: str, repair: bool, repeated_ids: Iterable[str]) -> None:
        self._source, self._repair = source, repair
        self._repeated_ids = frozenset(map(bytes.fromhex, repeated_ids))
        self._seen: set[bytes] = set()
        self._repeated = _Repeated()

    def batch(self, block: RecordBlock) -> pa.RecordBatch | None:
        """Return the rows of a block, None if they are few or one of the keys came before."""
        if len(block) < _MIN_BLOCK_ROWS:
            return None
        digests = doc_ids(self._source, block.keys)
        fresh = set(digests)
        is_new = len(fresh) == len(digests) and self._seen.isdisjoint(fresh)
        if not is_new or not self._repeated_ids.isdisjoint(fresh):
            return None
        self._seen |= fresh
        columns = {
            "doc_id": _hex_array(digests),
            "record_key": block.keys,
            "text": block.texts,
            "text_hash": _hex_array(hash_texts(each_text(block.texts))),
            "url": block.urls,
            "published_at": block.times,
            "labels": self._labels(block),
            "meta": block.metas,
        }
        same = {"source": self._source, "uri": block.uri, "kind": "text", "num_repairs": 0}
        columns |= {name: self._repeated.column(name, same[name], len(block)) for name in same}
        arrays = [pa.array(columns[field.name], field.type) for field in DOCUMENTS]
        return pa.RecordBatch.from_arrays(arrays, schema=DOCUMENTS)

    def _labels(self, block: RecordBlock) -> Any:
        """Return the labels of a block's records; nearly all blocks have one and the same."""
        first = block.labels[0]
        if all(one is first for one in block.labels):
            return self._repeated.column("labels", sorted(first.items()), len(block))
        return [sorted(one.items()) for one in block.labels]

    def rows(self, item: Item, quarantined: list[dict[str, Any]]) -> Iterator[_Row]:
        """Yield each row of an item; what has none is appended to ``quarantined``."""
        for one in item.records() if isinstance(item, RecordBlock) else (item,):
            try:
                yield self._row(one)
            except _Rejected as rejected:
                quarantined.append(self._quarantine_row(one, str(rejected), rejected.doc_id))

    def _row(self, item: Record | Unreadable) -> _Row:
        """Return the row of an item; raises `_Rejected` if it has none."""
        identity = self._identify(item)
        if isinstance(item, Unreadable):
            raise _Rejected(item.error, identity)
        data, num_repairs = item.text, 0
        if isinstance(data, str):
            data, num_repairs = self._clean(data, identity)
        return (
            identity,
            self._source,
            item.origin.uri,
            item.key,
            "text",
            data,
            hash_text(data),
            item.url,
            item.published_at,
            sorted(item.labels.items()),
            item.num_repairs + num_repairs,
            item.meta,
        )

    def _identify(self, item: Record | Unreadable) -> str | None:
        if item.key is None:
            return None
        try:
            identity = doc_id(self._source, item.key)
        except UnicodeEncodeError:
            raise _Rejected("the id holds a lone surrogate", None) from None
        short = bytes.fromhex(identity)
        if short in self._repeated_ids:
            key = item.key[:200]
            raise _Rejected(f"{REASON}: the key {key!r} stands in an earlier partition", None)
        if short in self._seen:
            raise _Rejected(f"the key {item.key[:200]!r} came before in this partition", None)
        self._seen.add(short)
        return identity

    def _clean(self, text: str, identity: str | None) -> tuple[bytes, int]:
        text, num_surrogates = replace_surrogates(text)
        if num_surrogates and not self._repair:
            raise _Rejected(f"the text holds {num_surrogates} lone surrogates", identity)
        try:
            text, num_repairs = clean_text(text)
        except ValueError as error:
            raise _Rejected(f"the text cannot be normalised: {error}", identity) from None
        if not text or text.isspace():
            raise _Rejected("empty text", identity)
        return text.encode(), num_repairs + num_surrogates

    def _quarantine_row(
        self, item: Record | Unreadable, error: str, identity: str | None
    ) -> dict[str, Any]:
        """Return the row of `store.step.QUARANTINE` for an item that failed."""
        return {
            "doc_id": identity,
            "source": self._source,
            "uri": item.origin.uri,
            "position": item.origin.position,
            "unit": item.origin.unit,
            "error": error,
            "raw": item.raw[:RAW_BYTES],
        }
