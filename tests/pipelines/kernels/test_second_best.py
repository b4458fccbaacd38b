"""The best and the second best division of a chunk against all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.piece_table import piece_table
from pipelines.kernels.second_best import best_two

PIECES = ["a", "b", "ab", "ba", "aab", "中", "中a", "é中", "bb"]
UNKNOWN = -20.0


def all_sums(text, scores):
    """Return the sum of scores of every division of a text."""
    if not text:
        return [0.0]
    ways = [(p, scores[p]) for p in PIECES if text.startswith(p)]
    if not any(len(piece) == 1 for piece, _ in ways):
        ways.append((text[0], UNKNOWN))
    return [score + rest for piece, score in ways for rest in all_sums(text[len(piece) :], scores)]


def test_they_are_the_two_greatest_sums():
    seen = {"two": 0, "one": 0, "unknown": 0}
    values = st.lists(st.integers(-9, -1), min_size=len(PIECES), max_size=len(PIECES))

    @given(st.lists(st.text("ab中éx", min_size=1, max_size=7), min_size=1, max_size=4), values)
    def check(chunks, drawn):
        scores = dict(zip(PIECES, map(float, drawn), strict=True))
        data = "".join(chunks).encode()
        ends = np.cumsum([len(chunk.encode()) for chunk in chunks])
        starts = np.append(0, ends[:-1])
        best, gaps = np.empty(len(chunks)), np.empty(len(chunks))
        table = piece_table(dict(enumerate(PIECES)), len(PIECES))
        by_id = np.array([scores[piece] for piece in PIECES])
        text = np.frombuffer(data, np.uint8)
        best_two(text, starts, ends, *table, by_id, UNKNOWN, 100, best, gaps)
        for index, chunk in enumerate(chunks):
            sums = sorted(all_sums(chunk, scores), reverse=True)
            assert best[index] == sums[0]
            if len(sums) > 1:
                assert gaps[index] == pytest.approx(sums[0] - sums[1])
            else:
                assert gaps[index] > 1e200
            seen["two"] += len(sums) > 1
            seen["one"] += len(sums) == 1
            seen["unknown"] += "x" in chunk

    check()
    assert min(seen.values()) > 0


def test_a_chunk_beyond_the_bound_has_no_lead():
    table = piece_table({0: "a"}, 1)
    best, gaps = np.ones(1), np.ones(1)
    text, bounds = np.full(9, ord("a"), np.uint8), (np.array([0]), np.array([9]))
    best_two(text, *bounds, *table, np.array([-1.0]), UNKNOWN, 8, best, gaps)
    assert (best[0], gaps[0]) == (0, 0)
