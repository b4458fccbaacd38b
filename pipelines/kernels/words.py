"""Kernel: words, which are what white space separates, and the marks in them."""

from typing import NamedTuple

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes
from pipelines.kernels.hashing import HASH_START, hash_codes, hash_step

MAX_STOP_WORDS = 63  # one bit each
_MARKS = table.PUNCTUATION | table.SYMBOL
_HASH_SIGN, _FULL_STOP, _ELLIPSIS = ord("#"), ord("."), ord("…")


class WordCounts(NamedTuple):
    """What the words of each text hold, int64."""

    words: np.ndarray
    chars: np.ndarray  # characters of all words
    longest: np.ndarray  # characters of the longest word
    alphabetic: np.ndarray  # words with a letter
    hash_signs: np.ndarray  # "#", anywhere
    ellipses: np.ndarray  # "..." (not overlapping) and "…", anywhere
    stop_words: np.ndarray  # different stop words that occur


def count_words(texts: Codes, stop_words: tuple[str, ...]) -> WordCounts:
    """Count the words of each text.

    A word is a stop word if it is one of ``stop_words``, of which there are at most
    `MAX_STOP_WORDS`, once both are folded and punctuation and symbols are trimmed from the word's
    ends. Compared are 64-bit hashes.
    """
    unicode = table.load_unicode_table()
    counts = np.zeros((texts.num_texts, len(WordCounts._fields)), dtype=np.int64)
    hashes = [hash_codes(int(unicode.folded[ord(char)]) for char in word) for word in stop_words]
    stop_hashes = np.array(hashes, dtype=np.uint64)
    _count_all(*texts, unicode.classes, unicode.folded, stop_hashes, counts)
    return WordCounts(*counts.T)


@compiled
def _count_all(
    offsets: np.ndarray,
    all_codes: np.ndarray,
    classes: np.ndarray,
    folded: np.ndarray,
    stop_hashes: np.ndarray,
    counts: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        codes = all_codes[offsets[row] : offsets[row + 1]]
        _count_words(codes, classes, counts[row])
        _count_marks(codes, counts[row])
        counts[row, 6] = _count_stop_words(codes, classes, folded, stop_hashes)


@compiled
def _count_words(codes: np.ndarray, classes: np.ndarray, counts: np.ndarray) -> None:
    num_words = num_chars = longest = num_alphabetic = 0
    length = letters = 0  # of the word that we are in: its characters, and 1 if it has a letter
    for code in codes:
        bits = classes[code]
        inside = int(bits & table.SPACE == 0)
        letter = int(bits & table.ALPHABETIC != 0)
        num_chars += inside
        num_words += inside & (length == 0)
        num_alphabetic += letter & (letters == 0)
        length = (length + 1) * inside
        letters = (letters | letter) * inside
        longest = max(longest, length)
    counts[0], counts[1], counts[2], counts[3] = num_words, num_chars, longest, num_alphabetic


@compiled
def _count_marks(codes: np.ndarray, counts: np.ndarray) -> None:
    num_hash_signs = num_ellipses = num_stops = 0
    for code in codes:
        num_hash_signs += code == _HASH_SIGN
        num_stops = num_stops + 1 if code == _FULL_STOP else 0
        if num_stops == 3 or code == _ELLIPSIS:
            num_ellipses += 1
            num_stops = 0
    counts[4], counts[5] = num_hash_signs, num_ellipses


@compiled
def _count_stop_words(
    codes: np.ndarray, classes: np.ndarray, folded: np.ndarray, stop_hashes: np.ndarray
) -> int:
    seen = 0
    running = trimmed = HASH_START  # of the word so far, and as far as its last letter
    for index in range(codes.size + 1):
        code = codes[index] if index < codes.size else 0x20
        bits = classes[code]
        if bits & table.SPACE:
            for number in range(stop_hashes.size):
                seen |= int(stop_hashes[number] == trimmed) << number
            running = trimmed = HASH_START
        elif bits & _MARKS == 0:
            trimmed = running = hash_step(running, folded[code])
        elif trimmed != HASH_START:
            running = hash_step(running, folded[code])
    num_seen = 0
    while seen:
        num_seen += 1
        seen &= seen - 1
    return num_seen
