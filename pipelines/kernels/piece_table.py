"""Kernel: the pieces of a vocabulary, found by their bytes."""

import secrets
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pipelines.kernels.chunks import mix
from pipelines.kernels.compiled import compiled

NONE = -1
_ONE = np.uint64(1)


class PieceTable(NamedTuple):
    """An open-addressed table: ``ids`` int32, -1 where free, and the ``hashes`` of their pieces.

    Piece ``id`` is ``data[starts[id]:ends[id]]``, int64; none is longer than ``most_bytes``.
    ``seed`` decides where pieces lie, and never what is found.
    """

    hashes: np.ndarray
    ids: np.ndarray
    data: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    most_bytes: int
    seed: np.uint64


def piece_table(pieces: Mapping[int, str], vocab_size: int) -> PieceTable:
    """Return the table of some ids' pieces, as they stand in UTF-8."""
    encoded = {number: piece.encode() for number, piece in pieces.items()}
    starts, ends = np.zeros(vocab_size, np.int64), np.zeros(vocab_size, np.int64)
    at = 0
    for number, piece in encoded.items():
        starts[number], ends[number] = at, at + len(piece)
        at += len(piece)
    num_slots = 1 << max(int(4 * len(encoded)).bit_length(), 4)
    table = PieceTable(
        np.zeros(num_slots, np.uint64),
        np.full(num_slots, NONE, np.int32),
        np.frombuffer(b"".join(encoded.values()) or b"\0", np.uint8).copy(),
        starts,
        ends,
        max(map(len, encoded.values()), default=0),
        np.uint64(secrets.randbits(64) | 1),
    )
    _fill(np.array(list(encoded), np.int64), *table)
    return table


@compiled
def next_hash(value: np.uint64, byte: int, seed: np.uint64) -> np.uint64:
    """Return the hash of one more byte; that of none is ``seed``."""
    return mix(value ^ np.uint64(byte), seed)


@compiled
def find_piece(
    value: np.uint64,
    text: np.ndarray,
    start: int,
    end: int,
    hashes: np.ndarray,
    ids: np.ndarray,
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
) -> int:
    """Return the id of the piece ``text[start:end]``, whose hash is given, or -1."""
    mask = np.uint64(hashes.size - 1)
    slot = value & mask
    while ids[slot] != NONE:
        number = ids[slot]
        if hashes[slot] == value and ends[number] - starts[number] == end - start:
            at = 0
            while at < end - start and data[starts[number] + at] == text[start + at]:
                at += 1
            if at == end - start:
                return int(number)
        slot = (slot + _ONE) & mask
    return NONE


@compiled
def _fill(
    numbers: np.ndarray,
    hashes: np.ndarray,
    ids: np.ndarray,
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    most_bytes: int,
    seed: np.uint64,
) -> None:
    mask = np.uint64(hashes.size - 1)
    for number in numbers:
        value = seed
        for at in range(starts[number], ends[number]):
            value = next_hash(value, data[at], seed)
        slot = value & mask
        while ids[slot] != NONE:
            slot = (slot + _ONE) & mask
        hashes[slot], ids[slot] = value, number
