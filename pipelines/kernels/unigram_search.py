"""Kernel: the pieces with the greatest sum of scores, added up as SentencePiece does.

SentencePiece adds scores up from the beginning of a text, in numbers of 24 binary places, and keeps
the first of two equal sums; where a sum is greater in size than `MOST`, it begins again at zero
(`EncodeOptimized` of unigram_model.cc). What it takes for a chunk can so depend on the sum before
it, and on nothing else that stands before: with that sum, a chunk's pieces are those of the text.
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.piece_table import find_piece, next_hash

MOST = 100_000.0  # kScoreResetThreshold

_NOWHERE = -1
_SPACE, _LEAD_OF_TWO, _LEAD_OF_THREE, _LEAD_OF_FOUR = 0x20, 0xC0, 0xE0, 0xF0
_SHOWN_SPACE = (0xE2, 0x96, 0x81)


class Unigram(NamedTuple):
    """What a search needs of a model.

    The first seven are its `PieceTable`, U+2581 for a space. ``scores`` float64 [V] is what each id
    adds to the sum, ``heaviest`` the greatest size of what a character adds. A character without a
    piece adds ``unknown_score`` and has the ids of its bytes, ``byte_ids`` int32 [256], or
    ``unknown`` if that is not -1.
    """

    hashes: np.ndarray
    ids: np.ndarray
    data: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    most_bytes: int
    seed: np.uint64
    scores: np.ndarray
    heaviest: float
    unknown_score: np.float32
    byte_ids: np.ndarray
    unknown: int


@compiled
def search(
    data: np.ndarray,
    begin: int,
    end: int,
    total: np.float32,
    model: Unigram,
    out: np.ndarray,
    at: int,
) -> tuple[int, np.float32]:
    """Write the ids of ``data[begin:end]``, before which scores add up to ``total``.

    ``out`` has room for them from ``at`` on. Returns where they end, and the sum after them.
    """
    text = _shown(data, begin, end)
    sums = np.empty(text.size + 1, np.float32)
    came, picks = np.full(text.size + 1, _NOWHERE, np.int32), np.empty(text.size + 1, np.int32)
    sums[0] = total
    start = frontier = 0
    while start < text.size:
        if np.abs(sums[start]) > MOST:
            _begin_again(sums, came, start, frontier)
        width = min(_width(text[start]), text.size - start)
        value, has_single = model.seed, False
        for stop in range(start + 1, min(text.size, start + model.most_bytes) + 1):
            value = next_hash(value, text[stop - 1], model.seed)
            number = find_piece(
                value, text, start, stop, model.hashes, model.ids, model.data, model.starts,
                model.ends,
            )  # fmt: skip
            if number >= 0:
                has_single |= stop == start + width
                frontier = max(frontier, stop)
                reached = np.float32(model.scores[number] + np.float64(sums[start]))
                if came[stop] == _NOWHERE or reached > sums[stop]:
                    sums[stop], came[stop], picks[stop] = reached, start, number
        if not has_single:
            stop = start + width
            frontier = max(frontier, stop)
            reached = np.float32(model.unknown_score + sums[start])
            if came[stop] == _NOWHERE or reached > sums[stop]:
                sums[stop], came[stop], picks[stop] = reached, start, _NOWHERE
        start += width
    return _write(text, came, picks, model, out, at), sums[text.size]


@compiled
def _begin_again(sums: np.ndarray, came: np.ndarray, start: int, frontier: int) -> None:
    """Take the sum at a place from it and from those that were reached behind it."""
    offset = sums[start]
    sums[start] = 0.0
    for place in range(start + 1, frontier + 1):
        if came[place] != _NOWHERE:
            sums[place] -= offset


@compiled
def search_all(
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    model: Unigram,
    out: np.ndarray,
    offsets: np.ndarray,
) -> None:
    """Write the ids of chunks as if each were a text; chunk ``m`` has them from ``offsets[m]``."""
    for chunk in range(starts.size):
        at = offsets[chunk]
        offsets[chunk + 1], _ = search(
            data, starts[chunk], ends[chunk], np.float32(0.0), model, out, at
        )


@compiled
def _shown(data: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Return a stretch of bytes with U+2581 for each space."""
    num_spaces = 0
    for at in range(begin, end):
        num_spaces += data[at] == _SPACE
    text = np.empty(end - begin + 2 * num_spaces, np.uint8)
    to = 0
    for at in range(begin, end):
        if data[at] == _SPACE:
            text[to], text[to + 1], text[to + 2] = _SHOWN_SPACE
            to += 3
        else:
            text[to] = data[at]
            to += 1
    return text


@compiled
def _width(lead: int) -> int:
    """Return how many bytes a character of this first byte has."""
    if lead < _LEAD_OF_TWO:
        return 1
    if lead < _LEAD_OF_THREE:
        return 2
    return 3 if lead < _LEAD_OF_FOUR else 4


@compiled
def _write(
    text: np.ndarray,
    came: np.ndarray,
    picks: np.ndarray,
    model: Unigram,
    out: np.ndarray,
    at: int,
) -> int:
    """Write the ids of the way that ends at the end of a text; return where they end."""
    num_ids, stop = 0, text.size
    while stop > 0:
        spelt = picks[stop] == _NOWHERE and model.unknown < 0
        num_ids += stop - came[stop] if spelt else 1
        stop = came[stop]
    to, stop = at + num_ids, text.size
    while stop > 0:
        start = came[stop]
        if picks[stop] != _NOWHERE or model.unknown >= 0:
            to -= 1
            out[to] = picks[stop] if picks[stop] != _NOWHERE else model.unknown
        else:
            for place in range(stop - 1, start - 1, -1):
                to -= 1
                out[to] = model.byte_ids[text[place]]
        stop = start
    return at + num_ids
