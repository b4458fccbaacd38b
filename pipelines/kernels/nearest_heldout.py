"""Kernel: which held-out document a text is nearest to, if it is near any; exact.

Two sets are near if they share enough of their shingles: of their union (Jaccard), or of the
smaller one (containment). Sets of given sizes are near from a number of common shingles on, so the
rarest shingles of a text, all but that many less one, hold one that they share: only the holders of
those are candidates (prefix filtering: Chaudhuri, Ganti, Kaushik: A primitive operator for
similarity joins in data cleaning, ICDE 2006; Bayardo, Ma, Srikant: Scaling up all pairs similarity
search, WWW 2007). Unlike there, one index serves texts and documents of all sizes: holders stand by
size, and of a list those are read that are small enough to be near by it and what is more common.

So a notice that all documents share costs little, unless it makes a text near them. Work for a text
is bounded by the index and not by the text: at most one step for each entry of the lists that its
shingles have, and for each candidate one search in each of these lists. Nothing is left out to
save work. A text that is near each of 100,000 documents takes a millisecond or two.
"""

import math
from typing import Literal, NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.heldout_index import HeldoutIndex
from pipelines.kernels.overlap import Overlaps
from pipelines.kernels.shingle_matches import (
    Matches,
    ShingleTable,
    match_shingles,
    shingle_table,
)
from pipelines.kernels.shingles import Shingles

Measure = Literal["jaccard", "containment"]


class Prepared(NamedTuple):
    """An index and the table in which its shingles' lists are looked up."""

    inverted: HeldoutIndex
    table: ShingleTable


class Nearest(NamedTuple):
    """The nearest document of each of ``n`` texts, if any is near.

    ``shares`` (float64) says how near it is: 0 where none is. ``places`` (int64) says which it is,
    as a place in the index's documents; 0 where none is.
    """

    places: np.ndarray
    shares: np.ndarray


class Rule(NamedTuple):
    """Sets are near that share ``least`` or more of their union, or of the smaller one."""

    of_union: bool
    least: float


class _Text(NamedTuple):
    """What a text has in the index.

    ``size`` is of its set. Its shingles have ``lists`` (int32, ascending), ``starts[l + 1] -
    starts[l]`` of them each (int64). Of list ``l`` the documents are counted whose numbers are
    below ``limits[l]`` (int32, descending): others are too large to be near a text that shares
    nothing with them before that list.
    """

    size: int
    lists: np.ndarray
    starts: np.ndarray
    limits: np.ndarray


def prepare(index: HeldoutIndex) -> Prepared:
    """Make an index ready to be asked; takes time and some 4 bytes for each of its shingles."""
    return Prepared(index, shingle_table(index.hashes, index.lists))


def find_nearest(
    heldout: Prepared, shingles: Shingles, at_most: np.ndarray, measure: Measure, least: float
) -> Nearest:
    """Find for each text the document with the largest share of shingles, at least ``least``.

    The texts' shingles need not be sets; ``at_most`` (int64) bounds how many of a text's stand in
    the index. ``least`` is above 0 and at most 1. A share is one division of integers, in float64.
    Of equally near documents it is the one with the smallest place. A text or document without a
    shingle is near none. Raises ValueError for another ``least``.
    """
    if not 0 < least <= 1:
        raise ValueError(f"texts are near from a share in (0, 1] on, not {least}")
    # A text shares no more of a union than of its own set.
    min_part = least if measure == "jaccard" else 0.0
    matches = match_shingles(heldout.table, shingles, at_most, min_part)
    nearest = Nearest(np.zeros(shingles.num_texts, np.int64), np.zeros(shingles.num_texts))
    _find_all(matches, heldout.inverted, Rule(measure == "jaccard", least), nearest)
    return nearest


def compare_with(heldout: Prepared, shingles: Shingles, places: np.ndarray) -> Overlaps:
    """Compare each text with the document at its place in ``places`` (int64).

    A text that shares no shingle with any document counts as one without shingles.
    """
    index = heldout.inverted
    matches = match_shingles(heldout.table, shingles, np.diff(shingles.offsets))
    numbers = np.empty(index.places.size, dtype=np.int64)
    numbers[index.places] = np.arange(index.places.size)
    others = numbers[places]
    common = np.zeros(places.size, dtype=np.int64)
    _count_all(matches, index, others, common)
    return Overlaps(common, matches.sizes, index.sizes[others].astype(np.int64))


@compiled
def share_of(common: int, one: int, other: int, of_union: bool) -> float:
    """Return the share of two sets' sizes that ``common`` is: of the union, or of the smaller."""
    return common / (one + other - common if of_union else min(one, other))


@compiled
def least_common(one: int, other: int, of_union: bool, least: float) -> int:
    """Return the least number of common shingles that gives a share of ``least`` or more.

    It may be more than the smaller set has.
    """
    common = math.ceil(
        least * (one + other) / (1.0 + least) if of_union else least * min(one, other)
    )
    while share_of(common - 1, one, other, of_union) >= least:  # as division rounds, not `ceil`
        common -= 1
    while share_of(common, one, other, of_union) < least:
        common += 1
    return common


@compiled
def _find_all(matches: Matches, index: HeldoutIndex, rule: Rule, nearest: Nearest) -> None:
    longest = 0
    for row in range(matches.sizes.size):
        longest = max(longest, matches.offsets[row + 1] - matches.offsets[row])
    starts = np.empty(longest + 1, dtype=np.int64)
    lists, limits = np.empty(longest, dtype=np.int32), np.empty(longest, dtype=np.int32)
    counts = np.zeros(index.sizes.size, dtype=np.int32)
    touched = np.empty(index.sizes.size, dtype=np.int32)
    for row in range(matches.sizes.size):
        values = matches.values[matches.offsets[row] : matches.offsets[row + 1]]
        if values.size == 0:
            continue
        num_runs = _divide_runs(values, lists, starts)
        text = _Text(
            matches.sizes[row], lists[:num_runs], starts[: num_runs + 1], limits[:num_runs]
        )
        _limit_numbers(text, index.sizes, rule)
        num_touched = _count_rare(text, index, counts, touched)
        _choose(text, index, rule, counts, touched[:num_touched], row, nearest)


@compiled
def _divide_runs(values: np.ndarray, lists: np.ndarray, starts: np.ndarray) -> int:
    """Write the distinct values, and where each begins and the last ends; return their number."""
    num_runs = 0
    for at in range(values.size):
        if at == 0 or values[at] != values[at - 1]:
            lists[num_runs], starts[num_runs] = values[at], at
            num_runs += 1
    starts[num_runs] = values.size
    return num_runs


@compiled
def _limit_numbers(text: _Text, sizes: np.ndarray, rule: Rule) -> None:
    """Write the limit of each list; a set smaller than what is left shares at most its size."""
    limit = sizes.size
    for run in range(text.lists.size):
        rest = text.starts[-1] - text.starts[run]
        first = 0
        while first < limit:
            middle = (first + limit) // 2
            size = max(sizes[middle], rest)
            if least_common(text.size, size, rule.of_union, rule.least) <= rest:
                first = middle + 1
            else:
                limit = middle
        text.limits[run] = limit


@compiled
def _count_rare(text: _Text, index: HeldoutIndex, counts: np.ndarray, touched: np.ndarray) -> int:
    """Count what the text shares with documents in each list, up to its limit."""
    num_touched = 0
    for run in range(text.lists.size):
        which, limit = text.lists[run], text.limits[run]
        weight = text.starts[run + 1] - text.starts[run]
        for at in range(index.offsets[which], index.offsets[which + 1]):
            number = index.holders[at]
            if number >= limit:
                break
            if counts[number] == 0:
                touched[num_touched] = number
                num_touched += 1
            counts[number] += weight
    return num_touched


@compiled
def _choose(
    text: _Text,
    index: HeldoutIndex,
    rule: Rule,
    counts: np.ndarray,
    touched: np.ndarray,
    row: int,
    nearest: Nearest,
) -> None:
    """Write the nearest of the documents that were counted for a text, and clear the counts."""
    for number in touched:
        common, size, place = counts[number], index.sizes[number], index.places[number]
        counts[number] = 0
        run = _first_not_above(text.limits, number)  # from there on it was not counted
        rest = text.starts[-1] - text.starts[run]
        needed = least_common(text.size, size, rule.of_union, rule.least)
        while min(common + rest, size) >= needed:
            share = share_of(min(common + rest, size), text.size, size, rule.of_union)
            best = nearest.shares[row]
            if share < best or (share == best and place > nearest.places[row]):
                break
            if rest == 0:
                nearest.places[row], nearest.shares[row] = place, share
                break
            weight = text.starts[run + 1] - text.starts[run]
            which = text.lists[run]
            start, end = index.offsets[which], index.offsets[which + 1]
            common += weight * _holds(index.holders, start, end, number)
            rest -= weight
            run += 1


@compiled
def _first_not_above(limits: np.ndarray, number: int) -> int:
    """Return the first of some descending limits that is not above a number."""
    start, end = 0, limits.size
    while start < end:
        middle = (start + end) // 2
        if limits[middle] > number:
            start = middle + 1
        else:
            end = middle
    return start


@compiled
def _holds(holders: np.ndarray, start: int, end: int, number: int) -> bool:
    """Return whether a list, ``holders[start:end]``, names a document."""
    last = end
    while start < end:
        middle = (start + end) // 2
        if holders[middle] < number:
            start = middle + 1
        else:
            end = middle
    return start < last and holders[start] == number


@compiled
def _count_all(
    matches: Matches, index: HeldoutIndex, numbers: np.ndarray, common: np.ndarray
) -> None:
    for row in range(numbers.size):
        for at in range(matches.offsets[row], matches.offsets[row + 1]):
            which = matches.values[at]
            start, end = index.offsets[which], index.offsets[which + 1]
            common[row] += _holds(index.holders, start, end, numbers[row])
