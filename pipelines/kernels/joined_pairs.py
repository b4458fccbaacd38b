"""Kernel: which two characters stand side by side in some piece of a vocabulary.

Where no piece holds two neighbouring characters of a text side by side, no piece lies across the
place between them, and the text may be cut there.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled

SPACE, SHOWN_SPACE = ord(" "), 0x2581  # SentencePiece takes one for the other
NUM_ASCII = 128
_SPARSENESS = 16  # slots for each pair
_FEWEST_BITS = 10
_FIRST_FACTOR, _SECOND_FACTOR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


class JoinedPairs(NamedTuple):
    """Pairs of characters that must stay together.

    ``ascii`` bool [128 x 128] is exact. ``others`` bool, a power of two long, tells of pairs with
    any other character by a hash: a pair that shares its slot with one of a piece is joined too,
    which costs a place to cut and nothing else.
    """

    ascii: np.ndarray
    others: np.ndarray


def pairs_of(pieces: Iterable[str]) -> JoinedPairs:
    """Return the pairs of characters of some pieces, in which U+2581 is the space."""
    found = {pair for piece in pieces for pair in pairwise(piece.replace("\u2581", " "))}
    codes = np.array([[ord(first), ord(second)] for first, second in sorted(found)], np.uint64)
    codes = codes.reshape(-1, 2)
    num_bits = max(int(_SPARSENESS * len(found)).bit_length(), _FEWEST_BITS)
    both_ascii = (codes < NUM_ASCII).all(axis=1)
    table = np.zeros(NUM_ASCII * NUM_ASCII, np.bool_)
    table[codes[both_ascii] @ np.array([NUM_ASCII, 1], np.uint64)] = True
    others = np.zeros(1 << num_bits, np.bool_)
    shift = np.uint64(64 - num_bits)
    for first, second in codes[~both_ascii]:
        others[pair_slot(first, second, shift)] = True
    return JoinedPairs(table, others)


def slot_shift(others: np.ndarray) -> np.uint64:
    """Return ``shift`` of `pair_slot` for a table."""
    return np.uint64(64 - (others.size.bit_length() - 1))


@compiled
def pair_slot(first: np.uint64, second: np.uint64, shift: np.uint64) -> np.int64:
    """Return where a table of ``2 ** (64 - shift)`` slots tells of a pair of code points."""
    return np.int64((first * _FIRST_FACTOR ^ second * _SECOND_FACTOR) >> shift)
