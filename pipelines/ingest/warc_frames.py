"""Framing of WARC: where each record begins and ends, told before anyone parses it.

A record is its header, as many bytes as the header says, and then the next record or the end. What
is not so - damage, a wrong length, a record that is cut off or has no header - is one `Broken`, and
reading goes on at the next line that begins a record (ISO 28500, section 4), be it behind part of a
line that was cut off, or at the next gzip member that begins one. So every byte of the file is in a
frame, in something broken, or white space.
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
# After damage: a line, or where a record was cut within a line, the first one of the next.
_NEXT_RECORD = re.compile(rb"WARC/(?:(?<=\nWARC/)|(?=[^\n]*\nWARC-))[0-9]\.[0-9]+[ \t]*\r?\n")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"(?im)^Content-Length[ \t]*:[ \t]*([0-9]{1,18})[ \t]*\r?$")
_USUAL_STARTS, _USUAL_LENGTH = (b"WARC/1.0\r\n", b"WARC/1.1\r\n"), b"\r\nContent-Length: "
_LENGTH_NAME, _TYPE_NAME = b"content-length", b"\nwarc-type"
_MAX_LENGTH_DIGITS = 18
_BLANK = b"\r\n\r\n"
_NEXT = _BLANK + BEGINS
_WHITE = b"\r\n"
_NOT_WHITE = re.compile(rb"[^\r\n]")
_OVERLAP = 64  # of searched bytes that are kept: the start of a record's first line may be there
_STEP_BYTES = 1 << 20


@dataclass(slots=True)
class Frame:
    """A whole record: its bytes, of which the first ``num_header_bytes`` are the WARC header.

    ``offset`` is where it begins in the file; in a gzip file, where its member does. A view holds
    more of the file in memory than the record: copy what is to be kept.
    """

    offset: int
    data: bytes | memoryview
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
    while True:
        while (frame := content.take_member(max_record_bytes)) is not None:
            yield frame
        if not content.next_section():
            return
        yield from _frame_section(content, max_record_bytes)


class _Content:
    """Content in sections, which end at damage and where a gzip member begins a record.

    ``data[at:]`` lies ahead. ``damage`` is what ends the section, once it is reached.
    """

    def __init__(self, events: Iterator[Piece | Damage]) -> None:
        self._events = events
        self._ahead: Piece | Damage | None = None
        self._held = self._next()
        self._begin()

    def _next(self) -> Piece | Damage | None:
        ahead, self._ahead = self._ahead, None
        return ahead or next(self._events, None)

    def _begin(self) -> None:
        self.data, self.at = b"", 0
        self.damage: Damage | None = None
        self.is_told = False  # the damage is part of an error already
        self._places: list[tuple[int, Piece]] = []  # where in `data` pieces begin

    def take_member(self, max_record_bytes: int) -> Frame | None:
        """Take the next section if it is one gzip member that is one record, as most are."""
        held = self._held
        if not isinstance(held, Piece) or not held.begins_member:
            return None
        data = held.data
        header = _usual_header(data, 0)
        if header is None or not data.endswith(_BLANK):
            return None
        num_bytes = sum(header)
        if num_bytes + len(_BLANK) != len(data) or num_bytes > max_record_bytes:
            return None
        self._ahead = self._next()
        if isinstance(self._ahead, Damage) or not _is_start(self._ahead):
            return None
        self._held, self._ahead = self._ahead, None
        return Frame(held.offset, memoryview(data)[:num_bytes], header[0])

    def next_section(self) -> bool:
        """Go to the next section; False at the end of the file."""
        self._begin()
        if isinstance(self._held, Piece):
            self._append([self._held])
            self._held = self._next()
            return True
        self.damage, self._held = self._held, self._next()
        return self.damage is not None

    def fill(self, num_bytes: int) -> bool:
        """Have so many bytes ahead, if the section has them."""
        num_missing = num_bytes - (len(self.data) - self.at)
        pieces: list[Piece] = []
        while num_missing > 0 and self.damage is None:
            held = self._held
            if isinstance(held, Damage):
                self.damage, self._held = held, self._next()
            elif held is None or _is_start(held):
                break
            else:
                pieces.append(held)
                num_missing -= len(held.data)
                self._held = self._next()
        if pieces:
            self._append(pieces)
        return num_missing <= 0

    def take(self, num_bytes: int) -> bytes:
        """Return the bytes ahead, at most so many, and stay there."""
        return self.data[self.at : self.at + num_bytes]

    def offset(self) -> int:
        """Return where in the file the next byte stands, or where its gzip member begins."""
        offset, is_plain = self.place()
        return offset + self.at if is_plain else offset

    def place(self) -> tuple[int, bool]:
        """Return the offset in the file of what `at` 0 is, or that of the gzip member of `at`."""
        index, piece = next(place for place in reversed(self._places) if place[0] <= self.at)
        return (piece.offset, False) if piece.begins_member else (piece.offset - index, True)

    def is_damaged_until(self, index: int) -> bool:
        """Return whether the section ends at ``index`` with damage in the very last member."""
        if self.damage is None or len(self.data) - index > _OVERLAP:
            return False
        rest = self.data[index:].strip(_WHITE)
        return not rest and self._places[-1][1].offset == self.damage.start

    def is_in_one_piece(self) -> bool:
        """Return whether all that is held has one place in the file."""
        return len(self._places) == 1

    def is_followed(self) -> bool:
        """Return whether what is held is all of the section, and no damage follows."""
        return self.damage is None and not isinstance(self._held, Damage) and _is_start(self._held)

    def _append(self, pieces: list[Piece]) -> None:
        """Put pieces behind what lies ahead; what was framed is left out, but for its last byte."""
        self._forget(max(0, self.at - 1))
        num_bytes = len(self.data)
        for piece in pieces:
            if piece.begins_member or not self._places:
                self._places.append((num_bytes, Piece(b"", piece.offset, piece.begins_member)))
            num_bytes += len(piece.data)
        self.data = b"".join([self.data, *(piece.data for piece in pieces)])

    def _forget(self, num_bytes: int) -> None:
        self.data = self.data[num_bytes:]
        self.at -= num_bytes
        places = [(index - num_bytes, piece) for index, piece in self._places]
        num_passed = sum(index <= self.at for index, _ in places)
        self._places = places[max(0, num_passed - 1) :]


def _usual_header(data: bytes, at: int) -> tuple[int, int] | None:
    """Return the bytes of a header and of the content it declares, None if it is not as most are.

    Most name Content-Length once, in a line between CR LF and CR LF, have no blank line of LF, and
    none that could begin a record.
    """
    end = data.find(_BLANK, at, at + MAX_HEADER_BYTES)
    header = data[at : end + 2]
    if end < 0 or not header.startswith(_USUAL_STARTS) or header.find(BEGINS, 1) > 0:
        return None
    if b"\n\n" in header or b"\n\r\n" in header or header.lower().count(_LENGTH_NAME) != 1:
        return None
    start = header.find(_USUAL_LENGTH) + len(_USUAL_LENGTH)
    digits = header[start : header.find(b"\r\n", start)]
    if start < len(_USUAL_LENGTH) or not digits.isdigit() or len(digits) > _MAX_LENGTH_DIGITS:
        return None
    return end + len(_BLANK) - at, int(digits)


def _is_start(piece: Piece | None) -> bool:
    """Return whether a section starts with a piece, or the file ends."""
    return piece is None or (piece.begins_member and piece.data.startswith(BEGINS))


def _frame_section(content: _Content, max_record_bytes: int) -> Iterator[Frame | Broken]:
    while _skip_white(content):
        if content.is_in_one_piece():
            yield from _whole_frames(content, max_record_bytes)
        if content.at < len(content.data):
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


def _whole_frames(content: _Content, max_record_bytes: int) -> list[Frame]:
    """Take the records that stand whole in what is held, as nearly all do; leave any other."""
    frames: list[Frame] = []
    data, at, size = content.data, content.at, len(content.data)
    offset, is_plain = content.place()
    view = memoryview(data)
    while header := _usual_header(data, at):
        end = at + sum(header)
        next_at = end + len(_BLANK)
        if not data.startswith(_NEXT, end) and not (
            next_at == size and data.endswith(_BLANK) and content.is_followed()
        ):
            break
        if end - at > max_record_bytes:
            break
        place = offset + at if is_plain else offset
        frames.append(Frame(place, view[at:end], header[0]))
        at = next_at
    content.at = at
    return frames


def _frame_record(content: _Content, max_record_bytes: int) -> Frame | Broken:
    """Take the record that begins here, or all up to where the next one begins."""
    start = content.offset()
    num_header_bytes = _header_bytes(content)
    if num_cut := _cut_at(content.take(num_header_bytes)):
        raw = content.take(min(num_cut, RAW_BYTES))
        content.at += num_cut
        return Broken(start, "the record is cut off within its header; another one follows", raw)
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


def _cut_at(header: bytes) -> int:
    """Return where within a header another record begins, one that names its type; 0 if none."""
    found = _RECORD.search(header, 1)
    if found is None or found.end() > header.lower().rfind(_TYPE_NAME) + 1:
        return 0
    return found.start()


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
        found = _NEXT_RECORD.search(content.data, content.at)
        if found is not None:
            content.at = found.start()
            return Broken(start, error, raw)
        content.at = max(content.at, len(content.data) - _OVERLAP)
        if not content.fill(_OVERLAP + 1):
            break
    content.at = len(content.data)
    if content.damage is not None and not content.is_told:
        error, content.is_told = f"{error}; {content.damage}", True
    return Broken(start, error, raw)
