import itertools

import numpy as np
import pyarrow as pa
import pytest
from hostile_texts import HOSTILE_TEXTS, ORDINARY_TEXTS, as_arrays
from hypothesis import example, given

from data_contracts.errors import UsageError
from pipelines.kernels import decoded
from pipelines.kernels.decoded import Words, text_batch
from pipelines.kernels.hashing import hash_codes
from pipelines.kernels.white_space_words import white_space_words


def words_of(batch, splitter):
    codes, words = batch.codes.codes, batch.words(splitter)
    spans = zip(words.starts, words.ends, strict=True)
    found = ["".join(map(chr, codes[start:end])) for start, end in spans]
    return [found[a:b] for a, b in itertools.pairwise(words.offsets)]


@example(ORDINARY_TEXTS)
@given(HOSTILE_TEXTS)
def test_codes_and_words_are_those_of_python(texts):
    for array in as_arrays(texts):
        batch = text_batch(array)
        offsets, codes = batch.codes
        bounds = itertools.pairwise(offsets)
        assert ["".join(map(chr, codes[a:b])) for a, b in bounds] == texts
        assert words_of(batch, white_space_words) == [text.split() for text in texts]
        hashes = [hash_codes(map(ord, word)) for text in texts for word in text.split()]
        assert batch.word_hashes(white_space_words).tolist() == [int(value) for value in hashes]


def test_a_splitter_is_asked_once():
    asked = []

    def splitter(codes):
        asked.append(codes)
        return Words(np.array([0, 1]), np.array([0], np.int32), np.array([1], np.int32))

    batch = text_batch(pa.array(["a"]))
    assert batch.words(splitter) is batch.words(splitter)
    assert batch.word_hashes(splitter) is batch.word_hashes(splitter)
    assert len(asked) == 1


def test_too_much_for_a_batch_is_refused(monkeypatch):
    monkeypatch.setattr(decoded, "MAX_BATCH_BYTES", 3)
    assert text_batch(pa.array(["abc"])).num_texts == 1
    with pytest.raises(UsageError, match="4 bytes of text are too many for a batch"):
        text_batch(pa.array(["ab", "cd"]))
