"""Streams of bytes between layers: blocks that are made on the way become something to read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, BinaryIO, cast

from pipelines.ingest.compressed import Readable
from pipelines.ingest.opening import BLOCK_BYTES


class BlockStream(io.RawIOBase):
    """A forward-only binary file over blocks; what breaks them is raised where they break.

    A read may give less than was asked for; empty means the end. ``scratch`` is the folder for
    copies of it, the system's own if None.
    """

    def __init__(self, blocks: Iterator[bytes], scratch: Path | None = None) -> None:
        self._blocks, self._held, self._at = blocks, b"", 0
        self.scratch = scratch

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes, at most ``size`` of them, all that is left if it is negative."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(BLOCK_BYTES), b""))
        while self._at >= len(self._held):
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._held, self._at = block, 0
        data = self._held[self._at : self._at + size]
        self._at += len(data)
        return data

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fill a buffer with the next bytes and return how many there were."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def as_stream(blocks: Iterator[bytes], scratch: Path | None = None) -> BinaryIO:
    """Return blocks as a binary file to read forwards, with a folder for copies of it."""
    return cast(BinaryIO, BlockStream(blocks, scratch))


def scratch_of(stream: BinaryIO) -> Path | None:
    """Return the folder for copies of a stream, None for the system's own."""
    return getattr(stream, "scratch", None)


def blocks_of(stream: Readable) -> Iterator[bytes]:
    """Yield what is left of a stream in blocks of at most `BLOCK_BYTES`."""
    while block := stream.read(BLOCK_BYTES):
        yield block


def spool(stream: BinaryIO) -> IO[bytes]:
    """Copy a stream to an unnamed temporary file, for formats that need to seek.

    Raises what breaks the stream.
    """
    file = TemporaryFile(dir=scratch_of(stream))  # noqa: SIM115 - it is given back
    try:
        for block in blocks_of(stream):
            file.write(block)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file
