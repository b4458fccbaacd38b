"""Kernel: the first eight bytes of SHA-1 of ranges of bytes (FIPS 180-4, section 6.1).

Not for secrets: datatrove's signatures of FineWeb are made of it.
"""

import numpy as np

from pipelines.kernels.compiled import compiled

_START = np.array(
    [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0], dtype=np.uint32
)  # H of section 5.3.1
_BLOCK = 64


@compiled
def sha1_scratch() -> tuple[np.ndarray, np.ndarray]:
    """Return the two arrays (uint32) that `sha1_64` works in."""
    return np.empty(5, dtype=np.uint32), np.empty(80, dtype=np.uint32)


@compiled
def sha1_64(
    data: np.ndarray, start: int, end: int, state: np.ndarray, schedule: np.ndarray
) -> np.uint64:
    """Return the digest's first 8 bytes of ``data[start:end]`` (uint8) as a number, least first."""
    state[:] = _START
    size = end - start
    for block in range(0, size + 9, _BLOCK):
        _fill(data, start + block, start, end, schedule)
        if block + _BLOCK >= size + 9:
            schedule[14] = np.uint32(np.uint64(size) >> np.uint64(29))
            schedule[15] = np.uint32(np.uint64(size) << np.uint64(3))
        _add_block(state, schedule)
    return np.uint64(_turned(state[0])) | np.uint64(_turned(state[1])) << np.uint64(32)


@compiled
def _turned(value: np.uint32) -> np.uint32:
    """Return a number with its four bytes in the other order."""
    low = (value & np.uint32(0xFF)) << np.uint32(24) | (value & np.uint32(0xFF00)) << np.uint32(8)
    return np.uint32(low | (value >> np.uint32(8)) & np.uint32(0xFF00) | value >> np.uint32(24))


@compiled
def _rotated(value: np.uint32, count: int) -> np.uint32:
    return np.uint32((value << np.uint32(count)) | (value >> np.uint32(32 - count)))


@compiled
def _fill(data: np.ndarray, at: int, start: int, end: int, schedule: np.ndarray) -> None:
    """Write the 16 words of a block, which ends in ``0x80`` and zeros behind the last byte."""
    for word in range(16):
        value = np.uint32(0)
        for byte in range(at + 4 * word, at + 4 * word + 4):
            read = np.uint32(data[byte]) if byte < end else np.uint32(0x80 * (byte == end))
            value = np.uint32(value << np.uint32(8) | read)
        schedule[word] = value


@compiled
def _add_block(state: np.ndarray, schedule: np.ndarray) -> None:
    for word in range(16, 80):
        mixed = schedule[word - 3] ^ schedule[word - 8] ^ schedule[word - 14] ^ schedule[word - 16]
        schedule[word] = _rotated(mixed, 1)
    a, b, c, d, e = state[0], state[1], state[2], state[3], state[4]
    for word in range(80):
        if word < 20:
            value = ((b & c) | (~b & d)) + np.uint32(0x5A827999)
        elif word < 40:
            value = (b ^ c ^ d) + np.uint32(0x6ED9EBA1)
        elif word < 60:
            value = ((b & c) | (b & d) | (c & d)) + np.uint32(0x8F1BBCDC)
        else:
            value = (b ^ c ^ d) + np.uint32(0xCA62C1D6)
        value = np.uint32(_rotated(a, 5) + np.uint32(value) + e + schedule[word])
        a, b, c, d, e = value, a, _rotated(b, 30), c, d
    state[0], state[1], state[2] = state[0] + a, state[1] + b, state[2] + c
    state[3], state[4] = state[3] + d, state[4] + e
