"""Records to rows: clean, identify and check each; what fails goes to quarantine, never away.

A source kind yields `Record` and `Unreadable` items, one for each record that it framed. Here each
becomes one row of `DOCUMENTS` or one row of `store.step.QUARANTINE`, in the order in which it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from data_contracts.documents import DOCUMENTS, doc_id, hash_text
from pipelines.ingest.text import clean_text, replace_surrogates

BATCH_ROWS = 4096
BATCH_BYTES = 32 << 20
RAW_BYTES = 256  # of a quarantined record, for a person to look at


@dataclass(slots=True)
class Origin:
    """Where a record stands: file, and byte offset or ordinal in it, as ``unit`` says."""

    uri: str
    position: int
    unit: str


@dataclass(slots=True)
class Record:
    """A record that was read: its key, its text as it came, and what is known about it.

    ``raw`` holds its first bytes; ``num_repairs`` counts characters that decoding already changed.
    """

    origin: Origin
    key: str
    text: str
    raw: bytes
    url: str | None = None
    published_at: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    num_repairs: int = 0
    meta: str | None = None


@dataclass(slots=True)
class Unreadable:
    """A record that was framed but cannot become a document, and why. ``key`` if it is known."""

    origin: Origin
    error: str
    raw: bytes
    key: str | None = None


Item = Record | Unreadable


def build_batches(
    items: Iterable[Item], source: str, encoding_errors: str, quarantined: list[dict[str, Any]]
) -> Iterator[pa.RecordBatch]:
    """Yield the items as batches of `DOCUMENTS`; append those that fail to ``quarantined``.

    Fail: unreadable items, a key that came before (from its second record on), lone surrogates
    unless ``encoding_errors`` is ``repair``, runs of marks too long to normalise, and texts that
    are empty once cleaned. Batches are of at most `BATCH_ROWS` rows and about `BATCH_BYTES` of
    text.
    """
    builder = _RowBuilder(source, encoding_errors == "repair")
    rows: list[dict[str, Any]] = []
    size_bytes = 0
    for item in items:
        try:
            row, row_bytes = builder.row(item)
        except _Rejected as rejected:
            quarantined.append(builder.quarantine_row(item, str(rejected), rejected.doc_id))
            continue
        if rows and (len(rows) >= BATCH_ROWS or size_bytes + row_bytes > BATCH_BYTES):
            yield _batch(rows)
            rows, size_bytes = [], 0
        rows.append(row)
        size_bytes += row_bytes
    if rows:
        yield _batch(rows)


def _batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Make a batch column by column, which takes 0.4 of the time of doing it row by row."""
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in DOCUMENTS]
    return pa.RecordBatch.from_arrays(columns, schema=DOCUMENTS)


class _Rejected(Exception):
    """Why an item becomes no row, and its id if it has one of its own."""

    def __init__(self, error: str, doc_id: str | None) -> None:
        super().__init__(error)
        self.doc_id = doc_id


class _RowBuilder:
    """Makes rows and remembers the keys that it saw."""

    def __init__(self, source: str, repair: bool) -> None:
        self._source, self._repair = source, repair
        self._seen: set[bytes] = set()

    def row(self, item: Item) -> tuple[dict[str, Any], int]:
        """Return an item's row and the bytes of its text, or raise `_Rejected`."""
        identity = self._identify(item)
        if isinstance(item, Unreadable):
            raise _Rejected(item.error, identity)
        text, num_repairs = self._clean(item, identity)
        data = text.encode()
        row = {
            "doc_id": identity,
            "source": self._source,
            "uri": item.origin.uri,
            "record_key": item.key,
            "kind": "text",
            "text": text,
            "text_hash": hash_text(data),
            "url": item.url,
            "published_at": item.published_at,
            "labels": sorted(item.labels.items()),
            "num_repairs": item.num_repairs + num_repairs,
            "meta": item.meta,
        }
        return row, len(data)

    def _identify(self, item: Item) -> str | None:
        if item.key is None:
            return None
        try:
            identity = doc_id(self._source, item.key)
        except UnicodeEncodeError:
            raise _Rejected("the id holds a lone surrogate", None) from None
        if (short := bytes.fromhex(identity)) in self._seen:
            raise _Rejected(f"the key {item.key[:200]!r} came before in this partition", None)
        self._seen.add(short)
        return identity

    def _clean(self, record: Record, identity: str | None) -> tuple[str, int]:
        text, num_surrogates = replace_surrogates(record.text)
        if num_surrogates and not self._repair:
            raise _Rejected(f"the text holds {num_surrogates} lone surrogates", identity)
        try:
            text, num_repairs = clean_text(text)
        except ValueError as error:
            raise _Rejected(f"the text cannot be normalised: {error}", identity) from None
        if not text or text.isspace():
            raise _Rejected("empty text", identity)
        return text, num_repairs + num_surrogates

    def quarantine_row(self, item: Item, error: str, identity: str | None) -> dict[str, Any]:
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
