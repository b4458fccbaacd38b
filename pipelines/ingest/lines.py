"""Framing: a stream of bytes becomes records, and records are counted before anyone parses them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipelines.ingest.rows import RAW_BYTES

_BLANK = re.compile(rb"\n[^\S\n]*(?=\n|\Z)")  # a line that is blank, after the end of one


class LineCount:
    """Counts the lines that hold more than white space, from the bytes alone.

    White space is ASCII's. ``num_lines`` includes a line that has begun and has not ended.
    """

    def __init__(self) -> None:
        self.num_lines = 0
        self.is_inside = False  # the last line so far holds something and has not ended

    def watch(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the blocks as they are and count the lines in them."""
        for block in blocks:
            self._add(block)
            yield block

    def _add(self, block: bytes) -> None:
        start = 0
        if self.is_inside:
            start = block.find(b"\n") + 1
            if not start:
                return
        end = block.find(b"\n", start)
        first = block[start : end if end >= 0 else None]
        num_blank = sum(1 for _ in _BLANK.finditer(block, start)) + (not first or first.isspace())
        self.num_lines += block.count(b"\n", start) + 1 - num_blank
        last = block[max(start, block.rfind(b"\n") + 1) :]
        self.is_inside = bool(last) and not last.isspace()


@dataclass(slots=True)
class Line:
    """A line without its line end; ``data`` is cut to its first bytes if the line is too long.

    ``ordinal`` counts all lines from 1, blank ones too; ``offset`` is in bytes of the stream.
    """

    ordinal: int
    offset: int
    data: bytes
    num_bytes: int
    is_blank: bool

    @property
    def is_cut(self) -> bool:
        """True if the line is longer than what was kept of it."""
        return self.num_bytes > len(self.data)


@dataclass(slots=True)
class Stretch:
    """Lines in one piece, each with its line end.

    ``ordinal`` and ``offset`` are those of the first, as a `Line` has them.
    """

    ordinal: int
    offset: int
    data: bytes
    num_lines: int


class LineFramer:
    """Cuts blocks into lines, holding no more of a line than ``max_bytes``."""

    def __init__(self, max_bytes: int, offset: int = 0) -> None:
        self._max_bytes, self._cut_bytes = max_bytes, min(max_bytes, RAW_BYTES)
        self.offset, self._ordinal = offset, 1
        self._held: list[bytes] = []
        self._num_bytes, self._is_blank = 0, True

    def lines(self, blocks: Iterable[bytes]) -> Iterator[Line]:
        """Yield each line that has ended; `rest` gives what stands after the last line end."""
        for piece in self.pieces(blocks):
            if isinstance(piece, Line):
                yield piece
            else:
                yield from self.lines_of(piece)

    def pieces(self, blocks: Iterable[bytes]) -> Iterator[Line | Stretch]:
        """Yield what `lines` does, but all lines that end in one block in one piece.

        The first of them is a piece by itself if it is longer than what is held of it.
        """
        for block in blocks:
            first, last = block.find(b"\n"), block.rfind(b"\n")
            if first < 0:
                self._hold(block)
                continue
            start = 0
            if self._num_bytes + first > self._max_bytes:
                self._hold(block[:first])
                yield self._take(1)
                start = first + 1
            if start <= last:
                yield self._stretch(memoryview(block)[start : last + 1])
            self._hold(block[last + 1 :])

    def _stretch(self, lines: memoryview) -> Stretch:
        """Take lines, the first of which began with what is held."""
        data = b"".join([*self._held, lines])
        stretch = Stretch(self._ordinal, self.offset, data, data.count(b"\n"))
        self._held, self._num_bytes, self._is_blank = [], 0, True
        self._ordinal += stretch.num_lines
        self.offset += len(data)
        return stretch

    def lines_of(self, stretch: Stretch) -> Iterator[Line]:
        """Yield the lines of a stretch."""
        ordinal, offset = stretch.ordinal, stretch.offset
        for number, data in enumerate(stretch.data[:-1].split(b"\n")):
            yield self.line(ordinal + number, offset, data)
            offset += len(data) + 1

    def line(self, ordinal: int, offset: int, data: bytes) -> Line:
        """Return a line of bytes that stand in one block, without its end."""
        kept = data if len(data) <= self._max_bytes else data[: self._cut_bytes]
        return Line(ordinal, offset, kept, len(data), not data or data.isspace())

    def rest(self) -> Line | None:
        """Return the line that has begun and not ended, if there is one."""
        return self._take(0) if self._num_bytes else None

    def _hold(self, data: bytes) -> None:
        self._num_bytes += len(data)
        self._is_blank = self._is_blank and (not data or data.isspace())
        if self._num_bytes <= self._max_bytes:
            self._held.append(data)
        else:
            first = (part[: self._cut_bytes] for part in (*self._held, data))
            self._held = [b"".join(first)[: self._cut_bytes]]

    def _take(self, num_line_ends: int) -> Line:
        num_bytes, is_blank, data = self._num_bytes, self._is_blank, b"".join(self._held)
        self._held, self._num_bytes, self._is_blank = [], 0, True
        line = Line(self._ordinal, self.offset, data, num_bytes, is_blank)
        self._ordinal += 1
        self.offset += num_bytes + num_line_ends
        return line
