from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.kernels.ngram_copies import find_copies, repeated_ngrams, repeated_words

SEEDS = [np.uint64(seed) for seed in (0, 1, 0x9E3779B97F4A7C15, 2**64 - 1)]
REPEATING = st.lists(st.integers(1, 3), max_size=40)


@given(st.lists(st.integers(0, 3) | st.integers(0, 2**64 - 1), max_size=60))
def test_copies_are_those_of_a_counter_whatever_the_layout(keys):
    counts = Counter(keys)
    for seed in SEEDS:
        firsts, copies = find_copies(np.array(keys, dtype=np.uint64), seed)
        assert firsts.tolist() == [keys.index(key) for key in keys]
        first_places = [keys.index(key) == at for at, key in enumerate(keys)]
        expected = [
            counts[key] * is_first for key, is_first in zip(keys, first_places, strict=True)
        ]
        assert copies.tolist() == expected


@pytest.mark.parametrize("shift", [0, 20, 40])
def test_many_keys_that_look_alike_are_told_apart(shift):
    keys = np.arange(100_000, dtype=np.uint64) << np.uint64(shift)
    firsts, copies = find_copies(np.concatenate((keys, keys[:7])), SEEDS[2])
    assert copies.sum() == 100_007
    assert (copies == 2).sum() == 7
    assert firsts[-7:].tolist() == list(range(7))


def ngrams_by_definition(words, size):
    ngrams = [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
    counts = Counter(ngrams)
    firsts = [-1] * len(words)
    copies = [0] * len(words)
    for at, ngram in enumerate(ngrams):
        if counts[ngram] > 1:
            firsts[at] = ngrams.index(ngram)
            copies[firsts[at]] = counts[ngram]
    return firsts, copies


def test_repeated_ngrams_are_those_of_the_definition():
    num_repeated = Counter()

    @example([1, 2, 3] * 7)
    @given(REPEATING)
    def check(words):
        repeated = repeated_words(np.array(words, dtype=np.uint64), SEEDS[2])
        assert repeated.tolist() == ngrams_by_definition(words, 1)[0]
        firsts = repeated
        for size in range(2, len(words) + 1):
            firsts, copies = repeated_ngrams(firsts, repeated, size, SEEDS[1])
            assert (firsts.tolist(), copies.tolist()) == ngrams_by_definition(words, size)
            num_repeated[size] += (copies > 1).sum()

    check()
    assert min(num_repeated[size] for size in range(2, 11)) > 0, num_repeated
