from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import InputError
from pipelines.kernels import heldout_index
from pipelines.kernels.heldout_index import build_index, take_texts
from pipelines.kernels.shingles import Shingles

HASHES = st.integers(0, 9) | st.integers(2**64 - 3, 2**64 - 1)
SETS = st.lists(st.sets(HASHES, max_size=8), max_size=8)


def shingles_of(texts):
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    hashes = [value for text in texts for value in sorted(text)]
    return Shingles(offsets, np.array(hashes, dtype=np.uint64))


def holders_of(index):
    """Return the places of the documents that hold each shingle, as the index tells them."""
    lists = np.split(index.places[index.holders], index.offsets[1:-1])
    pairs = zip(index.hashes.tolist(), index.lists.tolist(), strict=True)
    return {value: lists[number].tolist() for value, number in pairs}


def test_every_shingle_has_its_holders_by_size_and_place():
    num_shared = num_lists = 0

    @given(SETS)
    def check(sets):
        nonlocal num_shared, num_lists
        index = build_index(shingles_of(sets))
        by_size = sorted(range(len(sets)), key=lambda place: (len(sets[place]), place))
        assert index.places.tolist() == by_size
        assert index.sizes.tolist() == [len(sets[place]) for place in by_size]
        expected = defaultdict(list)
        for place in by_size:
            for value in sets[place]:
                expected[value].append(place)
        assert holders_of(index) == expected
        assert index.hashes.tolist() == sorted(expected)
        # One list for all shingles with the same holders, and lists by length.
        assert index.offsets.size - 1 == len({tuple(held) for held in expected.values()})
        lengths = np.diff(index.offsets)
        assert (lengths[1:] >= lengths[:-1]).all()
        num_shared += sum(len(held) > 1 for held in expected.values())
        num_lists += lengths.size

    check()
    assert num_shared > 20
    assert num_lists > 20


def test_example():
    index = build_index(shingles_of([{1, 2, 3, 9}, {2, 3}, {9}]))
    assert index.places.tolist() == [2, 1, 0]
    assert index.sizes.tolist() == [1, 2, 4]
    assert index.hashes.tolist() == [1, 2, 3, 9]
    assert index.lists[1] == index.lists[2]
    assert holders_of(index) == {1: [0], 2: [1, 0], 3: [1, 0], 9: [2, 0]}
    assert index.holders.size == 5
    kinds = [array.dtype.name for array in index]
    assert kinds == ["int32", "int32", "uint64", "int32", "int64", "int32"]


def test_a_passage_that_all_documents_share_has_one_list():
    sets = [{*range(1000), *range(1000 * place, 1000 * place + 50)} for place in range(1, 200)]
    index = build_index(shingles_of(sets))
    assert index.offsets.size - 1 == 200
    assert index.holders.size == 2 * 199
    assert index.hashes.size == 1000 + 199 * 50


def test_too_many_shingles_are_refused(monkeypatch):
    monkeypatch.setattr(heldout_index, "MAX_SHINGLES", 3)
    assert build_index(shingles_of([{1, 2}, {1}])).hashes.size == 2
    with pytest.raises(InputError, match=r"split\.heldout_ratio"):
        build_index(shingles_of([{1, 2}, {1, 3}]))


def test_texts_are_taken_in_any_order():
    shingles = shingles_of([{1, 2}, set(), {3}])
    taken = take_texts(shingles, np.array([2, 0, 1, 2]))
    assert taken.offsets.tolist() == [0, 1, 3, 3, 4]
    assert taken.hashes.tolist() == [3, 1, 2, 3]
    assert take_texts(shingles, np.array([], dtype=np.int64)).num_texts == 0
