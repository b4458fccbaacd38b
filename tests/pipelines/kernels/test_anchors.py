import random
import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.anchors import ANCHOR_WORDS, find_runs, run_room

SCATTER = 0x9E3779B97F4A7C15


def hashed(words):
    return np.array([(word * SCATTER) % 2**64 for word in words], dtype=np.uint64)


def runs_of(words, others):
    room = run_room(len(words))
    num_runs = find_runs(hashed(words), hashed(others), room)
    columns = (room.starts, room.other_starts, room.lengths)
    return list(zip(*(column[:num_runs].tolist() for column in columns), strict=True))


@st.composite
def edited(draw):
    """Two texts of words that are nowhere twice, and the runs that they have in common."""
    fresh = iter(range(1, 10_000))
    one, two, runs = [], [], []
    for _ in range(draw(st.integers(1, 6))):
        length = draw(st.integers(0, 12))
        common = [next(fresh) for _ in range(length)]
        runs.append((len(one), len(two), length))
        one, two = one + common, two + common
        one += [next(fresh) for _ in range(draw(st.integers(0, 5)))]
        two += [next(fresh) for _ in range(draw(st.integers(1, 5)))]
    return one, two, [run for run in runs if run[2] >= ANCHOR_WORDS]


def test_runs_of_words_that_are_nowhere_twice():
    num_runs = 0

    @given(edited())
    def check(texts):
        nonlocal num_runs
        one, two, expected = texts
        if len(one) <= len(two):
            runs = [run for run in runs_of(one, two) if run[2] >= ANCHOR_WORDS]
            assert runs == expected
            num_runs += len(expected)

    check()
    assert num_runs > 50


def test_runs_are_equal_words_in_order():
    num_words = 0

    @given(st.lists(st.integers(0, 4), max_size=40), st.lists(st.integers(0, 4), max_size=60))
    def check(one, two):
        nonlocal num_words
        one, two = sorted((one, two), key=len)
        runs = runs_of(one, two)
        at, other = 0, 0
        for start, other_start, length in runs:
            assert start >= at
            assert other_start >= other
            at, other = start + length, other_start + length
            assert one[start:at] == two[other_start:other]
            num_words += length
        assert (at, other) == (len(one), len(two))
        assert runs[0][:2] == (0, 0)
        first = runs[0][2]
        assert one[first : first + 1] != two[first : first + 1] or first == len(one)

    check()
    assert num_words > 50


def test_example():
    one = [1, 2, 3, 4, 5, 50, 6, 7, 8, 9, 9, 9, 10]
    two = [1, 2, 3, 4, 5, 51, 52, 6, 7, 8, 9, 9, 53, 9, 10]
    assert runs_of(one, two) == [(0, 0, 5), (6, 7, 5), (11, 13, 2)]
    assert runs_of([], [1]) == [(0, 0, 0), (0, 1, 0)]
    assert runs_of([1, 2], [1, 2]) == [(0, 0, 2), (2, 2, 0)]


def test_the_longest_row_is_taken_of_paragraphs_that_moved():
    a, b, c = range(100, 110), range(200, 230), range(300, 305)
    assert runs_of([0, *a, *b, 1, *c, 2], [3, *b, *a, 4, *c, 5]) == [
        (0, 0, 0),
        (11, 1, 30),
        (42, 42, 5),
        (48, 48, 0),
    ]


def test_long_texts_in_any_order_stay_linear():
    """A hundred thousand words shuffled, or always the same, take no more than seconds."""
    words = list(range(100_000))
    shuffled = random.Random(1).sample(words, len(words))
    began = time.process_time()
    assert len(runs_of(words, shuffled)) >= 2
    assert len(runs_of([7] * len(words), [8] + [7] * len(words))) == 2
    assert time.process_time() - began < 20
