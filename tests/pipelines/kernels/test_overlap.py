import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.overlap import find_overlaps
from pipelines.kernels.shingles import Shingles

HASHES = st.integers(0, 12) | st.integers(2**63 - 2, 2**63 + 2) | st.integers(2**64 - 2, 2**64 - 1)
SETS = st.lists(st.sets(HASHES), min_size=1, max_size=5)


def shingles_of(sets):
    offsets = np.cumsum([0, *map(len, sets)]).astype(np.int64)
    return Shingles(offsets, np.array([h for one in sets for h in sorted(one)], dtype=np.uint64))


def every_pair(num_sets):
    left, right = np.divmod(np.arange(num_sets**2), num_sets)
    return left, right


def test_overlaps_are_those_of_sets():
    num_common = num_empty = 0

    @given(SETS)
    def check(sets):
        nonlocal num_common, num_empty
        left, right = every_pair(len(sets))
        overlaps = find_overlaps(shingles_of(sets), left, right)
        for pair, (one, other) in enumerate((a, b) for a in sets for b in sets):
            common = len(one & other)
            assert overlaps.common[pair] == common
            assert (overlaps.left[pair], overlaps.right[pair]) == (len(one), len(other))
            assert overlaps.jaccard[pair] == (common / len(one | other) if one | other else 0)
            smaller = min(len(one), len(other))
            assert overlaps.containment[pair] == (common / smaller if smaller else 0)
            num_common += common > 0
            num_empty += not smaller
        assert overlaps.common.dtype == overlaps.left.dtype == overlaps.right.dtype == np.int64

    check()
    assert num_common > 100
    assert num_empty > 10


def test_example():
    sets = shingles_of([{1, 2, 3, 4}, {3, 4}, {4, 5, 6}])
    overlaps = find_overlaps(sets, np.array([0, 0, 1]), np.array([1, 2, 2]))
    assert overlaps.common.tolist() == [2, 1, 1]
    assert overlaps.jaccard.tolist() == [2 / 4, 1 / 6, 1 / 4]
    assert overlaps.containment.tolist() == [1, 1 / 3, 1 / 2]


def test_no_pairs():
    nothing = np.array([], dtype=np.int64)
    assert find_overlaps(shingles_of([{1}]), nothing, nothing).common.size == 0


@pytest.mark.parametrize("pair", [(0, 2), (2, 0), (-1, 0), (0, -1)])
def test_texts_that_are_not_there(pair):
    with pytest.raises(IndexError):
        find_overlaps(shingles_of([{1}, {2}]), *np.array(pair)[:, None])


def test_large_sets():
    odd, third = np.arange(1, 10**6, 2), np.arange(0, 10**6, 3)
    overlaps = find_overlaps(shingles_of([odd.tolist(), third.tolist()]), *np.array([[0], [1]]))
    assert overlaps.common.tolist() == [np.intersect1d(odd, third).size]
