import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.decoded import text_batch
from pipelines.kernels.shingles import mixed, text_shingles, unique_shingles, word_shingles

ALL_BITS = 2**64 - 1
FACTOR = 0x9E3779B97F4A7C15
HASHES = st.integers(0, 3) | st.integers(ALL_BITS - 3, ALL_BITS) | st.integers(0, ALL_BITS)
WORDS = st.lists(st.lists(HASHES, max_size=12), max_size=6)


def mixed_in_python(key):
    key = (key ^ key >> 30) * 0xBF58476D1CE4E5B9 & ALL_BITS
    key = (key ^ key >> 27) * 0x94D049BB133111EB & ALL_BITS
    return key ^ key >> 31


def shingles_in_python(words, num_words):
    shingles = []
    for at in range(len(words) - num_words + 1):
        value = sum(
            word * FACTOR ** (num_words - 1 - place)
            for place, word in enumerate(words[at : at + num_words])
        )
        shingles.append(mixed_in_python(value & ALL_BITS))
    return shingles


def flat(lists):
    offsets = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    return offsets, np.array([value for one in lists for value in one], dtype=np.uint64)


def by_text(shingles):
    return [
        shingles.hashes[shingles.offsets[row] : shingles.offsets[row + 1]].tolist()
        for row in range(shingles.num_texts)
    ]


def shingles_of(texts, num_words=5):
    return by_text(text_shingles(text_batch(pa.array(texts, pa.string())).codes, num_words))


def test_shingles_are_polynomials_of_words():
    num_shingles = 0

    @given(WORDS, st.integers(1, 6))
    def check(words, num_words):
        nonlocal num_shingles
        shingles = by_text(word_shingles(*flat(words), num_words))
        assert shingles == [shingles_in_python(one, num_words) for one in words]
        num_shingles += sum(map(len, shingles))

    check()
    assert num_shingles > 100


@given(WORDS)
def test_unique_shingles_are_sorted_sets(words):
    shingles = word_shingles(*flat(words), 1)
    before = shingles.hashes.copy()
    sets = unique_shingles(shingles)
    assert by_text(sets) == [sorted(set(one)) for one in by_text(shingles)]
    assert np.array_equal(shingles.hashes, before)


def test_sets_of_many_equal_and_of_many_close_hashes():
    for hashes in (np.zeros(200_000), np.arange(200_000)[::-1], np.arange(200_000) % 7):
        values = hashes.astype(np.uint64) + np.uint64(2**63)
        sets = unique_shingles(word_shingles(np.array([0, values.size]), values, 1))
        assert sets.hashes.size == np.unique(values).size
        assert (sets.hashes[1:] > sets.hashes[:-1]).all()


def test_mixing_is_known_and_one_to_one():
    assert int(mixed(np.uint64(FACTOR))) == 0xE220A8397B1DCDAF  # SplitMix64 of seed 0
    assert len({int(mixed(np.uint64(key << 40))) for key in range(10_000)}) == 10_000


def test_texts():
    one, other, moved, short = shingles_of(
        ["a b c d e f", "A, b; c (d) E — f!", "b c d e f a", "a b c d"]
    )
    assert one == other
    assert len(one) == 2
    assert len(set(one) & set(moved)) == 1
    assert short == []
    assert shingles_of(["ab c", "a bc"], 2)[0] != shingles_of(["ab c", "a bc"], 2)[1]
    assert shingles_of([]) == []


def test_a_word_repeated_has_one_shingle():
    (shingles,) = shingles_of(["word " * 200_000])
    assert len(shingles) == 199_996
    assert len(set(shingles)) == 1


@pytest.mark.parametrize("text", ["", "\n" * 100_000, "中" * 100_000, "👍" * 100_000, "́" * 100_000])
def test_texts_without_five_words_have_none(text):
    assert shingles_of([text, "a b c d e"])[0] == []
    assert len(shingles_of([text, "a b c d e"])[1]) == 1
