"""Sources mixed by weight: which row of which source stands at each place of the data.

Stands between the sources' rows and the loader. A place is a step's number times its rows and the
row within it, so a step's rows follow from weights, sizes, seed and step alone: any step can be had
at once, on any worker, after any stop. Places come in blocks of `BLOCK`; every block holds of each
source exactly its share, in an order drawn from seed and block. A source's rows come in an order of
its own, all of them before any comes again.

Shapes: B places.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import UsageError
from training.shuffle import Order, Shuffle

BLOCK = 1024
_OF_BLOCKS = 1 << 62  # keeps the shuffles of blocks apart from those of rows


class Mixture:
    """Draws rows of sources in proportion to their weights.

    ``num_rows`` is how many rows each source has, ``weights`` how often its rows are drawn; both by
    name, in one order. Rows are numbered through the sources in that order. Raises UsageError if
    the names differ, a weight is not above 0, or one is too small to be in a block at all.
    """

    def __init__(self, num_rows: Mapping[str, int], weights: Mapping[str, float], seed: int):
        check_weights(num_rows, weights)
        self.names = tuple(num_rows)
        self.sizes = tuple(num_rows.values())
        self.seed = seed
        self.shares = block_shares([weights[name] for name in self.names])
        for name, share in zip(self.names, self.shares, strict=True):
            if share == 0:
                raise UsageError(
                    f"source_weights.{name} is {weights[name]}, less than 1 in {BLOCK} of all; "
                    "leave the source out, or give it more"
                )
        self.starts = np.cumsum([0, *self.sizes])
        self._orders = [Order(size, seed + number) for number, size in enumerate(self.sizes)]
        self._block = lru_cache(maxsize=8)(self._new_block)

    def rows(self, places_B: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the numbers [B] of the rows at some places, and in which epoch of their source."""
        blocks_B, within_B = np.divmod(places_B, BLOCK)
        sources_B, drawn_B = np.empty_like(places_B), np.empty_like(places_B)
        for block in np.unique(blocks_B):
            here_B = blocks_B == block
            sources, ranks = self._block(int(block))
            sources_B[here_B] = sources[within_B[here_B]]
            before = block * np.array(self.shares)[sources_B[here_B]]
            drawn_B[here_B] = before + ranks[within_B[here_B]]
        row_ids_B = np.empty_like(places_B)
        for source in np.unique(sources_B):
            mine_B = sources_B == source
            row_ids_B[mine_B] = self.starts[source] + self._orders[source].rows(drawn_B[mine_B])
        return row_ids_B, drawn_B // np.array(self.sizes)[sources_B]

    def _new_block(self, block: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the source at each place of a block, and which of the source's it is there."""
        ordered = np.repeat(np.arange(len(self.sizes)), self.shares)
        order = Shuffle(BLOCK, self.seed, _OF_BLOCKS + block).rows(np.arange(BLOCK))
        sources = ordered[order]
        ranks = np.zeros(BLOCK, np.int64)
        for source, share in enumerate(self.shares):
            ranks[sources == source] = np.arange(share)
        return sources, ranks


def check_weights(num_rows: Mapping[str, int], weights: Mapping[str, float]) -> None:
    """Raise UsageError unless there is a weight above 0 for each source, and each has a row."""
    if unknown := sorted(set(weights) - set(num_rows)):
        raise UsageError(
            f"source_weights names {unknown[0]}, but there is no such source to learn from; "
            f"there are {', '.join(sorted(num_rows))}"
        )
    if missing := sorted(set(num_rows) - set(weights)):
        raise UsageError(f"source_weights says nothing of {missing[0]}; give it a weight")
    for name, weight in weights.items():
        if not 0 < weight < float("inf"):
            raise UsageError(f"source_weights.{name} is {weight}; give a number above 0")
        if num_rows[name] < 1:
            raise UsageError(f"source {name} has no row to learn from; leave its weight out")


def block_shares(weights: list[float]) -> list[int]:
    """Return how many of `BLOCK` places each weight gets: whole numbers, by largest remainder."""
    exact = np.array(weights, np.float64) / sum(weights) * BLOCK
    shares = np.floor(exact).astype(np.int64)
    by_remainder = np.argsort(-(exact - shares), kind="stable")
    shares[by_remainder[: BLOCK - int(shares.sum())]] += 1
    return [int(share) for share in shares]
