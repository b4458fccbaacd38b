"""Kernel: how many words have a letter, have more than punctuation in them, or are stop words.

It reads words as any splitter gives them (`pipelines.kernels.decoded.Splitter`).
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes, Words
from pipelines.kernels.hashing import hash_codes

MAX_STOP_WORDS = 63  # one bit each


class WordMeasures(NamedTuple):
    """What the words of each text are, int64."""

    words: np.ndarray
    nonsymbol: np.ndarray  # words with a character that is not in the set of punctuation
    nonsymbol_chars: np.ndarray  # characters of those words
    alphabetic: np.ndarray  # words with a letter
    stop_words: np.ndarray  # different stop words that occur


def measure_words(
    texts: Codes,
    words: Words,
    hashes: np.ndarray,
    punctuation: np.ndarray,
    stop_words: tuple[str, ...],
) -> WordMeasures:
    """Measure the words of each text.

    ``hashes`` are the words' `hash_codes`, ``punctuation`` is bool by code point. A word is a stop
    word if it equals one of ``stop_words`` (at most `MAX_STOP_WORDS`) to the letter; compared are
    64-bit hashes.
    """
    measures = np.zeros((texts.num_texts, len(WordMeasures._fields)), dtype=np.int64)
    stop_hashes = np.array([hash_codes(map(ord, word)) for word in stop_words], dtype=np.uint64)
    measures[:, 0] = np.diff(words.offsets)
    _measure_characters(
        *words, texts.codes, table.load_unicode_table().classes, punctuation, measures
    )
    _count_stop_words(words.offsets, hashes, stop_hashes, measures)
    return WordMeasures(*measures.T)


@compiled
def _measure_characters(
    offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    codes: np.ndarray,
    classes: np.ndarray,
    punctuation: np.ndarray,
    measures: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        num_nonsymbol = num_chars = num_alphabetic = 0
        for word in range(offsets[row], offsets[row + 1]):
            is_nonsymbol = is_alphabetic = False
            at, end = starts[word], ends[word]
            while at < end and not (is_nonsymbol and is_alphabetic):
                is_nonsymbol |= not punctuation[codes[at]]
                is_alphabetic |= classes[codes[at]] & table.ALPHABETIC != 0
                at += 1
            num_nonsymbol += is_nonsymbol
            num_chars += is_nonsymbol * (end - starts[word])
            num_alphabetic += is_alphabetic
        measures[row, 1], measures[row, 2] = num_nonsymbol, num_chars
        measures[row, 3] = num_alphabetic


@compiled
def _count_stop_words(
    offsets: np.ndarray, hashes: np.ndarray, stop_hashes: np.ndarray, measures: np.ndarray
) -> None:
    for row in range(offsets.size - 1):
        seen = 0
        for word in range(offsets[row], offsets[row + 1]):
            for number in range(stop_hashes.size):
                seen |= int(hashes[word] == stop_hashes[number]) << number
        while seen:
            measures[row, 4] += 1
            seen &= seen - 1
