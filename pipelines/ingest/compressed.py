"""Compressed streams: what they hold, as far as it can be had, and where they break."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import zstandard

_PIECE_BYTES = 2048  # of compressed input at a time: bounds both a bomb and what damage can hide
_BLOCK_BYTES = 256 << 10
_FREE_BYTES = 64 << 20  # so much may come of anything before its ratio is looked at
_XZ_MEMORY_BYTES = 256 << 20

ENGINES: dict[str, Callable[[], Any]] = {
    ".gz": lambda: zlib.decompressobj(wbits=31),
    ".zst": lambda: zstandard.ZstdDecompressor().decompressobj(),
    ".bz2": bz2.BZ2Decompressor,
    ".xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES),
}
_DAMAGE = (zlib.error, zstandard.ZstdError, lzma.LZMAError, OSError, EOFError)  # bz2's is OSError


class BrokenStream(Exception):
    """Data that is cut off, damaged or unpacks to too much; the message says where in the file."""


class Readable(Protocol):
    """Anything with ``read``."""

    def read(self, max_bytes: int, /) -> bytes:
        """Return the next bytes, at most so many; empty at the end."""


@dataclass(frozen=True)
class Limits:
    """How much one packed file may unpack to: ``max_bytes``, and ``max_ratio`` times its own size.

    The ratio counts from 64 MiB on, since a small file of zeros is no danger.
    """

    max_bytes: int
    max_ratio: int

    def check(self, num_out: int, num_in: int) -> None:
        """Raise `BrokenStream` if too much came out of ``num_in`` packed bytes."""
        if num_out > self.max_bytes:
            limit = f"max_unpacked_bytes = {self.max_bytes}"
            raise BrokenStream(f"unpacks to over {limit}; not read on")
        if num_out > _FREE_BYTES and num_out > num_in * self.max_ratio:
            raise BrokenStream(
                f"unpacks to over max_unpack_ratio = {self.max_ratio} times its size; not read on"
            )


UNLIMITED = Limits(1 << 62, 1 << 62)


def decompress(source: Readable, suffix: str, limits: Limits = UNLIMITED) -> Iterator[bytes]:
    """Yield the content of a stream of one of `ENGINES`: all members or frames, one after another.

    Everything that could be decoded is yielded before `BrokenStream` is raised, except for the
    output of the last 2 KiB of input. Zero bytes after a member are padding, as gzip(1) has it.
    A block is of 256 KiB or more but for the last, and at most 2 MiB (gzip) or 64 MiB (a hostile
    frame of another kind) longer.
    """
    held: list[bytes] = []
    num_held = 0
    try:
        for block in _small_blocks(source, suffix, limits):
            held.append(block)
            num_held += len(block)
            if num_held >= _BLOCK_BYTES:
                yield b"".join(held)
                held, num_held = [], 0
    except BrokenStream:
        if held:
            yield b"".join(held)
        raise
    if held:
        yield b"".join(held)


def _small_blocks(source: Readable, suffix: str, limits: Limits) -> Iterator[bytes]:
    engine, num_in, num_out = ENGINES[suffix](), 0, 0
    while piece := source.read(_PIECE_BYTES):
        num_in += len(piece)
        if engine is None:
            piece = piece.lstrip(b"\0")
        while piece:
            engine = engine or ENGINES[suffix]()
            try:
                block = engine.decompress(piece)
            except _DAMAGE as error:
                message = f"damaged before byte {num_in} of the compressed file ({error})"
                raise BrokenStream(message) from None
            num_out += len(block)
            yield block
            limits.check(num_out, num_in)
            if not engine.eof:
                break
            piece, engine = engine.unused_data.lstrip(b"\0"), None
    if engine is not None:
        raise BrokenStream(f"cut off at byte {num_in} of the compressed file")
