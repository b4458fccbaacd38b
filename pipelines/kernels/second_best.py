"""Kernel: by how much the best division of a chunk into pieces beats the second best.

A unigram model takes the pieces with the greatest sum of scores. SentencePiece adds them up from
the beginning of the text in numbers of 24 binary places, so that rounding, which grows with the
text, can turn a small gap into another choice.
"""

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.piece_table import find_piece, next_hash

_NEVER = -1e300


@compiled
def best_two(
    text: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    hashes: np.ndarray,
    ids: np.ndarray,
    data: np.ndarray,
    piece_starts: np.ndarray,
    piece_ends: np.ndarray,
    most_bytes: int,
    seed: np.uint64,
    scores: np.ndarray,
    unknown_score: float,
    most_chunk_bytes: int,
    best: np.ndarray,
    gaps: np.ndarray,
) -> None:
    """Write the score of each chunk's best division, and its lead over any other one.

    Chunks are ``text[starts[m]:ends[m]]`` with U+2581 for the space; a character without a piece
    has ``unknown_score``. One of more than ``most_chunk_bytes`` bytes has no lead.
    """
    firsts = np.empty(most_chunk_bytes + 1)
    seconds = np.empty(most_chunk_bytes + 1)
    for chunk in range(starts.size):
        start, length = starts[chunk], ends[chunk] - starts[chunk]
        best[chunk] = gaps[chunk] = 0.0
        if length > most_chunk_bytes:
            continue
        firsts[: length + 1], seconds[: length + 1] = _NEVER, _NEVER
        firsts[0] = 0.0
        at = 0
        while at < length:
            width = 1
            while at + width < length and text[start + at + width] & 0xC0 == 0x80:
                width += 1
            value, has_single = seed, False
            for end in range(at + 1, min(length, at + most_bytes) + 1):
                value = next_hash(value, text[start + end - 1], seed)
                number = find_piece(
                    value, text, start + at, start + end, hashes, ids, data, piece_starts,
                    piece_ends,
                )  # fmt: skip
                if number >= 0:
                    has_single |= end == at + width
                    _offer(firsts, seconds, at, end, scores[number])
            if not has_single:
                _offer(firsts, seconds, at, at + width, unknown_score)
            at += width
        best[chunk], gaps[chunk] = firsts[length], firsts[length] - seconds[length]


@compiled
def _offer(firsts: np.ndarray, seconds: np.ndarray, at: int, end: int, score: float) -> None:
    """Put the two best ways to ``at``, with one piece more, among the two best to ``end``."""
    for candidate in (firsts[at] + score, seconds[at] + score):
        if candidate > firsts[end]:
            firsts[end], seconds[end] = candidate, firsts[end]
        elif candidate > seconds[end]:
            seconds[end] = candidate
