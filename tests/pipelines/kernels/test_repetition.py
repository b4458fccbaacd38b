import numpy as np
import pyarrow as pa
import pytest

from pipelines.kernels.decoded import text_batch
from pipelines.kernels.repetition import count_like_datatrove, count_repetition
from pipelines.kernels.white_space_words import white_space_words


def counts_of(text):
    batch = text_batch(pa.array([text]))
    words, hashes = batch.words(white_space_words), batch.word_hashes(white_space_words)
    ours, theirs = (
        count_repetition(words, hashes),
        count_like_datatrove(batch.codes, words, hashes),
    )
    return [part.tolist()[0] for part in (*ours, *theirs)]


@pytest.mark.parametrize("num_words", range(11))
def test_texts_with_few_words_have_few_grams(num_words):
    top, copied, their_top, their_copied = counts_of("word " * num_words)
    assert top == [4 * n * (num_words // n) * (num_words >= 2 * n) for n in (2, 3, 4)]
    assert their_top == [max(num_words - n + 1, 0) * (5 * n - 1) for n in (2, 3, 4)]
    assert copied == [4 * (num_words - 1) * (num_words > n) for n in range(5, 11)]
    assert their_copied == [4 * n * (num_words > n) for n in range(5, 11)]


def test_texts_do_not_see_each_other():
    texts = ["a b c d e", "a b c d e f", "", "a b c d e", "x y x y"]
    batch = text_batch(pa.array(texts))
    words, hashes = batch.words(white_space_words), batch.word_hashes(white_space_words)
    both = [count_repetition(words, hashes), count_like_datatrove(batch.codes, words, hashes)]
    assert [counts.copied_chars.any() for counts in both] == [False, False]
    assert both[0].top_chars[:, 0].tolist() == [0, 0, 0, 0, 4]
    assert both[1].top_chars[:, 0].tolist() == [3, 3, 0, 3, 6]
    assert both[0].top_chars.dtype == np.int64


def test_words_made_to_lie_in_one_place_of_a_table_take_no_more_time():
    text = " ".join(f"{number:b}" for number in range(200_000))
    top, copied, *_ = counts_of(text)
    assert top == copied[:3] == [0, 0, 0]
