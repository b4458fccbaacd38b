"""Kernel: how many bytes a text takes in the LZ4 block format, by an encoder of our own.

The size is defined by this file alone: general libraries change theirs from version to version, and
zlib-ng's differ from zlib's. The encoder is greedy. Going through the bytes, it looks up the last
place whose four bytes have the same hash of 14 bits; if the same four bytes stand there, at most
65,535 back, it takes the longest match and goes on behind it. The format's rules hold: a match has
at least four bytes, none begins in the last twelve bytes, and the last five are literals. Nothing
is written, only counted. Source: LZ4 block format description, ``doc/lz4_Block_format.md``.
"""

import numpy as np

from pipelines.kernels.buffers import TextBuffers
from pipelines.kernels.compiled import compiled

HASH_BITS = 14
_HASH_FACTOR = 2654435761  # Knuth's, as in LZ4; the product is taken modulo 2**32
_FARTHEST = 65_535
_LEAST_MATCH = 4
_LAST_LITERALS, _NO_MATCH_FROM_END = 5, 12


def compressed_sizes(texts: TextBuffers) -> np.ndarray:
    """Return the bytes of each text's block, int64; of an empty text it is one byte."""
    sizes = np.empty(texts.num_texts, dtype=np.int64)
    _measure_all(*texts, sizes)
    return sizes


@compiled
def _measure_all(offsets: np.ndarray, data: np.ndarray, sizes: np.ndarray) -> None:
    table = np.full(1 << HASH_BITS, -1, dtype=np.int64)  # what stands before a text is no place
    for row in range(offsets.size - 1):
        sizes[row] = _measure_text(data, offsets[row], offsets[row + 1], table)


@compiled
def _measure_text(data: np.ndarray, start: int, end: int, table: np.ndarray) -> int:
    size = 0
    at = literals = start  # literals: where those that no match has taken begin
    while at < end - _NO_MATCH_FROM_END:
        slot = _slot(int(data[at]), int(data[at + 1]), int(data[at + 2]), int(data[at + 3]))
        before = table[slot]
        table[slot] = at
        length = 0
        if before >= start and at - before <= _FARTHEST:
            while at + length < end - _LAST_LITERALS and data[before + length] == data[at + length]:
                length += 1
        if length < _LEAST_MATCH:
            at += 1
            continue
        size += 1 + _more(at - literals, 15) + (at - literals) + 2 + _more(length, 19)
        at += length
        literals = at
    return size + 1 + _more(end - literals, 15) + (end - literals)


@compiled
def _slot(first: int, second: int, third: int, fourth: int) -> np.int64:
    """Return the hash of four bytes."""
    four = np.uint64(first | second << 8 | third << 16 | fourth << 24)
    product = (four * np.uint64(_HASH_FACTOR)) & np.uint64(0xFFFFFFFF)
    return np.int64(product >> np.uint64(32 - HASH_BITS))


@compiled
def _more(length: int, from_length: int) -> int:
    """Return how many bytes a length needs beside its half of the token."""
    return 0 if length < from_length else (length - from_length) // 255 + 1
