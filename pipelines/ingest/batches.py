"""Records to rows: clean, identify and check each; what fails goes to quarantine, never away.

Each record becomes one row of `DOCUMENTS` or one row of `store.step.QUARANTINE`, in the order in
which it came. A block of records is taken apart only if one of them fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from data_contracts.documents import DOCUMENTS, doc_id, doc_ids, hash_text, hash_texts
from pipelines.ingest.repeated_keys import REASON
from pipelines.ingest.rows import RAW_BYTES, Item, Record, RecordBlock, Unreadable
from pipelines.ingest.text import clean_text, replace_surrogates
from pipelines.kernels.buffers import each_text

BATCH_ROWS = 4096
BATCH_BYTES = 32 << 20

_TEXT = DOCUMENTS.names.index("text")
_Row = tuple[Any, ...]  # in the order of `DOCUMENTS`, as are columns


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
    are of at most `BATCH_ROWS` rows and about `BATCH_BYTES` of text, unless one block has more.
    """
    builder = _RowBuilder(source, encoding_errors == "repair", frozenset(repeated_ids))
    held = _Held()
    for item in items:
        columns = builder.columns(item) if isinstance(item, RecordBlock) else None
        if columns is not None:
            if held.is_full(len(columns[0]), columns[_TEXT].nbytes):
                yield held.batch()
                held = _Held()
            held.add_columns(columns)
            continue
        for row in builder.rows(item, quarantined):
            if held.is_full(1, len(row[_TEXT])):
                yield held.batch()
                held = _Held()
            held.add_row(row)
    if held.num_rows:
        yield held.batch()


class _Held:
    """Rows on their way to a batch, which is made column by column."""

    def __init__(self) -> None:
        self.num_rows = self._num_bytes = 0
        self._rows: list[_Row] = []
        self._columns: list[list[Any]] = [[] for _ in DOCUMENTS]
        self._texts: list[pa.Array] = []

    def is_full(self, num_rows: int, num_bytes: int) -> bool:
        """Return whether rows of so many bytes of text have to wait for the next batch."""
        is_over = self.num_rows + num_rows > BATCH_ROWS or self._num_bytes + num_bytes > BATCH_BYTES
        return is_over and self.num_rows > 0

    def add_row(self, row: _Row) -> None:
        """Hold a row; its text is in bytes."""
        self._rows.append(row)
        self.num_rows += 1
        self._num_bytes += len(row[_TEXT])

    def add_columns(self, columns: Sequence[Any]) -> None:
        """Hold rows, the texts of which are an array, all else lists."""
        self._take_rows()
        self._extend(columns, columns[_TEXT])
        self.num_rows += len(columns[0])
        self._num_bytes += columns[_TEXT].nbytes

    def batch(self) -> pa.RecordBatch:
        """Return what is held."""
        self._take_rows()
        texts = pa.concat_arrays(self._texts)
        arrays = [
            texts if place == _TEXT else pa.array(values, field.type)
            for place, (values, field) in enumerate(zip(self._columns, DOCUMENTS, strict=True))
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=DOCUMENTS)

    def _take_rows(self) -> None:
        if self._rows:
            columns = list(zip(*self._rows, strict=True))
            self._extend(columns, pa.array(columns[_TEXT], pa.string()))
            self._rows = []

    def _extend(self, columns: Sequence[Any], texts: pa.Array) -> None:
        for place, (held, values) in enumerate(zip(self._columns, columns, strict=True)):
            if place != _TEXT:
                held.extend(values)
        self._texts.append(texts)


def _sorted_labels(labels: Sequence[Mapping[str, str]]) -> list[list[tuple[str, str]]]:
    """Return the labels of records; nearly all have one and the same mapping."""
    first = labels[0]
    common = sorted(first.items())
    return [common if one is first else sorted(one.items()) for one in labels]


class _Rejected(Exception):
    """Why an item becomes no row, and its id if it has one of its own."""

    def __init__(self, error: str, doc_id: str | None) -> None:
        super().__init__(error)
        self.doc_id = doc_id


class _RowBuilder:
    """Makes rows and remembers the keys that it saw."""

    def __init__(self, source: str, repair: bool, repeated_ids: frozenset[str]) -> None:
        self._source, self._repair, self._repeated_ids = source, repair, repeated_ids
        self._seen: set[bytes] = set()

    def columns(self, block: RecordBlock) -> Sequence[Any] | None:
        """Return the rows of a block as columns, None if one of its keys came before."""
        digests = doc_ids(self._source, block.keys)
        ids, short = list(map(bytes.hex, digests)), set(digests)
        is_fresh = len(short) == len(ids) and self._seen.isdisjoint(short)
        if not is_fresh or not self._repeated_ids.isdisjoint(ids):
            return None
        self._seen |= short
        return (
            ids,
            [self._source] * len(ids),
            [block.uri] * len(ids),
            block.keys,
            ["text"] * len(ids),
            block.texts,
            list(map(bytes.hex, hash_texts(each_text(block.texts)))),
            block.urls,
            block.times,
            _sorted_labels(block.labels),
            [0] * len(ids),
            block.metas,
        )

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
        if identity in self._repeated_ids:
            key = item.key[:200]
            raise _Rejected(f"{REASON}: the key {key!r} stands in an earlier partition", None)
        if (short := bytes.fromhex(identity)) in self._seen:
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
