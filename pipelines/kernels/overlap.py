"""Kernel: how much of their shingles two texts share, exactly: what verifies a candidate.

Band keys propose pairs; a pair is a near-duplicate if its shingles say so.
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.shingles import Shingles


class Overlaps(NamedTuple):
    """Sizes of the sets of ``m`` pairs of texts and of what they have in common, int64."""

    common: np.ndarray
    left: np.ndarray
    right: np.ndarray

    @property
    def jaccard(self) -> np.ndarray:
        """Shared part of the pair's shingles, float64: ``|A & B| / |A | B|``, 0 of two empty."""
        return _divide(self.common, self.left + self.right - self.common)

    @property
    def containment(self) -> np.ndarray:
        """Shared part of the smaller set, float64: ``|A & B| / min(|A|, |B|)``, 0 of an empty one.

        It is 1 where all of one text's shingles stand in the other (Broder, 1997).
        """
        return _divide(self.common, np.minimum(self.left, self.right))


def find_overlaps(sets: Shingles, left: np.ndarray, right: np.ndarray) -> Overlaps:
    """Compare text ``left[p]`` with ``right[p]`` for each pair ``p``; both are int64 indices.

    ``sets`` are those of `pipelines.kernels.shingles.unique_shingles`. A pair takes time linear in
    the sizes of its sets and no memory but its three counts. Raises `IndexError` for a text that
    is not there.
    """
    sizes = np.diff(sets.offsets)
    if left.size and min(left.min(), right.min()) < 0:
        raise IndexError("indices of texts are counted from 0")
    overlaps = Overlaps(np.zeros(left.size, dtype=np.int64), sizes[left], sizes[right])
    _count_common(*sets, left, right, overlaps.common)
    return overlaps


def _divide(numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
    """Return one division of integers for each, 0.0 where the denominator is 0."""
    return numerators / np.maximum(denominators, 1)


@compiled
def _count_common(
    offsets: np.ndarray,
    hashes: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    common: np.ndarray,
) -> None:
    for pair in range(left.size):
        at, left_end = offsets[left[pair]], offsets[left[pair] + 1]
        other, right_end = offsets[right[pair]], offsets[right[pair] + 1]
        num_common = 0
        while at < left_end and other < right_end:
            one, two = hashes[at], hashes[other]
            num_common += one == two
            at += one <= two
            other += two <= one
        common[pair] = num_common
