"""Kernel: byte pair encoding of short chunks.

Of all neighbours that make a piece together, those with the best score become one, the first of
equals; until none are left (Sennrich, Haddow, Birch: Neural machine translation of rare words with
subword units, ACL 2016; ``bpe_model.cc`` of SentencePiece). Chunks are short, so that a scan finds
the best pair sooner than a queue would.
"""

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.piece_table import NONE, find_piece, next_hash

MOST_BYTES = 64
ELSEWHERE = -1  # a count: somebody else must encode the chunk


@compiled
def merge_chunks(
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
    is_special: np.ndarray,
    counts: np.ndarray,
    out: np.ndarray,
) -> int:
    """Write the ids of the chunks ``text[starts[m]:ends[m]]`` to ``out``, and how many each has.

    `ELSEWHERE` is the count of a chunk of more than `MOST_BYTES` bytes, with a byte that
    ``is_special`` (bool [256]), or with a character that is no piece. Returns the number of ids;
    ``out`` needs room for as many as there are bytes.
    """
    begins, stops = np.empty(MOST_BYTES, np.int64), np.empty(MOST_BYTES, np.int64)
    symbols, pairs = np.empty(MOST_BYTES, np.int64), np.empty(MOST_BYTES, np.int64)
    table = (hashes, ids, data, piece_starts, piece_ends)
    num_ids = 0
    for chunk in range(starts.size):
        count = _divide(text, starts[chunk], ends[chunk], is_special, begins, stops)
        for at in range(count):
            symbols[at] = _id_of(text, begins[at], stops[at], table, most_bytes, seed)
            pairs[at] = NONE
            if symbols[at] == NONE:
                count = ELSEWHERE
                break
        for at in range(count - 1):
            pairs[at] = _id_of(text, begins[at], stops[at + 1], table, most_bytes, seed)
        best = _best(pairs, count, scores)
        while best >= 0:
            stops[best], symbols[best] = stops[best + 1], pairs[best]
            count -= 1
            for at in range(best + 1, count):
                begins[at], stops[at] = begins[at + 1], stops[at + 1]
                symbols[at], pairs[at] = symbols[at + 1], pairs[at + 1]
            for at in range(max(best - 1, 0), min(best + 1, count - 1)):
                pairs[at] = _id_of(text, begins[at], stops[at + 1], table, most_bytes, seed)
            best = _best(pairs, count, scores)
        counts[chunk] = count
        for at in range(count):
            out[num_ids] = symbols[at]
            num_ids += 1
    return num_ids


@compiled
def _divide(
    text: np.ndarray,
    start: int,
    end: int,
    is_special: np.ndarray,
    begins: np.ndarray,
    stops: np.ndarray,
) -> int:
    """Write where the characters of a chunk begin and end; return how many, or `ELSEWHERE`."""
    if end - start > MOST_BYTES:
        return ELSEWHERE
    count = 0
    for at in range(start, end):
        if is_special[text[at]]:
            return ELSEWHERE
        if text[at] & 0xC0 != 0x80:
            begins[count] = at
            count += 1
        stops[count - 1] = at + 1
    return count


@compiled
def _best(pairs: np.ndarray, count: int, scores: np.ndarray) -> int:
    """Return the first pair with the best score, or -1 if there is none."""
    best = -1
    for at in range(count - 1):
        if pairs[at] != NONE and (best < 0 or scores[pairs[at]] > scores[pairs[best]]):
            best = at
    return best


@compiled
def _id_of(
    text: np.ndarray,
    start: int,
    end: int,
    table: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    most_bytes: int,
    seed: np.uint64,
) -> int:
    if end - start > most_bytes:
        return NONE
    value = seed
    for at in range(start, end):
        value = next_hash(value, text[at], seed)
    return find_piece(value, text, start, end, *table)
