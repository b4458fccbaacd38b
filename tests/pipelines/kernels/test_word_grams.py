import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.kernels.word_grams import SEQUENCE_FACTOR, extend_grams, hash_joined


def grams_of(words, hashes, factors, n):
    grams = hashes.copy()
    for length in range(2, n + 1):
        extend_grams(grams, length, hashes, factors)
    return grams[: max(len(words) - n + 1, 0)].tolist()


def joined(words):
    codes = np.array([ord(char) for word in words for char in word], dtype=np.int32)
    ends = np.cumsum([len(word) for word in words], dtype=np.int32)
    starts = np.append(0, ends[:-1]).astype(np.int32)[: len(words)]
    hashes, factors = np.empty((2, len(words)), dtype=np.uint64)
    hash_joined(codes, starts, ends, hashes, factors)
    return hashes, factors


def same_groups(keys, hashes):
    return [keys.index(key) for key in keys] == [hashes.index(value) for value in hashes]


WORDS = st.lists(st.text("ab\0", min_size=1, max_size=3), min_size=1, max_size=40)


@example(["ab", "c", "d", "a", "bc", "d"], 3)
@given(WORDS, st.integers(1, 6))
def test_joined_grams_are_equal_where_their_text_is(words, n):
    texts = ["".join(words[at : at + n]) for at in range(len(words) - n + 1)]
    assert same_groups(texts, grams_of(words, *joined(words), n))


@example(["ab", "c", "d", "a", "bc", "d"], 3)
@given(WORDS, st.integers(1, 6))
def test_sequences_are_equal_where_their_words_are(words, n):
    hashes = np.array([hash(word) % 2**64 for word in words], dtype=np.uint64)
    grams = grams_of(words, hashes, np.full(len(words), SEQUENCE_FACTOR), n)
    sequences = [words[at : at + n] for at in range(len(words) - n + 1)]
    assert same_groups(sequences, grams)


def test_a_zero_character_counts():
    hashes, _ = joined(["\0", "\0\0", "\0\0\0"])
    assert len(set(hashes.tolist())) == 3
