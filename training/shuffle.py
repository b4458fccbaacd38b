"""Orders of n rows that need no memory: keyed bijections of 0 … n-1, the same for ever.

A Feistel network over the next even number of bits, walked again while it leaves 0 … n-1 (Black
and Rogaway 2002). numpy's own permutation holds n numbers, and may change between its versions.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6
DRAWN = 1024  # positions whose rows are found at a time: one costs as much as a hundred
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class Shuffle:
    """The order of ``num_rows`` rows in one epoch of one seed.

    `rows` maps positions to rows; over all positions each row comes exactly once. Two seeds, or two
    epochs of a seed, give unrelated orders.
    """

    def __init__(self, num_rows: int, seed: int, epoch: int):
        self.num_rows = num_rows
        self.half_bits = np.uint64(max(1, -(-(num_rows - 1).bit_length() // 2)))
        self.half_mask = np.uint64((1 << int(self.half_bits)) - 1)
        key_1 = mix(np.full(1, seed % (1 << 64), dtype=np.uint64))
        key_1 = mix(key_1 + np.full(1, epoch, dtype=np.uint64))
        self.round_keys = mix(key_1.repeat(ROUNDS) + np.arange(ROUNDS).astype(np.uint64))

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows [N] at positions [N], each in 0 … num_rows-1."""
        values = self._encrypt(positions.astype(np.uint64))
        while (outside := values >= self.num_rows).any():
            values[outside] = self._encrypt(values[outside])
        return values.astype(np.int64)

    def _encrypt(self, values: NDArray[np.uint64]) -> NDArray[np.uint64]:
        left, right = values >> self.half_bits, values & self.half_mask
        for key in self.round_keys:
            left, right = right, left ^ (mix(right + key) & self.half_mask)
        return (left << self.half_bits) | right


class Order:
    """The rows at all positions: epoch after epoch, each in an order of its own (`Shuffle`)."""

    def __init__(self, num_rows: int, seed: int):
        self.num_rows, self.seed = num_rows, seed
        self._drawn = min(DRAWN, num_rows)
        self._block = lru_cache(maxsize=2)(self._new_block)

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows [N] at positions [N], from 0 on without end."""
        blocks, within = np.divmod(positions, self._drawn)
        rows = np.empty_like(positions)
        for block in np.unique(blocks):
            here = blocks == block
            rows[here] = self._block(int(block))[within[here]]
        return rows

    def _new_block(self, block: int) -> NDArray[np.int64]:
        """Return the rows of a block's positions, which lie in two epochs at most."""
        epochs, places = np.divmod(np.arange(self._drawn) + block * self._drawn, self.num_rows)
        rows = np.empty_like(places)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            rows[here] = Shuffle(self.num_rows, self.seed, int(epoch)).rows(places[here])
        return rows


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return each value's bits well mixed, modulo 2^64 (the finaliser of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * _MULTIPLIERS[0]
    values = (values ^ (values >> np.uint64(27))) * _MULTIPLIERS[1]
    return values ^ (values >> np.uint64(31))
