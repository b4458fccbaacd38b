"""What a source kind yields: one item for each record that it framed, read or not.

`pipelines.ingest.batches` makes rows of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.ingest.page import PageText

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

    A text in bytes is UTF-8 that is known to be clean and not empty: `clean_text` would leave it.
    ``raw`` holds its first bytes; ``num_repairs`` counts characters that decoding already changed.
    """

    origin: Origin
    key: str
    text: str | bytes
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


@dataclass(slots=True)
class RecordBlock:
    """Records of lines of one file, column by column: of each a `Record` with UTF-8 as its text.

    Line ``i`` is ``data[starts[i]:ends[i]]``, and ``data`` begins at the byte ``offset``. Nothing
    was repaired. A record of a block costs a third of what one by itself does.
    """

    uri: str
    data: bytes
    offset: int
    starts: list[int]
    ends: list[int]
    keys: list[str]
    texts: pa.StringArray
    urls: list[str | None]
    times: list[datetime | None]
    labels: list[Mapping[str, str]]
    metas: list[str | None]

    def __len__(self) -> int:
        return len(self.keys)

    def records(self, is_clean: bool = True) -> Iterator[Record]:
        """Yield the records one by one; their texts are to be cleaned unless ``is_clean``."""
        for row, (start, end) in enumerate(zip(self.starts, self.ends, strict=True)):
            text = self.texts[row].as_buffer().to_pybytes()
            yield Record(
                origin=Origin(self.uri, self.offset + start, "byte"),
                key=self.keys[row],
                text=text if is_clean else text.decode(),
                raw=self.data[start : min(end, start + RAW_BYTES)],
                url=self.urls[row],
                published_at=self.times[row],
                labels=self.labels[row],
                meta=self.metas[row],
            )


Item = Record | Unreadable | RecordBlock


def num_records(item: Item | Pending) -> int:
    """Return how many records an item is."""
    return len(item) if isinstance(item, RecordBlock) else 1


@dataclass(slots=True)
class Pending:
    """A record whose text is still to be made, by ``read(*args)``, in another process.

    ``record`` is what is known but for its text; ``known`` goes to its ``meta``. ``num_bytes`` is
    about what the arguments take in memory.
    """

    record: Record
    read: Callable[..., PageText]
    args: tuple[Any, ...]
    known: dict[str, Any]
    num_bytes: int
