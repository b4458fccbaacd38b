"""Best-fit-decreasing bin packing of many pieces of few lengths, in numpy.

Ding et al. 2024, "Fewer Truncations Improve Language Modeling", appendix B: the longest piece
first, each into the fullest row that has room for it. Pieces of one length are placed together, and
rows with equally much room are taken together, so that the loop runs over lengths: about S log S
times for rows of S tokens, however many pieces there are.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


def best_fit_decreasing(lengths_P: Numbers, room: int) -> tuple[Numbers, int]:
    """Return the row of each piece [P], and how many rows of ``room`` tokens they fill.

    ``lengths_P`` stand in decreasing order; each is from 1 to ``room``. The rows are as full as if
    the pieces were placed one by one; rows with equally much room left are taken in order of age.
    """
    rows_P = np.empty(len(lengths_P), np.int64)
    open_rows = _OpenRows(room)
    cuts = np.flatnonzero(np.diff(lengths_P)) + 1
    for first, last in pairwise([0, *cuts.tolist(), len(lengths_P)]):
        while first < last:
            length = int(lengths_P[first])
            rows, left = open_rows.tightest(length, last - first)
            each = left // length
            count = min(last - first, each * len(rows))
            rows_P[first : first + count] = np.repeat(rows, each)[:count]
            open_rows.put_back(rows, left, length, count)
            first += count
    return rows_P, open_rows.num_rows


class _OpenRows:
    """Rows by how much room they have left; rows without any are forgotten."""

    def __init__(self, room: int):
        self.room, self.num_rows = room, 0
        self._rows: dict[int, list[Numbers]] = {}
        self._rooms: list[int] = []

    def tightest(self, length: int, num_pieces: int) -> tuple[Numbers, int]:
        """Take the rows with the least room that is enough, as many as are needed; and the room.

        They are new ones where no row has enough.
        """
        at = bisect_left(self._rooms, length)
        if at == len(self._rooms):
            needed = -(-num_pieces // (self.room // length))
            self.num_rows += needed
            return np.arange(self.num_rows - needed, self.num_rows), self.room
        left = self._rooms.pop(at)
        needed = -(-num_pieces // (left // length))
        rows = np.concatenate(self._rows.pop(left))
        if needed < len(rows):
            self._add(left, rows[needed:])
        return rows[:needed], left

    def put_back(self, rows: Numbers, left: int, length: int, count: int) -> None:
        """Return rows after ``count`` pieces went into them, as many into each as there was room.

        The last one got the rest.
        """
        each = left // length
        num_full, rest = divmod(count, each)
        self._add(left - each * length, rows[:num_full])
        if rest:
            self._add(left - rest * length, rows[num_full:])

    def _add(self, left: int, rows: Numbers) -> None:
        if not left or not len(rows):
            return
        if left not in self._rows:
            insort(self._rooms, left)
        self._rows.setdefault(left, []).append(rows)
