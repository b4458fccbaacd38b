"""Kernel: XXH64 and XXH32 of ranges of bytes, with seed 0.

From the specification (xxHash fast digest algorithm, version 0.1.1, Y. Collet): four lanes take 32
(or 16) bytes a turn, what is left is taken by 8, 4 and single bytes, and the end mixes all bits.
"""

import numpy as np

from pipelines.kernels.compiled import compiled

_P1, _P2 = np.uint64(0x9E3779B185EBCA87), np.uint64(0xC2B2AE3D27D4EB4F)
_P3, _P4 = np.uint64(0x165667B19E3779F9), np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_Q1, _Q2 = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77)
_Q3, _Q4, _Q5 = np.uint32(0xC2B2AE3D), np.uint32(0x27D4EB2F), np.uint32(0x165667B1)


@compiled
def _rotated(value: np.uint64, count: int) -> np.uint64:
    return (value << np.uint64(count)) | (value >> np.uint64(64 - count))


@compiled
def _rotated32(value: np.uint32, count: int) -> np.uint32:
    return np.uint32((value << np.uint32(count)) | (value >> np.uint32(32 - count)))


@compiled
def _read(data: np.ndarray, at: int, count: int) -> np.uint64:
    """Return ``count`` bytes as a number, the least first."""
    value = np.uint64(0)
    for byte in range(count):
        value |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
    return value


@compiled
def _round(lane: np.uint64, value: np.uint64) -> np.uint64:
    return _rotated(lane + value * _P2, 31) * _P1


@compiled
def _round32(lane: np.uint32, value: np.uint64) -> np.uint32:
    return np.uint32(_rotated32(np.uint32(lane + np.uint32(value) * _Q2), 13) * _Q1)


@compiled
def xxh64(data: np.ndarray, start: int, end: int) -> np.uint64:
    """Return XXH64 of ``data[start:end]`` (uint8)."""
    at, value = start, _P5
    if end - start >= 32:
        one, two, three, four = _P1 + _P2, _P2, np.uint64(0), np.uint64(0) - _P1
        while at + 32 <= end:
            one, two = _round(one, _read(data, at, 8)), _round(two, _read(data, at + 8, 8))
            three = _round(three, _read(data, at + 16, 8))
            four = _round(four, _read(data, at + 24, 8))
            at += 32
        value = _rotated(one, 1) + _rotated(two, 7) + _rotated(three, 12) + _rotated(four, 18)
        for lane in (one, two, three, four):
            value = (value ^ _round(np.uint64(0), lane)) * _P1 + _P4
    value += np.uint64(end - start)
    while at + 8 <= end:
        value ^= _round(np.uint64(0), _read(data, at, 8))
        value = _rotated(value, 27) * _P1 + _P4
        at += 8
    if at + 4 <= end:
        value = _rotated(value ^ (_read(data, at, 4) * _P1), 23) * _P2 + _P3
        at += 4
    while at < end:
        value = _rotated(value ^ (np.uint64(data[at]) * _P5), 11) * _P1
        at += 1
    value = (value ^ (value >> np.uint64(33))) * _P2
    value = (value ^ (value >> np.uint64(29))) * _P3
    return value ^ (value >> np.uint64(32))


@compiled
def xxh32(data: np.ndarray, start: int, end: int) -> np.uint64:
    """Return XXH32 of ``data[start:end]`` (uint8), below ``2**32``."""
    at, value = start, _Q5
    if end - start >= 16:
        one, two = np.uint32(_Q1 + _Q2), _Q2
        three, four = np.uint32(0), np.uint32(np.uint32(0) - _Q1)
        while at + 16 <= end:
            one, two = _round32(one, _read(data, at, 4)), _round32(two, _read(data, at + 4, 4))
            three = _round32(three, _read(data, at + 8, 4))
            four = _round32(four, _read(data, at + 12, 4))
            at += 16
        value = np.uint32(_rotated32(one, 1) + _rotated32(two, 7))
        value = np.uint32(value + _rotated32(three, 12) + _rotated32(four, 18))
    value = np.uint32(value + np.uint32(end - start))
    while at + 4 <= end:
        value = np.uint32(value + np.uint32(_read(data, at, 4)) * _Q3)
        value = np.uint32(_rotated32(value, 17) * _Q4)
        at += 4
    while at < end:
        value = np.uint32(value + np.uint32(data[at]) * _Q5)
        value = np.uint32(_rotated32(value, 11) * _Q1)
        at += 1
    value = np.uint32((value ^ (value >> np.uint32(15))) * _Q2)
    value = np.uint32((value ^ (value >> np.uint32(13))) * _Q3)
    return np.uint64(value ^ (value >> np.uint32(16)))
