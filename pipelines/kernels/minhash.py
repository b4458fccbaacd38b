"""Kernel: MinHash signatures of shingles, and the keys of their bands.

Of each of ``bands * rows`` permutations a text keeps the least value that a shingle of it takes
(Broder: On the resemblance and containment of documents, 1997): two texts keep the same one with a
probability that is their Jaccard similarity. Rows make up bands, of which each has a key; texts
that share a key are candidates, for `pipelines.kernels.overlap` to verify.

A permutation is ``a * x + b`` modulo 2**32 with odd ``a``, of the first half ``x`` of a shingle's
hash, which is mixed already: processors do eight at a time. Linear permutations (modulo a prime:
Bohman, Cooper, Frieze: Min-wise independent linear permutations, 2000) are near enough to min-wise
independence for sets that are not made against them, which a test proves for these: it holds the
odds of a shared key against the formula. The least values of unlike texts of a million shingles
meet with odds below one in a thousand; that adds a candidate and no duplicate.
"""

from dataclasses import dataclass

import numpy as np

from data_contracts.errors import UsageError
from pipelines.kernels.compiled import compiled
from pipelines.kernels.shingles import Shingles, mixed
from pipelines.kernels.word_grams import SEQUENCE_FACTOR

MAX_PERMUTATIONS = 4096
_BLOCK = 4096  # shingles that are asked of all permutations while they are near the processor
_WORD = 2**64 - 1
_STEP = 0x9E3779B97F4A7C15  # of SplitMix64
_LARGEST = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True)
class Banding:
    """``num_bands`` bands of ``num_rows`` permutations each, drawn by ``seed``.

    More rows make candidates rarer, more bands likelier. Raises `UsageError` unless both are at
    least 1 and their product is at most `MAX_PERMUTATIONS`, and the seed has 64 bits.
    """

    num_bands: int
    num_rows: int
    seed: int = 1

    def __post_init__(self) -> None:
        if min(self.num_bands, self.num_rows) < 1 or self.num_permutations > MAX_PERMUTATIONS:
            raise UsageError(
                f"{self.num_bands} bands of {self.num_rows} rows cannot be; give at least one of "
                f"each, and at most {MAX_PERMUTATIONS} rows in all."
            )
        if not 0 <= self.seed <= _WORD:
            raise UsageError(f"The seed {self.seed} is not in [0, 2**64).")

    @property
    def num_permutations(self) -> int:
        """How many values a signature has."""
        return self.num_bands * self.num_rows

    def candidate_odds(self, jaccard: float) -> float:
        """Return the probability that texts of this similarity share at least one key."""
        return float(1 - (1 - jaccard**self.num_rows) ** self.num_bands)


FINEWEB = Banding(14, 8)  # 0.56 at 0.7, 0.92 at 0.8, 0.9996 at 0.9
HIGH_RECALL = Banding(18, 6)  # 0.90 at 0.7, 0.996 at 0.8


def has_signature(shingles: Shingles) -> np.ndarray:
    """Return for each text whether it has a shingle, bool: without one it is like no other."""
    return np.diff(shingles.offsets) > 0


def min_hashes(shingles: Shingles, banding: Banding) -> np.ndarray:
    """Return the signature of each text, uint32 of shape ``(n, num_permutations)``.

    It depends on the set of its shingles alone; without any (`has_signature`) all of it is
    ``2**32 - 1``.
    """
    permutations = _draw_permutations(banding)
    signatures = np.empty((shingles.num_texts, banding.num_permutations), dtype=np.uint32)
    _sign_all(shingles.offsets, _halves(shingles), *permutations, signatures)
    return signatures


def band_keys(shingles: Shingles, banding: Banding) -> np.ndarray:
    """Return the key of each text's bands, uint64 of shape ``(n, num_bands)``.

    Keys are a hash of the band's number and of its part of the signature, so those of another band,
    seed or number of rows do not meet. Without a shingle (`has_signature`) they mean nothing: such
    texts must not be grouped.
    """
    keys = np.empty((shingles.num_texts, banding.num_bands), dtype=np.uint64)
    starts = _draw(banding.seed ^ (banding.num_rows << 32), banding.num_bands)
    keys[:] = np.array(starts, dtype=np.uint64)
    _hash_all(shingles.offsets, _halves(shingles), *_draw_permutations(banding), keys)
    return keys


def _halves(shingles: Shingles) -> np.ndarray:
    return (shingles.hashes >> np.uint64(32)).astype(np.uint32)


def _draw_permutations(banding: Banding) -> tuple[np.ndarray, np.ndarray]:
    """Return the odd factors and the terms, uint32: upper and lower halves of `_draw`'s numbers."""
    drawn = _draw(banding.seed, banding.num_permutations)
    factors = np.array([number >> 32 | 1 for number in drawn], dtype=np.uint32)
    return factors, np.array([number & 0xFFFFFFFF for number in drawn], dtype=np.uint32)


def _draw(seed: int, count: int) -> list[int]:
    """Return the first numbers of SplitMix64 (see `pipelines.kernels.shingles.mixed`)."""
    states = [(seed + number * _STEP) & _WORD for number in range(1, count + 1)]
    return [int(mixed(np.uint64(state))) for state in states]


@compiled
def _sign(
    halves: np.ndarray, factors: np.ndarray, terms: np.ndarray, signature: np.ndarray
) -> None:
    """Write the signature of a text, block by block and permutation by permutation."""
    signature[:] = _LARGEST
    for start in range(0, halves.size, _BLOCK):
        block = halves[start : start + _BLOCK]
        for number in range(factors.size):
            factor, term = factors[number], terms[number]
            least = signature[number]
            for index in range(block.size):
                least = min(least, np.uint32(block[index] * factor + term))
            signature[number] = least


@compiled
def _sign_all(
    offsets: np.ndarray,
    halves: np.ndarray,
    factors: np.ndarray,
    terms: np.ndarray,
    signatures: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        _sign(halves[offsets[row] : offsets[row + 1]], factors, terms, signatures[row])


@compiled
def _hash_all(
    offsets: np.ndarray,
    halves: np.ndarray,
    factors: np.ndarray,
    terms: np.ndarray,
    keys: np.ndarray,
) -> None:
    """Extend keys, of which each holds what it starts from, by their parts of the signatures."""
    signature = np.empty(factors.size, dtype=np.uint32)
    num_rows = factors.size // keys.shape[1]
    for row in range(offsets.size - 1):
        _sign(halves[offsets[row] : offsets[row + 1]], factors, terms, signature)
        for number in range(signature.size):
            key = keys[row, number // num_rows] * SEQUENCE_FACTOR + np.uint64(signature[number])
            keys[row, number // num_rows] = mixed(key)
