"""Kernel: word shingles, the sets by which near-duplicates are found and verified.

A shingle is a run of neighbouring words. Its hash is a polynomial in the hashes of its words,
modulo 2**64, mixed so that all bits depend on all words; shingles are equal if their hashes are.
Two different shingles of two texts are taken for equal with odds of about 2**-64 for each pair.
Texts can be made for which they are; no work grows by that.
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes
from pipelines.kernels.normal_words import normal_words
from pipelines.kernels.word_grams import SEQUENCE_FACTOR

NUM_WORDS = 5
_DIGIT_BITS, _NUM_DIGITS = 8, 8  # of a hash, to sort by


class Shingles(NamedTuple):
    """The shingles of ``n`` texts: those of text ``i`` are ``hashes[offsets[i]:offsets[i + 1]]``.

    ``offsets`` is int64 of length ``n + 1``, ``hashes`` uint64. They stand in the order of the
    text, or are a sorted set where `unique_shingles` made them.
    """

    offsets: np.ndarray
    hashes: np.ndarray

    @property
    def num_texts(self) -> int:
        """How many texts there are."""
        return self.offsets.size - 1


def text_shingles(texts: Codes, num_words: int = NUM_WORDS) -> Shingles:
    """Return the shingles of some texts' normalised forms (`pipelines.kernels.normal_words`).

    Texts that differ only in case, punctuation, white space and invisible characters have the same.
    """
    return word_shingles(*normal_words(texts), num_words)


def word_shingles(offsets: np.ndarray, hashes: np.ndarray, num_words: int = NUM_WORDS) -> Shingles:
    """Return the shingles of texts whose words have ``hashes`` (uint64).

    Text ``i`` has the words ``offsets[i]:offsets[i + 1]``, and one shingle less than words for each
    word of a shingle after its first. With fewer than ``num_words`` words (at least 1) it has no
    shingle: such texts are compared as a whole, as exact duplicates.
    """
    counts = np.maximum(np.diff(offsets) - (num_words - 1), 0)
    ends = np.zeros(offsets.size, dtype=np.int64)
    np.cumsum(counts, out=ends[1:])
    shingles = np.empty(ends[-1], dtype=np.uint64)
    _hash_shingles(offsets, hashes, num_words, ends, shingles)
    return Shingles(ends, shingles)


def unique_shingles(shingles: Shingles) -> Shingles:
    """Return the set of each text's shingles, sorted. Time is linear whoever chose the texts."""
    hashes = shingles.hashes.copy()
    offsets = np.zeros_like(shingles.offsets)
    _make_sets(shingles.offsets, hashes, offsets)
    return Shingles(offsets, hashes[: offsets[-1]])


@compiled
def mixed(key: np.uint64) -> np.uint64:
    """Return a key whose bits each depend on all bits of ``key``, one to one.

    The end of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators,
    OOPSLA 2014), with the numbers of Stafford's variant 13.
    """
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


@compiled
def _hash_shingles(
    offsets: np.ndarray,
    hashes: np.ndarray,
    num_words: int,
    ends: np.ndarray,
    shingles: np.ndarray,
) -> None:
    factor_of_first = np.uint64(1)
    for _ in range(num_words):
        factor_of_first *= SEQUENCE_FACTOR
    for row in range(offsets.size - 1):
        value = np.uint64(0)
        start, written = offsets[row], ends[row]
        for at in range(start, offsets[row + 1]):
            value = value * SEQUENCE_FACTOR + hashes[at]
            if at >= start + num_words:
                value -= hashes[at - num_words] * factor_of_first
            if at >= start + num_words - 1:
                shingles[written] = mixed(value)
                written += 1


@compiled
def _make_sets(offsets: np.ndarray, hashes: np.ndarray, ends: np.ndarray) -> None:
    """Make the shingles of each text a sorted set, and move the sets to the front of ``hashes``."""
    longest = 0
    for row in range(offsets.size - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    scratch = np.empty(longest, dtype=np.uint64)
    written = 0
    for row in range(offsets.size - 1):
        _sort(hashes[offsets[row] : offsets[row + 1]], scratch)
        first = written
        for at in range(offsets[row], offsets[row + 1]):
            if written == first or hashes[at] != hashes[written - 1]:
                hashes[written] = hashes[at]
                written += 1
        ends[row + 1] = written


@compiled
def _sort(hashes: np.ndarray, scratch: np.ndarray) -> None:
    """Sort by one digit after the other, the last first: an even number of times to and fro."""
    source, target = hashes, scratch[: hashes.size]
    for digit in range(_NUM_DIGITS):
        shift = np.uint64(digit * _DIGIT_BITS)
        _sort_by_digit(source, target, shift)
        source, target = target, source


@compiled
def _sort_by_digit(source: np.ndarray, target: np.ndarray, shift: np.uint64) -> None:
    mask = np.uint64((1 << _DIGIT_BITS) - 1)
    places = np.zeros((1 << _DIGIT_BITS) + 1, dtype=np.int64)
    for value in source:
        places[((value >> shift) & mask) + np.uint64(1)] += 1
    for digit in range(1 << _DIGIT_BITS):
        places[digit + 1] += places[digit]
    for value in source:
        digit = (value >> shift) & mask
        target[places[digit]] = value
        places[digit] += 1
