"""Kernel: the runs of equal words by which two texts are laid beside each other.

Runs grow from the words that begin both texts, those that end both, and *anchors*: `ANCHOR_WORDS`
words in a row that stand once in each of what is left. Of all anchors the longest row is taken that
goes up in both (Cohen's patience diff; the longest increasing subsequence by Schensted: Longest
increasing and decreasing subsequences, 1961).
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.shingles import mixed
from pipelines.kernels.word_grams import SEQUENCE_FACTOR

ANCHOR_WORDS = 3
MAX_PROBES = 64  # of a slot; a run that finds none is no anchor, so made texts cost no more
_MANY = -1


class RunRoom(NamedTuple):
    """Where `find_runs` works and writes, int32: kept from pair to pair.

    Run ``k`` is ``lengths[k]`` equal words from ``starts[k]`` in one text and from
    ``other_starts[k]`` in the other, counted from the beginning of each.
    """

    starts: np.ndarray
    other_starts: np.ndarray
    lengths: np.ndarray
    slots: np.ndarray
    partners: np.ndarray
    before: np.ndarray
    row: np.ndarray


def run_room(num_words: int) -> RunRoom:
    """Return room for pairs of texts of which the shorter has up to ``num_words`` words."""
    num_slots = 1 << int(max(2 * num_words, 2) - 1).bit_length()
    starts, other_starts, lengths = np.zeros((3, num_words + 2), np.int32)
    partners, before, row = np.zeros((3, num_words + 1), np.int32)
    slots = np.zeros(num_slots, np.int32)
    return RunRoom(starts, other_starts, lengths, slots, partners, before, row)


@compiled
def find_runs(words: np.ndarray, others: np.ndarray, room: RunRoom) -> int:
    """Write the runs that two texts have in common, and return how many there are.

    ``words`` and ``others`` are hashes of words (uint64), the shorter text first. Runs go up in
    both texts and do not overlap; the first is at the beginning of both and the last at their end,
    even where these are empty. Time is linear, and ``n log n`` where the order of ``n`` anchors is
    mixed up.
    """
    num_first = _count_equal(words, others)
    num_last = _count_equal(words[num_first:][::-1], others[num_first:][::-1])
    num_anchors = _find_anchors(
        words[num_first : words.size - num_last], others[num_first : others.size - num_last], room
    )
    starts, other_starts, lengths = room.starts, room.other_starts, room.lengths
    starts[0], other_starts[0], lengths[0] = 0, 0, num_first
    at, other, num_runs = num_first, num_first, 1
    stop, other_stop = words.size - num_last, others.size - num_last
    for number in range(num_anchors):
        place = room.row[number]
        start, other_start = num_first + place, num_first + room.partners[place] - 1
        if start < at or other_start < other:
            continue
        while start > at and other_start > other and words[start - 1] == others[other_start - 1]:
            start, other_start = start - 1, other_start - 1
        starts[num_runs], other_starts[num_runs] = start, other_start
        at, other = start, other_start
        while at < stop and other < other_stop and words[at] == others[other]:
            at, other = at + 1, other + 1
        lengths[num_runs] = at - start
        num_runs += 1
    starts[num_runs], other_starts[num_runs], lengths[num_runs] = stop, other_stop, num_last
    return num_runs + 1


@compiled
def _count_equal(words: np.ndarray, others: np.ndarray) -> int:
    shorter, count = min(words.size, others.size), 0
    while count < shorter and words[count] == others[count]:
        count += 1
    return count


@compiled
def _find_anchors(words: np.ndarray, others: np.ndarray, room: RunRoom) -> int:
    """Write the places of the anchors in ``words`` to ``room.row``; return how many there are."""
    if min(words.size, others.size) < ANCHOR_WORDS:
        return 0
    num_bits = 1
    while 1 << num_bits < 2 * words.size:
        num_bits += 1
    slots, partners = room.slots[: 1 << num_bits], room.partners[: words.size - ANCHOR_WORDS + 1]
    slots[:] = 0
    partners[:] = 0
    _fill_slots(words, slots)
    _find_partners(words, others, slots, partners)
    return _longest_row(partners, room.before, room.row)


@compiled
def _fill_slots(words: np.ndarray, slots: np.ndarray) -> None:
    """Write where each three words stand, counted from 1, or less 0 where they stand twice."""
    mask = slots.size - 1
    for at in range(words.size - ANCHOR_WORDS + 1):
        first, second, third = words[at], words[at + 1], words[at + 2]
        slot = _key(first, second, third) & mask
        for _ in range(MAX_PROBES):
            if slots[slot] == 0:
                slots[slot] = at + 1
                break
            held = abs(slots[slot]) - 1
            if words[held] == first and words[held + 1] == second and words[held + 2] == third:
                slots[slot] = -held - 1
                break
            slot = (slot + 1) & mask


@compiled
def _find_partners(
    words: np.ndarray, others: np.ndarray, slots: np.ndarray, partners: np.ndarray
) -> None:
    """Write for each three words where they stand in the other text, counted from 1; else <= 0."""
    mask = slots.size - 1
    for at in range(others.size - ANCHOR_WORDS + 1):
        first, second, third = others[at], others[at + 1], others[at + 2]
        slot = _key(first, second, third) & mask
        for _ in range(MAX_PROBES):
            if slots[slot] == 0:
                break
            held = abs(slots[slot]) - 1
            if words[held] == first and words[held + 1] == second and words[held + 2] == third:
                if slots[slot] > 0:
                    partners[held] = at + 1 if partners[held] == 0 else _MANY
                break
            slot = (slot + 1) & mask


@compiled
def _key(first: np.uint64, second: np.uint64, third: np.uint64) -> np.int64:
    return np.int64(mixed((first * SEQUENCE_FACTOR + second) * SEQUENCE_FACTOR + third))


@compiled
def _longest_row(partners: np.ndarray, before: np.ndarray, row: np.ndarray) -> int:
    """Write the longest row of rising partners to ``row`` and return its length.

    Until it is found, ``row[k]`` is where, of all rows of ``k + 1``, the one ends that ends lowest.
    """
    length = 0
    for at in range(partners.size):
        if partners[at] <= 0:
            continue
        low, high = length, length
        if length and partners[row[length - 1]] >= partners[at]:
            low = 0
        while low < high:
            middle = (low + high) // 2
            if partners[row[middle]] < partners[at]:
                low = middle + 1
            else:
                high = middle
        before[at] = row[low - 1] if low else -1
        row[low] = at
        length = max(length, low + 1)
    at = row[length - 1] if length else -1
    for place in range(length - 1, -1, -1):
        row[place] = at
        at = before[at]
    return length
