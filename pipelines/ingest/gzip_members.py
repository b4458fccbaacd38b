"""A gzip file of many members, such as WARC has one for each record: read on after a damaged one.

What is lost is said (from which byte of the file to which). After damage, reading goes on at the
next member whose content begins as it should; the bytes that are searched for it are bounded.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pipelines.ingest.inflate import InflateError, inflater

MAGIC = b"\x1f\x8b\x08"

_BLOCK_BYTES = 1 << 20
_PLAIN_BYTES = 256 << 10
_FIRST_BYTES = 32 << 10  # of a member: most members of an archive are no larger
_MAX_PIECE_BYTES = 1 << 20
_KEPT_BYTES = 1 << 20  # of the file, before the place where damage is found
_PROBE_BYTES = 4096


@dataclass(slots=True)
class Piece:
    """Content, about 1 MiB of it at most.

    ``offset`` is where in the file its member begins; where it itself does, in a plain file.
    """

    data: bytes
    offset: int
    begins_member: bool


@dataclass(slots=True)
class Damage:
    """Bytes of the file, ``start`` to ``end``, that could not be read, and why."""

    start: int
    end: int
    error: str

    def __str__(self) -> str:
        return f"{self.error}; bytes {self.start} to {self.end} of the file are lost"


class _Window:
    """The bytes of a stream around the place that is being read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.data, self.start = b"", 0  # start: offset of data[0] in the file
        self.at = 0  # index in data of what is read next

    @property
    def offset(self) -> int:
        return self.start + self.at

    def fill(self, num_bytes: int = 1) -> bool:
        """Have so many bytes ahead, if the stream has them."""
        while len(self.data) - self.at < num_bytes:
            block = self._stream.read(_BLOCK_BYTES)
            if not block:
                return False
            drop = max(0, self.at - _KEPT_BYTES)
            self.data = self.data[drop:] + block
            self.start += drop
            self.at -= drop
        return True

    def seek_next_member(self, start: int, begins: bytes) -> None:
        """Go to the next member after the offset ``start`` that begins right, or to the end."""
        self.at = max(start - self.start, 0)
        while True:
            self.fill(_PROBE_BYTES)
            found = self.data.find(MAGIC, self.at)
            if found < 0:
                self.at = max(self.at, len(self.data) - len(MAGIC) + 1)
                if not self.fill(len(MAGIC)):
                    self.at = len(self.data)
                    return
            else:
                self.at = found
                self.fill(_PROBE_BYTES)
                if _begins(self.data[self.at : self.at + _PROBE_BYTES], begins):
                    return
                self.at += 1


def _begins(data: bytes, begins: bytes) -> bool:
    try:
        return inflater().decompress(data, 256).startswith(begins)
    except InflateError:
        return False


def read_pieces(stream: BinaryIO, is_gzip: bool, begins: bytes = b"") -> Iterator[Piece | Damage]:
    """Yield the content of a file, piece by piece, and what of it cannot be read.

    A file that begins as gzip does is one; ``is_gzip`` says that its name promises it. ``begins``
    is what content begins with, be it of a plain file or of the member where reading goes on after
    damage. What could be read of a damaged member comes before its `Damage`. Zero bytes after a
    member are padding.
    """
    window = _Window(stream)
    window.fill(max(len(MAGIC), len(begins)))
    is_plain = begins and window.data.startswith(begins)
    if window.data.startswith(MAGIC) or (is_gzip and not is_plain):
        yield from _read_members(window, begins)
        return
    block, offset = window.data, 0
    while block:
        yield Piece(block, offset, begins_member=False)
        offset += len(block)
        block = stream.read(_PLAIN_BYTES)


def _read_members(window: _Window, begins: bytes) -> Iterator[Piece | Damage]:
    while window.fill():
        member = window.offset
        if window.data[window.at] == 0:
            window.at += _num_zeros(window)
            continue
        error = yield from _read_member(window, member)
        if error is not None:
            window.seek_next_member(member + 1, begins)
            yield Damage(member, window.offset, error)


def _num_zeros(window: _Window) -> int:
    ahead = window.data[window.at :]
    return len(ahead) - len(ahead.lstrip(b"\0"))


def _read_member(window: _Window, member: int) -> Generator[Piece, None, str | None]:
    """Yield the content of a member and return None, or what is wrong with it."""
    engine = inflater()
    begins, num_ahead = True, _FIRST_BYTES
    while not engine.eof:
        if not window.fill():
            return "gzip member cut off"
        ahead = window.data[window.at : window.at + num_ahead]
        try:
            data = engine.decompress(ahead, _MAX_PIECE_BYTES)
        except InflateError as error:
            return f"gzip member damaged ({error})"
        window.at += len(ahead) - len(engine.unconsumed_tail) - len(engine.unused_data)
        if data:
            yield Piece(data, member, begins)
            begins, num_ahead = False, 2 * _FIRST_BYTES
    return None
