import numpy as np
import pyarrow as pa

from pipelines.kernels.decoded import text_batch
from pipelines.kernels.unicode_table import NUM_CODE_POINTS
from pipelines.kernels.white_space_words import white_space_words
from pipelines.kernels.word_measures import MAX_STOP_WORDS, measure_words


def measure(texts, stop_words=("the", "of"), punctuation="!.-"):
    members = np.zeros(NUM_CODE_POINTS, dtype=np.bool_)
    members[[ord(char) for char in punctuation]] = True
    batch = text_batch(pa.array(texts, pa.string()))
    words, hashes = batch.words(white_space_words), batch.word_hashes(white_space_words)
    return measure_words(batch.codes, words, hashes, members, stop_words)


def test_words_are_measured():
    measured = measure(["the The of. -- 3! ab-c the 。", "", " of\n", "of the"])
    assert measured.words.tolist() == [8, 0, 1, 2]
    assert measured.nonsymbol.tolist() == [7, 0, 1, 2]  # all but "--"
    assert measured.nonsymbol_chars.tolist() == [3 + 3 + 3 + 2 + 4 + 3 + 1, 0, 2, 5]
    assert measured.alphabetic.tolist() == [5, 0, 1, 2]
    assert measured.stop_words.tolist() == [1, 0, 1, 2]  # to the letter: not "The", not "of."


def test_each_of_63_stop_words_counts_once():
    stop_words = tuple(f"w{number}" for number in range(MAX_STOP_WORDS))
    text = " ".join(stop_words)
    assert measure([text, f"{text} {text}", "w62 w62 w0"], stop_words).stop_words.tolist() == [
        63,
        63,
        2,
    ]
    assert measure([text], ()).stop_words.tolist() == [0]


def test_no_texts():
    assert all(column.size == 0 for column in measure([]))
