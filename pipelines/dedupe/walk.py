"""The walk among near-duplicates: which of them stay, so that none goes for one that goes."""

from __future__ import annotations

import numpy as np


def walk(
    left: np.ndarray,
    right: np.ndarray,
    jaccard: np.ndarray,
    containment: np.ndarray,
    num_pinned: int = 0,
) -> dict[int, int]:
    """Return the dropped ones of some ranked texts, each with the pair that drops it.

    ``left[p]`` and ``right[p]`` are the ranks of pair ``p``'s texts, 0 first. Texts are looked at
    in that order, and one is dropped if a pair joins it to one that is kept already; of several the
    most similar, by ``jaccard``, then ``containment``, then rank. So a kept text is like no other
    kept one, and no chain of likenesses drops a text that is not itself like one that stays.
    The first ``num_pinned`` are kept, whatever they are like.
    """
    earlier, later = np.minimum(left, right), np.maximum(left, right)
    order = np.lexsort((earlier, -containment, -jaccard, later))
    dropped: dict[int, int] = {}
    for pair, one, other in zip(
        order.tolist(), earlier[order].tolist(), later[order].tolist(), strict=True
    ):
        if other >= num_pinned and other not in dropped and one not in dropped:
            dropped[other] = pair
    return dropped
