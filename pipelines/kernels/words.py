"""Kernel: words, which are what white space separates, and the marks in them."""

from typing import NamedTuple

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.buffers import TextBuffers
from pipelines.kernels.compiled import compiled
from pipelines.kernels.hashing import HASH_START, hash_items, hash_step
from pipelines.kernels.utf8 import decode

MAX_STOP_WORDS = 63  # one bit each
_MARKS = table.PUNCTUATION | table.SYMBOL
_HASH_SIGN, _FULL_STOP, _ELLIPSIS = ord("#"), ord("."), ord("…")


class WordCounts(NamedTuple):
    """What the words of each text hold, int64."""

    words: np.ndarray
    longest: np.ndarray  # characters of the longest word
    alphabetic: np.ndarray  # words with a letter
    hash_signs: np.ndarray  # "#", anywhere
    ellipses: np.ndarray  # "..." (not overlapping) and "…", anywhere
    stop_words: np.ndarray  # different stop words that occur
    chars: np.ndarray  # characters of all words


def count_words(texts: TextBuffers, stop_words: tuple[str, ...]) -> WordCounts:
    """Count the words of each text in one pass over its bytes.

    A word is a stop word if it is one of ``stop_words``, of which there are at most
    `MAX_STOP_WORDS`, once both are folded and punctuation and symbols are trimmed from the word's
    ends. Compared are 64-bit hashes.
    """
    unicode = table.load_unicode_table()
    counts = np.zeros((texts.num_texts, len(WordCounts._fields)), dtype=np.int64)
    hashes = [hash_items(int(unicode.folded[ord(char)]) for char in word) for word in stop_words]
    _count_all(*texts, *unicode[:2], np.array(hashes, dtype=np.uint64), counts)
    return WordCounts(*counts.T)


@compiled
def _count_all(
    offsets: np.ndarray,
    data: np.ndarray,
    classes: np.ndarray,
    folded: np.ndarray,
    stop_hashes: np.ndarray,
    counts: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        _count_text(data, offsets[row], offsets[row + 1], classes, folded, stop_hashes, counts[row])


@compiled
def _count_text(
    data: np.ndarray,
    at: int,
    end: int,
    classes: np.ndarray,
    folded: np.ndarray,
    stop_hashes: np.ndarray,
    counts: np.ndarray,
) -> None:
    seen = 0
    while at < end:
        code, width = decode(data, at, end)
        if classes[code] & table.SPACE:
            at += width
            continue
        at, num_chars, has_letter, hashed = _read_word(data, at, end, classes, folded, counts)
        counts[0] += 1
        counts[1] = max(counts[1], num_chars)
        counts[6] += num_chars
        counts[2] += has_letter
        seen |= _matches(hashed, stop_hashes)
    while seen:
        counts[5] += 1
        seen &= seen - 1


@compiled
def _read_word(
    data: np.ndarray,
    at: int,
    end: int,
    classes: np.ndarray,
    folded: np.ndarray,
    counts: np.ndarray,
) -> tuple[int, int, bool, np.uint64]:
    """Read one word, count its marks; return (end, characters, has a letter, hash when trimmed)."""
    num_chars = num_stops = 0
    has_letter = has_content = False
    running = trimmed = HASH_START
    while at < end:
        code, width = decode(data, at, end)
        bits = classes[code]
        if bits & table.SPACE:
            break
        at += width
        num_chars += 1
        counts[3] += code == _HASH_SIGN
        num_stops = num_stops + 1 if code == _FULL_STOP else 0
        counts[4] += code == _ELLIPSIS or num_stops == 3
        num_stops %= 3
        is_content = bits & _MARKS == 0
        has_letter |= bits & table.ALPHABETIC != 0
        has_content |= is_content
        if has_content:
            running = hash_step(running, folded[code])
        if is_content:
            trimmed = running
    return at, num_chars, has_letter, trimmed


@compiled
def _matches(hashed: np.uint64, stop_hashes: np.ndarray) -> int:
    for index in range(stop_hashes.size):
        if stop_hashes[index] == hashed:
            return 1 << index
    return 0
