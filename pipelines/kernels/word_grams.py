"""Kernel: hashes of the n-grams of words of a text, from those of (n-1)-grams.

An n-gram's hash is a polynomial, modulo 2**64, in an odd number: extended by a word with ``hash``
and ``factor``, a hash ``g`` becomes ``g * factor + hash``. With a word's own hash and always the
same factor, n-grams are equal that consist of equal words. With the hash that `hash_joined` gives
and its factor (the odd number to the power of the word's characters), n-grams are equal whose words
give equal text when they are joined without spaces, however it is divided.

Two different n-grams of one text are taken for equal with odds of about 2**-64: below one in 10**7
for a text of a million words. Texts can be made for which they are; no work grows by that.
"""

import numpy as np

from pipelines.kernels.compiled import compiled

SEQUENCE_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_CHARACTER_FACTOR = np.uint64(0xD6E8FEB86659FD93)
_ONE = np.uint64(1)


@compiled
def hash_joined(
    codes: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    hashes: np.ndarray,
    factors: np.ndarray,
) -> None:
    """Write the hash and the factor (uint64) of each word by which n-grams of text are extended."""
    for word in range(starts.size):
        value, factor = np.uint64(0), _ONE
        for at in range(np.uint64(starts[word]), np.uint64(ends[word])):  # faster than signed
            value = value * _CHARACTER_FACTOR + np.uint64(codes[at]) + _ONE
            factor *= _CHARACTER_FACTOR
        hashes[word], factors[word] = value, factor


@compiled
def extend_grams(grams: np.ndarray, n: int, hashes: np.ndarray, factors: np.ndarray) -> None:
    """Make the hashes of (n-1)-grams into those of n-grams, in place, in the order of the text."""
    last_hashes, last_factors = hashes[n - 1 :], factors[n - 1 :]
    for at in range(last_hashes.size):
        grams[at] = grams[at] * last_factors[at] + last_hashes[at]
