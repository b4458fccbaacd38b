"""Framing of MediaWiki dumps: the bytes of each page, whatever is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pipelines.ingest.compressed import BrokenStream
from pipelines.ingest.rows import RAW_BYTES

MAX_HEAD_BYTES = 1 << 20

_BEGIN, _END, _LAST = b"<page>", b"</page>", b"</mediawiki>"
_BLOCK_BYTES = 256 << 10


@dataclass(slots=True)
class Page:
    """The bytes of a page, or of what stands before the first one (``ordinal`` 0).

    ``error`` is why it cannot be read, empty if it can; of such a page ``data`` are the first
    bytes. ``offset`` is in bytes of the XML.
    """

    ordinal: int
    offset: int
    data: bytes
    error: str = ""


def cut_pages(stream: BinaryIO, max_page_bytes: int) -> Iterator[Page]:
    """Yield what stands before the first page, then all pages, holding one of them at a time.

    A page with over ``max_page_bytes`` is passed over. What follows a break, or the last page of a
    dump that has no end, is one more page, with an error.
    """
    source = _Source(stream)
    before = source.read_until(_BEGIN, MAX_HEAD_BYTES)
    yield Page(0, 0, before.data)
    ordinal = 0
    while before.is_found:
        ordinal += 1
        offset = source.offset
        body = source.read_until(_END, max_page_bytes)
        if not body.is_found:
            error = source.error or "the dump is cut off within a page"
            yield Page(ordinal, offset, body.data[:RAW_BYTES], error)
            return
        source.skip(_END)
        last_begin = max(0, body.data.rfind(_BEGIN))
        if last_begin:
            yield Page(ordinal, offset, body.data[:RAW_BYTES], "the page has no end")
            ordinal += 1
        error = f"the page has over max_page_bytes = {max_page_bytes}"
        is_over = body.num_bytes > max_page_bytes
        yield Page(
            ordinal, offset + last_begin, body.data[last_begin:] + _END, error if is_over else ""
        )
        before = source.read_until(_BEGIN, MAX_HEAD_BYTES)
    if source.error or _LAST not in before.data:
        error = source.error or "the dump ends without </mediawiki>"
        yield Page(ordinal + 1, source.offset, b"", error)


@dataclass(slots=True)
class _Stretch:
    """Bytes that were read, or the first of them if they are too many; what follows was found."""

    data: bytes
    num_bytes: int
    is_found: bool


class _Source:
    """A stream that is searched forwards; ``offset`` is where the next byte stands."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._data = bytearray()
        self._is_at_end = False
        self.offset = 0
        self.error = ""

    def read_until(self, wanted: bytes, max_bytes: int) -> _Stretch:
        """Read up to where something stands, or all; of over ``max_bytes`` hold the first few."""
        data, start, passed = self._data, 0, 0
        first: bytes | None = None
        while True:
            found = data.find(wanted, start)
            searched = max(0, len(data) - len(wanted) + 1)
            if found >= 0 or not self._fill():
                end = found if found >= 0 else len(data)
                rest = bytes(data[:end])
                del data[:end]
                self.offset += passed + end
                return _Stretch(rest if first is None else first, passed + end, found >= 0)
            start = searched
            if passed + searched > max_bytes:
                first = bytes(data[:RAW_BYTES]) if first is None else first
                del data[:searched]
                passed, start = passed + searched, 0

    def skip(self, known: bytes) -> None:
        """Pass bytes that stand next."""
        del self._data[: len(known)]
        self.offset += len(known)

    def _fill(self) -> bool:
        if self._is_at_end:
            return False
        try:
            block = self._stream.read(_BLOCK_BYTES)
        except (BrokenStream, EOFError) as error:
            self.error, block = f"the dump is cut off or damaged: {error}", b""
        self._is_at_end = not block
        self._data += block
        return bool(block)
