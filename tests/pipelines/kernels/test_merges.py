"""Merges against the algorithm over strings, for any vocabulary and scores."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.merges import ELSEWHERE, MOST_BYTES, merge_chunks
from pipelines.kernels.piece_table import piece_table

PIECES = st.dictionaries(st.text("ab é", min_size=2, max_size=4), st.integers(-5, 0), max_size=12)
CHUNKS = st.lists(st.text("abé \tx", min_size=1, max_size=12), min_size=1, max_size=5)


def merged(chunk, scores):
    """Return the pieces of a chunk: the best pair first, of equals the one on the left."""
    symbols = list(chunk)
    while True:
        pairs = [(scores.get(a + b), -i) for i, (a, b) in enumerate(pairwise(symbols))]
        best = max((pair for pair in pairs if pair[0] is not None), default=None)
        if best is None:
            return symbols
        at = -best[1]
        symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]


def test_merges_are_those_of_the_algorithm():
    seen = {"merged": 0, "elsewhere": 0}

    @given(PIECES, CHUNKS)
    def check(longer, chunks):
        scores = {**dict.fromkeys("ab é", -9), **longer}
        numbers = {piece: number for number, piece in enumerate(scores)}
        table = piece_table(dict(enumerate(scores)), len(scores))
        is_special = np.zeros(256, np.bool_)
        is_special[ord("\t")] = True
        text = "".join(chunks).encode()
        ends = np.cumsum([len(chunk.encode()) for chunk in chunks])
        counts, out = np.empty(len(chunks), np.int64), np.empty(len(text), np.int32)
        values = np.array(list(scores.values()), np.float64)
        num_ids = merge_chunks(
            np.frombuffer(text, np.uint8), np.append(0, ends[:-1]), ends, *table, values,
            is_special, counts, out,
        )  # fmt: skip
        expected = []
        for chunk, count in zip(chunks, counts, strict=True):
            if set(chunk) & set("\tx"):
                assert count == ELSEWHERE
                seen["elsewhere"] += 1
            else:
                ids = [numbers[piece] for piece in merged(chunk, scores)]
                assert count == len(ids)
                expected += ids
                seen["merged"] += len(ids) < len(chunk)
        assert out[:num_ids].tolist() == expected

    check()
    assert min(seen.values()) > 0


def test_a_chunk_beyond_the_bound_is_encoded_elsewhere():
    table = piece_table({0: "a"}, 1)
    counts, out = np.empty(2, np.int64), np.empty(2 * MOST_BYTES + 1, np.int32)
    ends = np.array([MOST_BYTES, 2 * MOST_BYTES + 1])
    text = np.full(ends[-1], ord("a"), np.uint8)
    found = merge_chunks(
        text, np.array([0, MOST_BYTES]), ends, *table, np.zeros(1), np.zeros(256, np.bool_),
        counts, out,
    )  # fmt: skip
    assert (found, counts.tolist()) == (MOST_BYTES, [MOST_BYTES, ELSEWHERE])
