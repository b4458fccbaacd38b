"""Kernel: what the words of a text are like, white space dividing them, and the marks in it."""

from typing import NamedTuple

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes, Words
from pipelines.kernels.hashing import HASH_START, hash_codes, hash_step
from pipelines.kernels.marks import hash_signs_and_ellipses

MAX_STOP_WORDS = 63  # one bit each
_MARKS = table.PUNCTUATION | table.SYMBOL


class WordCounts(NamedTuple):
    """What the words of each text hold, int64."""

    words: np.ndarray
    chars: np.ndarray  # characters of all words
    longest: np.ndarray  # characters of the longest word
    alphabetic: np.ndarray  # words with a letter
    hash_signs: np.ndarray  # "#", anywhere
    ellipses: np.ndarray  # "..." (not overlapping) and "…", anywhere
    stop_words: np.ndarray  # different stop words that occur


def count_words(texts: Codes, words: Words, stop_words: tuple[str, ...]) -> WordCounts:
    """Count the words of each text, which are given.

    A word is a stop word if it is one of ``stop_words``, of which there are at most
    `MAX_STOP_WORDS`, once both are folded and punctuation and symbols are trimmed from the word's
    ends. Compared are 64-bit hashes.
    """
    unicode = table.load_unicode_table()
    counts = np.zeros((texts.num_texts, len(WordCounts._fields)), dtype=np.int64)
    hashes = [hash_codes(int(unicode.folded[ord(char)]) for char in word) for word in stop_words]
    stop_hashes = np.array(hashes, dtype=np.uint64)
    longest = max(map(len, stop_words), default=0)
    _count_all(*texts, *words, unicode.classes, unicode.folded, stop_hashes, longest, counts)
    return WordCounts(*counts.T)


@compiled
def _count_all(
    offsets: np.ndarray,
    codes: np.ndarray,
    word_offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    classes: np.ndarray,
    folded: np.ndarray,
    stop_hashes: np.ndarray,
    longest: int,
    counts: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        mine = slice(word_offsets[row], word_offsets[row + 1])
        _measure_words(codes, starts[mine], ends[mine], classes, counts[row])
        text = codes[offsets[row] : offsets[row + 1]]
        counts[row, 4], counts[row, 5] = hash_signs_and_ellipses(text)
        counts[row, 6] = _count_stop_words(
            codes, starts[mine], ends[mine], classes, folded, stop_hashes, longest
        )


@compiled
def _measure_words(
    codes: np.ndarray, starts: np.ndarray, ends: np.ndarray, classes: np.ndarray, counts: np.ndarray
) -> None:
    num_chars = longest = num_alphabetic = 0
    for word in range(starts.size):
        first, last = starts[word], ends[word]
        num_chars += last - first
        longest = max(longest, last - first)
        while first < last and classes[codes[first]] & table.ALPHABETIC == 0:
            first += 1
        num_alphabetic += first < last
    counts[0], counts[1], counts[2], counts[3] = starts.size, num_chars, longest, num_alphabetic


@compiled
def _count_stop_words(
    codes: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    classes: np.ndarray,
    folded: np.ndarray,
    stop_hashes: np.ndarray,
    longest: int,
) -> int:
    seen = 0
    for word in range(starts.size):
        first, last = starts[word], ends[word]
        while first < last and classes[codes[first]] & _MARKS:
            first += 1
        while first < last and classes[codes[last - 1]] & _MARKS:
            last -= 1
        if first < last and last - first <= longest:
            value = HASH_START
            for at in range(first, last):
                value = hash_step(value, folded[codes[at]])
            for number in range(stop_hashes.size):
                seen |= int(stop_hashes[number] == value) << number
    num_seen = 0
    while seen:
        num_seen += 1
        seen &= seen - 1
    return num_seen
