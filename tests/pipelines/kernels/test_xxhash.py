import random

import numpy as np
import pytest

from pipelines.kernels.xxhash import xxh32, xxh64

M32, M64 = 2**32 - 1, 2**64 - 1
P32 = [0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1]
P64 = [
    0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
]  # fmt: skip


def rotated(value, count, bits):
    return (value << count | value >> bits - count) & (2**bits - 1)


def lanes_of(data, p, width, turn, mask):
    bits = 8 * width
    lanes = [p[0] + p[1] & mask, p[1], 0, -p[0] & mask]
    for at in range(0, len(data) - 4 * width + 1, 4 * width):
        for lane in range(4):
            part = data[at + lane * width : at + (lane + 1) * width]
            value = lanes[lane] + int.from_bytes(part, "little") * p[1] & mask
            lanes[lane] = rotated(value, turn, bits) * p[0] & mask
    return lanes


def xxh32_in_python(data):
    value, rest = P32[4], data
    if len(data) >= 16:
        lanes = lanes_of(data, P32, 4, 13, M32)
        value = sum(rotated(lane, t, 32) for lane, t in zip(lanes, (1, 7, 12, 18), strict=True))
        rest = data[len(data) // 16 * 16 :]
    value = value + len(data) & M32
    while len(rest) >= 4:
        value = value + int.from_bytes(rest[:4], "little") * P32[2] & M32
        value, rest = rotated(value, 17, 32) * P32[3] & M32, rest[4:]
    for byte in rest:
        value = rotated(value + byte * P32[4] & M32, 11, 32) * P32[0] & M32
    value = (value ^ value >> 15) * P32[1] & M32
    value = (value ^ value >> 13) * P32[2] & M32
    return value ^ value >> 16


def one_round(value):
    return rotated(value * P64[1] & M64, 31, 64) * P64[0] & M64


def xxh64_in_python(data):
    value, rest = P64[4], data
    if len(data) >= 32:
        lanes = lanes_of(data, P64, 8, 31, M64)
        value = sum(rotated(lane, t, 64) for lane, t in zip(lanes, (1, 7, 12, 18), strict=True))
        for lane in lanes:
            value = ((value ^ one_round(lane)) * P64[0] + P64[3]) & M64
        rest = data[len(data) // 32 * 32 :]
    value = value + len(data) & M64
    while len(rest) >= 8:
        value ^= one_round(int.from_bytes(rest[:8], "little"))
        value, rest = (rotated(value, 27, 64) * P64[0] + P64[3]) & M64, rest[8:]
    if len(rest) >= 4:
        value ^= int.from_bytes(rest[:4], "little") * P64[0] & M64
        value, rest = (rotated(value, 23, 64) * P64[1] + P64[2]) & M64, rest[4:]
    for byte in rest:
        value = rotated(value ^ (byte * P64[4] & M64), 11, 64) * P64[0] & M64
    value = (value ^ value >> 33) * P64[1] & M64
    value = (value ^ value >> 29) * P64[2] & M64
    return value ^ value >> 32


def test_every_length():
    data = random.Random(1).randbytes(170)
    array = np.frombuffer(data, dtype=np.uint8)
    for start in (0, 3):
        for end in range(start, len(data)):
            assert int(xxh64(array, start, end)) == xxh64_in_python(data[start:end])
            assert int(xxh32(array, start, end)) == xxh32_in_python(data[start:end])


@pytest.mark.parametrize(
    ("data", "short", "long"),
    [
        (b"", 0x02CC5D05, 0xEF46DB3751D8E999),
        (b"a", 0x550D7456, 0xD24EC4F1A98C6E5B),
        (b"abc", 0x32D153FF, 0x44BC2CF5AD770999),
    ],
)
def test_known_texts(data, short, long):
    array = np.frombuffer(data, dtype=np.uint8)
    assert (int(xxh32(array, 0, len(data))), int(xxh64(array, 0, len(data)))) == (short, long)
