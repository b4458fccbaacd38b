import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.shingle_matches import filter_shingles, match_shingles, shingle_table
from pipelines.kernels.shingles import Shingles

# Few, so that texts meet the table; some share a word of the filter, some their bits as well.
POOL = [*range(6), 2**62, 2**63, 2**63 + 2**40, 2**63 + 2**20 + 1, 2**64 - 2, 2**64 - 1]
HASHES = st.sampled_from(POOL)
TEXTS = st.lists(st.lists(HASHES, max_size=20), max_size=5)


def shingles_of(texts):
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    return Shingles(offsets, np.array([h for text in texts for h in text], dtype=np.uint64))


def table_of(known):
    """Return the table in which the values are those of a dictionary."""
    hashes = sorted(known)
    values = np.array([known[value] for value in hashes], dtype=np.int32)
    return shingle_table(np.array(hashes, dtype=np.uint64), values)


def matches_of(known, texts, min_part=0.0):
    shingles = shingles_of(texts)
    matches = match_shingles(table_of(known), shingles, np.diff(shingles.offsets), min_part)
    cut = np.split(matches.values, matches.offsets[1:-1]) if texts else []
    return [part.tolist() for part in cut], matches.sizes.tolist()


def test_matches_are_those_of_a_dictionary():
    num_matches = num_refused = 0

    @given(
        st.dictionaries(HASHES, st.integers(0, 5), min_size=2, max_size=6),
        TEXTS,
        st.sampled_from([0.0, 0.5, 0.8, 1.0]),
    )
    def check(known, texts, min_part):
        nonlocal num_matches, num_refused
        values, sizes = matches_of(known, texts, min_part)
        assert len(values) == len(sizes) == len(texts)
        for text, found, size in zip(texts, values, sizes, strict=True):
            expected = sorted(known[value] for value in set(text) & set(known))
            if expected and len(expected) / len(set(text)) < min_part:
                expected = []
                num_refused += 1
            assert found == expected
            assert size == (len(set(text)) if expected else 0)
            num_matches += len(expected)

    check()
    assert num_matches > 20
    assert num_refused > 0


def test_a_filter_lets_pass_what_is_there():
    longest_seen = 0

    @given(st.sets(HASHES, min_size=3), TEXTS)
    def check(known, texts):
        nonlocal longest_seen
        hits = filter_shingles(table_of(dict.fromkeys(known, 0)), shingles_of(texts))
        for text, count, run in zip(texts, *hits, strict=True):
            there = "".join(" x"[value in known] for value in text)
            assert there.count("x") <= count <= len(text)
            assert max(map(len, there.split()), default=0) <= run <= count
            longest_seen = max(longest_seen, *map(len, there.split()), 0)

    check()
    assert longest_seen > 1


def test_a_filter_lets_hardly_anything_else_pass():
    drawn = np.random.default_rng(1).integers(0, 2**64 - 1, 200_000, dtype=np.uint64)
    known, others = np.unique(drawn[:100_000]), drawn[100_000:]
    table = shingle_table(known, np.zeros(known.size, dtype=np.int32))
    for shingles, least, most in ((known, 1, 1), (others, 0, 0.05)):
        offsets = np.array([0, shingles.size])
        (count,) = filter_shingles(table, Shingles(offsets, shingles)).counts
        assert least <= count / shingles.size <= most


def test_texts_of_which_it_is_told_that_nothing_is_there_are_not_looked_up():
    shingles = shingles_of([[1, 2], [1, 2], [1, 2]])
    matches = match_shingles(table_of({1: 7}), shingles, np.array([0, 1, 2]), 1.0)
    assert matches.values.size == 0
    matches = match_shingles(table_of({1: 7, 2: 3}), shingles, np.array([0, 1, 2]), 1.0)
    assert matches.offsets.tolist() == [0, 0, 0, 2]
    assert matches.values.tolist() == [3, 7]
    assert matches.sizes.tolist() == [0, 0, 2]


@pytest.mark.parametrize("num_hashes", [0, 1, 7, 8, 9, 100_000])
def test_hashes_that_share_one_word_of_the_filter(num_hashes):
    known = dict.fromkeys(range(num_hashes), 4)
    text = [*range(num_hashes, num_hashes + 10), *range(num_hashes)] * 2
    values, sizes = matches_of(known, [text, [], [2**64 - 1]])
    assert values == [[4] * num_hashes, [], []]
    assert sizes == [num_hashes + 10 if num_hashes else 0, 0, 0]


def test_nothing_at_all():
    assert matches_of({}, []) == ([], [])
    assert matches_of({5: 1}, [[], []]) == ([[], []], [0, 0])
