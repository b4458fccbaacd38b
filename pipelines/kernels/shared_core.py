"""Kernel: of the runs that two texts have in common, the row that is their core.

A run counts its words for a row, and what stands between two runs counts against it: the row of
the highest sum is the core (Kadane's maximum subarray; Bentley: Programming pearls, 1984). So an
article between two frames is the core, and not what the frames share; two pages of one site have
the longer part of their frame for a core, and other articles before or behind it.
"""

import numpy as np

from pipelines.kernels.anchors import RunRoom
from pipelines.kernels.compiled import compiled

SOLID_WORDS = 8  # of the first run of a core, and of its last
HEADLINE_WORDS = 3  # in a row, of a headline that the text below it begins with
HEADLINE_REACH = 64  # words of that text
_OTHERS = 4  # words of a run that begins with a headline


@compiled
def find_core(
    words: np.ndarray, others: np.ndarray, room: RunRoom, num_runs: int
) -> tuple[int, int]:
    """Return the first and the last run of the core; the last before the first if there is none.

    A headline that both texts have, and that the core begins with, is not of the core.
    """
    _free_headline(words, others, room, num_runs)
    starts, other_starts, lengths = room.starts, room.other_starts, room.lengths
    first, last, best, row_first, score = 0, -1, 0, 0, 0
    for number in range(num_runs):
        if number:
            end = starts[number - 1] + lengths[number - 1]
            other_end = other_starts[number - 1] + lengths[number - 1]
            score -= max(starts[number] - end, other_starts[number] - other_end)
            if score <= 0:
                score, row_first = 0, number
        score += lengths[number]
        if score > best:
            best, first, last = score, row_first, number
    while first <= last and (
        lengths[first] < SOLID_WORDS
        or (first < last and _is_headline(words, starts[first], lengths[first], starts[first + 1]))
    ):
        first += 1
    while first <= last and lengths[last] < SOLID_WORDS:
        last -= 1
    return first, last


@compiled
def _free_headline(words: np.ndarray, others: np.ndarray, room: RunRoom, num_runs: int) -> None:
    """Give the words that both texts begin with to the run behind them, if they end the gap.

    A headline made of an article's first words is laid beside the article of a text that has no
    headline, and the article's first words stand against nothing: it is the other way round.
    """
    starts, other_starts, lengths = room.starts, room.other_starts, room.lengths
    size = lengths[0]
    if num_runs < 2 or size == 0 or (starts[1] == size) == (other_starts[1] == size):
        return
    for back in range(1, size + 1):
        if words[size - back] != words[starts[1] - back]:
            return
        if others[size - back] != others[other_starts[1] - back]:
            return
    starts[1], other_starts[1] = starts[1] - size, other_starts[1] - size
    lengths[0], lengths[1] = 0, lengths[1] + size


@compiled
def _is_headline(words: np.ndarray, start: int, length: int, below: int) -> bool:
    """Return whether a run, but for a few words at its end, is said again where a text begins."""
    if length > HEADLINE_REACH:
        return False
    wanted = max(HEADLINE_WORDS, length - _OTHERS)
    for at in range(below, min(below + HEADLINE_REACH, words.size - wanted + 1)):
        same = 0
        while same < wanted and words[start + same] == words[at + same]:
            same += 1
        if same == wanted:
            return True
    return False
