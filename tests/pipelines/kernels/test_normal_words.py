import numpy as np
import pyarrow as pa
import pytest
from hostile_texts import HOSTILE_TEXTS, ORDINARY_TEXTS, as_arrays
from hypothesis import example, given

from pipelines.dedupe.normalise import normalise
from pipelines.kernels.decoded import text_batch
from pipelines.kernels.hashing import hash_codes
from pipelines.kernels.normal_words import normal_words


def words_of(array):
    offsets, hashes = normal_words(text_batch(array).codes)
    assert offsets.dtype == np.int64
    assert hashes.dtype == np.uint64
    return [part.tolist() for part in np.split(hashes, offsets[1:-1])] if len(array) else []


def oracle(text):
    (form,) = normalise(pa.array([text], pa.string()))
    return [int(hash_codes(map(ord, word))) for word in form.split()]


def test_words_are_those_of_the_normalised_form():
    num_words = 0

    @example(ORDINARY_TEXTS)
    @given(HOSTILE_TEXTS)
    def check(texts):
        nonlocal num_words
        expected = [oracle(text) for text in texts]
        for array in as_arrays(texts):
            assert words_of(array) == expected
        num_words += sum(map(len, expected))

    check()
    assert num_words > 100


def test_example():
    same = pa.array(["E-mail, NOW!", "e mail\u00a0no\u00adw", "\u200b«e» MAIL now..."])
    assert len({tuple(words) for words in words_of(same)}) == 1
    assert words_of(same)[0] == [int(hash_codes(map(ord, word))) for word in ("e", "mail", "now")]
    assert words_of(pa.array(["email now"])) != words_of(same)[:1]


@pytest.mark.parametrize(
    "text", ["", "x" * 1_000_000, "a " * 300_000, "\n" * 300_000, "́" * 300_000]
)
def test_hostile_texts(text):
    assert words_of(pa.array([text, "a"])) == [oracle(text), oracle("a")]
