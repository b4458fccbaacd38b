"""Kernel: texts cut into chunks, wherever no piece of a vocabulary can lie across.

A chunk's key is 64 bits. That of a chunk of up to 7 bytes is these bytes and their number, so that
equal keys are equal chunks; that of a longer one is a hash. No key is 0, and none of a short chunk
is one of a long.

Numbers are unsigned, since numba asks of every other index whether it counts from the end.
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.joined_pairs import SHOWN_SPACE, SPACE, pair_slot

END_OF_TEXT = np.uint64(0)  # stands among keys where a text ends
FIRST_LONG_KEY = np.uint64(0xFF) << np.uint64(56)  # keys from it on are hashes

_MOST_IN_KEY = np.uint64(7)
_NONE, _ONE, _TWO, _THREE, _FOUR = (
    np.uint64(0),
    np.uint64(1),
    np.uint64(2),
    np.uint64(3),
    np.uint64(4),
)
_SIX, _SEVEN, _BYTE, _TWELVE = np.uint64(6), np.uint64(7), np.uint64(8), np.uint64(12)
_EIGHTEEN, _HALF, _TOP = np.uint64(18), np.uint64(32), np.uint64(56)
_NON_ASCII, _LEAD_OF_THREE, _LEAD_OF_FOUR = np.uint64(0x80), np.uint64(0xE0), np.uint64(0xF0)
_LOW_3, _LOW_4, _LOW_5, _LOW_6 = np.uint64(7), np.uint64(0xF), np.uint64(0x1F), np.uint64(0x3F)
_SPACE, _SHOWN_SPACE = np.uint64(SPACE), np.uint64(SHOWN_SPACE)


class Chunks(NamedTuple):
    """Room for chunks one after the other: where each ends, int64, and its key, uint64."""

    ends: np.ndarray
    keys: np.ndarray


def room_for_chunks(num_chunks: int) -> Chunks:
    """Return room for up to so many chunks and ends of texts."""
    return Chunks(np.empty(num_chunks, np.int64), np.empty(num_chunks, np.uint64))


@compiled
def cut_chunks(
    offsets: np.ndarray,
    data: np.ndarray,
    row: int,
    begin: int,
    joined_ascii: np.ndarray,
    joined_others: np.ndarray,
    shift: np.uint64,
    seed: np.uint64,
    ends: np.ndarray,
    keys: np.ndarray,
) -> tuple[int, np.int64, np.int64]:
    """Cut texts, which are valid UTF-8, from byte ``begin`` of text ``row`` until the room is full.

    Returns the row and byte that it came to, and how many chunks and ends of texts it wrote.
    ``joined_ascii`` and ``joined_others`` are `pipelines.kernels.joined_pairs.JoinedPairs`.
    """
    at, num_cut = np.uint64(begin), np.int64(0)
    while row < offsets.size - 1 and num_cut + 2 < ends.size:
        end, start = np.uint64(offsets[row + 1]), at
        word, former = _NONE, _NON_ASCII
        while at < end and num_cut + 2 < ends.size:
            code = np.uint64(data[at])
            if former | code < _NON_ASCII:
                stop = min(end, at + np.uint64(ends.size - 2 - num_cut))
                while at < stop and code < _NON_ASCII:  # written without a branch on what it finds
                    joined = np.uint64(joined_ascii[former << _SEVEN | code])
                    ends[num_cut], keys[num_cut] = at, word | (at - start) << _TOP
                    num_cut += np.int64(_ONE - joined)
                    kept = _NONE - joined  # all ones if they are joined
                    word = (word & kept) << _BYTE | code
                    start = at - (at - start & kept)
                    former = code
                    at += _ONE
                    code = np.uint64(data[min(at, end - _ONE)])
                continue
            code, width = _character(data, at)
            if at > start and not _is_joined(former, code, joined_ascii, joined_others, shift):
                ends[num_cut], keys[num_cut] = at, word | (at - start) << _TOP
                num_cut, start, word = num_cut + 1, at, _NONE
            for _ in range(width):
                word = word << _BYTE | np.uint64(data[at])
                at += _ONE
            former = code
        if at < end:
            at = start
            break
        if start < end:
            ends[num_cut], keys[num_cut] = at, word | (at - start) << _TOP
            num_cut += 1
        ends[num_cut], keys[num_cut] = at, END_OF_TEXT
        num_cut += 1
        row += 1
    hash_long(data, begin, ends[:num_cut], keys[:num_cut], seed)
    return row, np.int64(at), num_cut


@compiled
def hash_long(
    data: np.ndarray, begin: int, ends: np.ndarray, keys: np.ndarray, seed: np.uint64
) -> None:
    """Replace the keys of long chunks by hashes of their bytes."""
    start = np.uint64(begin)
    for index in range(ends.size):
        end = np.uint64(ends[index])
        if end - start > _MOST_IN_KEY:
            keys[index] = _hash(data, start, end, seed)
        start = end


@compiled
def _is_joined(
    former: np.uint64,
    code: np.uint64,
    joined_ascii: np.ndarray,
    joined_others: np.ndarray,
    shift: np.uint64,
) -> bool:
    if former | code < _NON_ASCII:
        return joined_ascii[former << _SEVEN | code]
    return joined_others[pair_slot(former, code, shift)]


@compiled
def mix(value: np.uint64, seed: np.uint64) -> np.uint64:
    """Return a value whose low bits depend on all of the given one's; ``seed`` is odd."""
    value *= seed
    return value ^ value >> _HALF


@compiled
def _hash(data: np.ndarray, start: np.uint64, end: np.uint64, seed: np.uint64) -> np.uint64:
    """Return the key of a long chunk."""
    key, word = seed, _NONE
    for at in range(start, end):
        word = word << _BYTE | np.uint64(data[at])
        if (np.uint64(at) - start) & _SEVEN == _SEVEN:
            key, word = mix(key ^ word, seed), _NONE
    return mix(mix(key ^ word, seed) ^ (end - start), seed) | FIRST_LONG_KEY


@compiled
def _character(data: np.ndarray, at: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return the code point and width of the character at a place; U+2581 is the space."""
    lead = np.uint64(data[at])
    if lead < _NON_ASCII:
        return lead, _ONE
    second = np.uint64(data[at + _ONE]) & _LOW_6
    if lead < _LEAD_OF_THREE:
        return (lead & _LOW_5) << _SIX | second, _TWO
    third = np.uint64(data[at + _TWO]) & _LOW_6
    if lead < _LEAD_OF_FOUR:
        code = (lead & _LOW_4) << _TWELVE | second << _SIX | third
        return _SPACE if code == _SHOWN_SPACE else code, _THREE
    fourth = np.uint64(data[at + _THREE]) & _LOW_6
    return (lead & _LOW_3) << _EIGHTEEN | second << _TWELVE | third << _SIX | fourth, _FOUR
