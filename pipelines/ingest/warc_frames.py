"""Framing of WARC: where each record begins and ends, told before anyone parses it.

A record is its header, as many bytes as the header says, and then the next record or the end. What
is not so - damage, a wrong length, a record that is cut off or has no header - is one `Broken`, and
reading goes on at the next line that begins a record (ISO 28500, section 4) or the next gzip member
that does. So every byte of the file is in a frame, in something broken, or white space.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipelines.ingest.gzip_members import Damage, Piece
from pipelines.ingest.rows import RAW_BYTES

BEGINS = b"WARC/"
MAX_HEADER_BYTES = 65_536

_RECORD = re.compile(rb"WARC/[0-9]\.[0-9]+[ \t]*\r?\n")
_NEXT_RECORD = re.compile(rb"\nWARC/[0-9]\.[0-9]+[ \t]*\r?\n")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"(?im)^Content-Length[ \t]*:[ \t]*([0-9]{1,18})[ \t]*\r?$")
_WHITE = b"\r\n"
_NOT_WHITE = re.compile(rb"[^\r\n]")
_OVERLAP = 64  # of searched bytes that are kept: the start of a record's first line may be there
_STEP_BYTES = 1 << 20


@dataclass(slots=True)
class Frame:
    """A whole record: its bytes, of which the first ``num_header_bytes`` are the WARC header.

    ``offset`` is where it begins in the file; in a gzip file, where its member does.
    """

    offset: int
    data: bytes
    num_header_bytes: int


@dataclass(slots=True)
class Broken:
    """Bytes that are no whole record, and why; ``raw`` are the first of them."""

    offset: int
    error: str
    raw: bytes


def frame_records(
    pieces: Iterable[Piece | Damage], max_record_bytes: int
) -> Iterator[Frame | Broken]:
    """Yield all records of a file, in their order, holding at most about one of them in memory.

    Of a record over ``max_record_bytes`` nothing is held: it is broken, and reading goes on at the
    first line within it that begins a record, or after it.
    """
    content = _Content(iter(pieces))
    while content.next_section():
        yield from _frame_section(content, max_record_bytes)


class _Content:
    """Content in sections, which end at damage and where a gzip member begins a record.

    ``data[at:]`` lies ahead. ``damage`` is what ends the section, once it is reached.
    """

    def __init__(self, events: Iterator[Piece | Damage]) -> None:
        self._events = events
        self._held: Piece | Damage | None = next(events, None)
        self._begin()

    def _begin(self) -> None:
        self.data, self.at = bytearray(), 0
        self.damage: Damage | None = None
        self.is_told = False  # the damage is part of an error already
        self._places: list[tuple[int, Piece]] = []  # where in `data` pieces begin

    def next_section(self) -> bool:
        """Go to the next section; False at the end of the file."""
        self._begin()
        if isinstance(self._held, Piece):
            self._append(self._held)
            return True
        self.damage, self._held = self._held, next(self._events, None)
        return self.damage is not None

    def fill(self, num_bytes: int) -> bool:
        """Have so many bytes ahead, if the section has them."""
        while len(self.data) - self.at < num_bytes:
            held = self._held
            if held is None or self.damage is not None:
                return False
            if isinstance(held, Damage):
                self.damage, self._held = held, next(self._events, None)
                return False
            if held.begins_member and held.data.startswith(BEGINS):
                return False
            self._append(held)
        return True

    def take(self, num_bytes: int) -> bytes:
        """Return the bytes ahead, at most so many, and stay there."""
        with memoryview(self.data) as view:
            return bytes(view[self.at : self.at + num_bytes])

    def offset(self) -> int:
        """Return where in the file the next byte stands, or where its gzip member begins."""
        index, piece = next(
            place for place in reversed(self._places) if place[0] <= self.at or not self._places
        )
        return piece.offset if piece.begins_member else piece.offset + self.at - index

    def is_damaged_until(self, index: int) -> bool:
        """Return whether the section ends at ``index`` with damage in the very last member."""
        if self.damage is None or len(self.data) - index > _OVERLAP:
            return False
        rest = self.data[index:].strip(_WHITE)
        return not rest and self._places[-1][1].offset == self.damage.start

    def _append(self, piece: Piece) -> None:
        if self.at > _STEP_BYTES:
            self._forget(self.at - 1)
        if piece.begins_member or not self._places:
            self._places.append((len(self.data), Piece(b"", piece.offset, piece.begins_member)))
        self.data += piece.data
        self._held = next(self._events, None)

    def _forget(self, num_bytes: int) -> None:
        del self.data[:num_bytes]
        self.at -= num_bytes
        places = [(index - num_bytes, piece) for index, piece in self._places]
        num_passed = sum(index <= self.at for index, _ in places)
        self._places = places[max(0, num_passed - 1) :]


def _frame_section(content: _Content, max_record_bytes: int) -> Iterator[Frame | Broken]:
    while _skip_white(content):
        yield _frame_record(content, max_record_bytes)
    if content.damage is not None and not content.is_told:
        yield Broken(content.damage.start, str(content.damage), b"")


def _skip_white(content: _Content) -> bool:
    """Go to the next byte that is no line end; False if there is none in the section."""
    while content.fill(1):
        found = _NOT_WHITE.search(content.data, content.at)
        if found is not None:
            content.at = found.start()
            return True
        content.at = len(content.data)
    return False


def _frame_record(content: _Content, max_record_bytes: int) -> Frame | Broken:
    """Take the record that begins here, or all up to where the next one begins."""
    start = content.offset()
    num_header_bytes = _header_bytes(content)
    try:
        num_bytes = _record_bytes(content, num_header_bytes, max_record_bytes)
    except ValueError as error:
        return _broken(content, start, str(error), num_header_bytes or 1)
    if content.is_damaged_until(content.at + num_bytes):
        content.is_told = True
        broken = Broken(start, str(content.damage), content.take(RAW_BYTES))
        content.at = len(content.data)
        return broken
    data = content.take(num_bytes)
    content.at += num_bytes
    return Frame(start, data, num_header_bytes)


def _record_bytes(content: _Content, num_header_bytes: int, max_record_bytes: int) -> int:
    """Return how many bytes the record has, all of which are there; or raise what is wrong."""
    if not _RECORD.match(content.data, content.at):
        raise ValueError("no WARC record begins here")
    if not num_header_bytes:
        raise ValueError(f"the record's header does not end within {MAX_HEADER_BYTES} bytes")
    declared = _LENGTH.search(content.take(num_header_bytes))
    if declared is None:
        raise ValueError("the record's header gives no Content-Length")
    num_bytes = num_header_bytes + int(declared[1])
    if num_bytes > max_record_bytes:
        raise ValueError(
            f"the record has {num_bytes} bytes, over max_record_bytes = {max_record_bytes}"
        )
    if not content.fill(num_bytes):
        held = len(content.data) - content.at
        raise ValueError(f"the record is cut off: {held} of its {num_bytes} bytes are there")
    if not _ends_at(content, num_bytes):
        raise ValueError(f"wrong length: no record follows after Content-Length {int(declared[1])}")
    return num_bytes


def _header_bytes(content: _Content) -> int:
    """Return how many bytes the header has, blank line included; 0 if it does not end."""
    size = 2048
    while True:
        is_all = not content.fill(size)
        end = _HEADER_END.search(content.data, content.at, content.at + MAX_HEADER_BYTES)
        if end is not None:
            return end.end() - content.at
        if is_all or size >= MAX_HEADER_BYTES:
            return 0
        size *= 4


def _ends_at(content: _Content, num_bytes: int) -> bool:
    """Return whether a record of so many bytes is followed by another one or nothing."""
    for ahead in range(num_bytes, num_bytes + _OVERLAP):
        if not content.fill(ahead + 1):
            return True
        if content.data[content.at + ahead] not in _WHITE:
            content.fill(ahead + _OVERLAP)
            return _RECORD.match(content.data, content.at + ahead) is not None
    return True


def _broken(content: _Content, start: int, error: str, num_bytes: int) -> Broken:
    """Go on to the next record at least so many bytes further on; all before it is broken."""
    raw = content.take(RAW_BYTES)
    content.at += num_bytes
    while True:
        content.fill(_STEP_BYTES)
        found = _NEXT_RECORD.search(content.data, content.at - 1)
        if found is not None:
            content.at = found.start() + 1
            return Broken(start, error, raw)
        content.at = max(content.at, len(content.data) - _OVERLAP)
        if not content.fill(_OVERLAP + 1):
            break
    content.at = len(content.data)
    if content.damage is not None and not content.is_told:
        error, content.is_told = f"{error}; {content.damage}", True
    return Broken(start, error, raw)
