"""Compressed streams: what they hold, as far as it can be had, and where they break."""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import zstandard

from pipelines.ingest.inflate import InflateError, inflater

_PIECE_BYTES = 2048  # of compressed input at a time: bounds both a bomb and what damage can hide
_STEP_BYTES = 64  # of gzip: after damage, its engine goes back and takes so many at a time
_BLOCK_BYTES = 512 << 10  # read, and yielded, at a time
_FREE_BYTES = 64 << 20  # so much may come of anything before its ratio is looked at
_XZ_MEMORY_BYTES = 256 << 20

ENGINES: dict[str, Callable[[], Any]] = {
    ".gz": inflater,
    ".zst": lambda: zstandard.ZstdDecompressor().decompressobj(),
    ".bz2": bz2.BZ2Decompressor,
    ".xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES),
}
_DAMAGE = (InflateError, zstandard.ZstdError, lzma.LZMAError, OSError, EOFError)  # bz2's: OSError


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
    output of the last 2 KiB of input (gzip: 64 bytes). Zero bytes after a member are padding, as
    gzip(1) has it. A block is of 512 KiB or more but for the last, and at most 64 MiB longer (gzip:
    512 KiB), if what it was made of is hostile.
    """
    held: list[bytes] = []
    num_held = 0
    inflate = _inflated if suffix == ".gz" else _small_blocks
    try:
        for block in inflate(source, suffix, limits):
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
    for piece in _pieces(source):
        num_in += len(piece)
        if engine is None:
            piece = piece.lstrip(b"\0")
        while piece:
            engine = engine or ENGINES[suffix]()
            try:
                block = engine.decompress(piece)
            except _DAMAGE as error:
                raise _damaged(num_in, error) from None
            num_out += len(block)
            yield block
            limits.check(num_out, num_in)
            if not engine.eof:
                break
            piece, engine = engine.unused_data.lstrip(b"\0"), None
    if engine is not None:
        raise _cut_off(num_in)


def _inflated(source: Readable, suffix: str, limits: Limits) -> Iterator[bytes]:
    """Yield the content of gzip data in blocks of at most `_BLOCK_BYTES`."""
    engine, num_in, num_out, is_full = ENGINES[suffix](), 0, 0, False
    while piece := source.read(_BLOCK_BYTES):
        num_in += len(piece)
        if engine is None:
            piece = piece.lstrip(b"\0")
        while piece or is_full:  # a full block may have left some of its content in the engine
            engine = engine or ENGINES[suffix]()
            spare = engine.copy()
            try:
                block = engine.decompress(piece, _BLOCK_BYTES)
            except InflateError as error:
                kept, num_taken = _before_damage(spare, piece)
                yield kept
                raise _damaged(num_in - len(piece) + num_taken, error) from None
            piece = engine.unused_data or engine.unconsumed_tail
            num_out += len(block)
            yield block
            limits.check(num_out, num_in - len(piece))
            is_full = len(block) == _BLOCK_BYTES and not engine.eof
            if engine.eof:
                piece, engine = piece.lstrip(b"\0"), None
    if engine is not None:
        raise _cut_off(num_in)


def _damaged(num_in: int, error: Exception) -> BrokenStream:
    if "requires too much memory" in str(error):
        return BrokenStream(
            "the frame of Zstandard needs a window of over 128 MiB; compress the file again with "
            "`zstd --long=27` or less"
        )
    return BrokenStream(f"damaged before byte {num_in} of the compressed file ({error})")


def _cut_off(num_in: int) -> BrokenStream:
    return BrokenStream(f"cut off at byte {num_in} of the compressed file")


def _before_damage(engine: Any, piece: bytes) -> tuple[bytes, int]:
    """Return what a damaged piece holds before the damage, and how many of its bytes were taken."""
    blocks: list[bytes] = []
    for start in range(0, len(piece), _STEP_BYTES):
        try:
            blocks.append(engine.decompress(piece[start : start + _STEP_BYTES]))
        except InflateError:
            return b"".join(blocks), min(start + _STEP_BYTES, len(piece))
    return b"".join(blocks), len(piece)


def _pieces(source: Readable) -> Iterator[bytes]:
    while block := source.read(_BLOCK_BYTES):
        for start in range(0, len(block), _PIECE_BYTES):
            yield block[start : start + _PIECE_BYTES]
