import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.first_copies import copies_scratch, find_first_copies

SEEDS = [np.uint64(seed) for seed in (1, 0x9E3779B97F4A7C15, 2**64 - 1)]
HASHES = st.integers(0, 5) | st.integers(2**63 - 2, 2**63 + 2) | st.integers(0, 2**64 - 1)


def first_copies(hashes, seed):
    table, firsts = copies_scratch(hashes.size)
    num_copies = find_first_copies(hashes, seed, table, firsts)
    return num_copies, firsts.tolist()


@given(st.lists(HASHES, max_size=80))
def test_copies_are_those_of_a_list_whatever_the_layout(values):
    expected = [values.index(value) for value in values]
    for seed in SEEDS:
        num_copies, firsts = first_copies(np.array(values, dtype=np.uint64), seed)
        assert firsts == expected
        assert num_copies == len(values) - len(set(values))


def test_scratch_may_be_larger_and_used_before():
    table, firsts = copies_scratch(1000)
    find_first_copies(np.arange(1000, dtype=np.uint64), SEEDS[1], table, firsts)
    hashes = np.array([7, 7, 3, 7], dtype=np.uint64)
    assert find_first_copies(hashes, SEEDS[1], table, firsts) == 2
    assert firsts[:4].tolist() == [0, 0, 2, 0]


@pytest.mark.parametrize("shift", [0, 20, 40])
def test_many_hashes_that_look_alike_are_told_apart(shift):
    values = np.arange(1, 100_001, dtype=np.uint64) << np.uint64(shift)
    num_copies, firsts = first_copies(np.concatenate((values, values[:7])), SEEDS[1])
    assert num_copies == 7
    assert firsts == [*range(100_000), *range(7)]
