"""Kernel: what two texts differ in, counted by what it may mean.

Two texts are near-duplicates by their shingles; whether one of them may go is another question.
Their words are laid beside each other (`pipelines.kernels.anchors`, and between anchors the best
alignment of `MAX_CELLS` at most), and what does not match is counted: words spelled a little
otherwise, numbers and names that stand against others, words put in, and what stands before and
behind the core.

The *core* reaches from the first to the last *solid* run: `SOLID_WORDS` equal words or more. What
stands before and behind it is an end: a headline, a byline, a menu, a footer, paragraphs that one
text lacks. An end that looks like the core with other facts in it counts as core
(`pipelines.kernels.stretches.close_end`), and the furniture of a page is not counted anywhere.
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels.anchors import RunRoom, find_runs, run_room
from pipelines.kernels.close_end import close_end, read_ends
from pipelines.kernels.compiled import compiled
from pipelines.kernels.marked_words import MarkedWords
from pipelines.kernels.shared_core import SOLID_WORDS, find_core
from pipelines.kernels.stretches import (
    CORE,
    LOST,
    LOST_PLAIN,
    MAX_CELLS,
    NUM_FACTS,
    SHARED,
    ZONE_SIZE,
    Side,
    Work,
    add_inner,
    align,
)
from pipelines.kernels.text_ends import END_SIZE


class PairFacts(NamedTuple):
    """What the texts of ``m`` pairs differ in, each int32 of length ``m``.

    A *stretch* is a run of words without a partner in one or both texts. All facts are 0 of equal
    words, and the same if left and right are exchanged.

    ``slips``: words of one text that are words of the other with an error of writing
    (`pipelines.kernels.stretches.kinship`), or are written there as two words.

    ``doubtful``: words that may be so, or may be others: short ones, names, single letters.

    ``changed_numbers``, ``changed_names``, ``changed_words``: words in stretches of the core that
    stand against others, each of the side that has more of its class: numbers, words with a capital
    that begin no sentence, and all others.

    ``negations``: words like "not" in stretches of the core.

    ``dropped_words``: single words of the core against which nothing stands, neither numbers nor
    names nor negations. ``added_words``: words in all other stretches against which nothing stands.

    ``head_words``, ``tail_words``: words in stretches before and behind the core, of the side that
    has fewer; 0 if either side is the furniture of a page. ``head_plain``, ``tail_plain``: those of
    them without a capital, a digit or a word of pages, of the side that has fewer.
    """

    slips: np.ndarray
    doubtful: np.ndarray
    changed_numbers: np.ndarray
    changed_names: np.ndarray
    changed_words: np.ndarray
    negations: np.ndarray
    dropped_words: np.ndarray
    added_words: np.ndarray
    core_words: np.ndarray
    left_lost: np.ndarray
    right_lost: np.ndarray
    left_lost_plain: np.ndarray
    right_lost_plain: np.ndarray


def find_differences(words: MarkedWords, left: np.ndarray, right: np.ndarray) -> PairFacts:
    """Compare text ``left[p]`` with ``right[p]`` for each pair ``p``; both are int64 indices.

    A pair takes time linear in its words, times a constant of `MAX_CELLS`, and 36 bytes for each
    word of its shorter text. Raises `IndexError` for a text that is not there.
    """
    sizes = np.diff(words.offsets)
    if left.size and min(left.min(), right.min()) < 0:
        raise IndexError("indices of texts are counted from 0")
    shorter = np.minimum(sizes[left], sizes[right])
    facts = np.zeros((left.size, NUM_FACTS), dtype=np.int32)
    work = Work(
        np.zeros(MAX_CELLS, dtype=np.int32),
        np.zeros(MAX_CELLS, dtype=np.uint8),
        np.zeros(ZONE_SIZE, dtype=np.int64),
        np.zeros((2, 3, END_SIZE), dtype=np.int64),
    )
    _compare_all(words, left, right, run_room(int(shorter.max(initial=0))), work, facts)
    return PairFacts(*np.ascontiguousarray(facts.T))


@compiled
def _compare_all(
    words: MarkedWords,
    left: np.ndarray,
    right: np.ndarray,
    room: RunRoom,
    work: Work,
    facts: np.ndarray,
) -> None:
    for pair in range(left.size):
        one, two = left[pair], right[pair]
        swapped = _comes_later(words, one, two)
        if swapped:  # so that left and right may be exchanged
            one, two = two, one
        _compare(_text(words, one), _text(words, two), room, work, facts[pair])
        if swapped:
            _swap_sides(facts[pair])


@compiled
def _swap_sides(facts: np.ndarray) -> None:
    for fact in (LOST, LOST_PLAIN):
        facts[fact], facts[fact + 1] = facts[fact + 1], facts[fact]


@compiled
def _text(words: MarkedWords, number: int) -> Side:
    start, end = words.offsets[number], words.offsets[number + 1]
    return Side(words.hashes[start:end], words.classes[start:end], words.spellings[start:end])


@compiled
def _comes_later(words: MarkedWords, one: int, two: int) -> bool:
    """Return whether a text is longer than another, or as long and its first other hash higher."""
    offsets, hashes = words.offsets, words.hashes
    start, other = offsets[one], offsets[two]
    size, other_size = offsets[one + 1] - start, offsets[two + 1] - other
    if size != other_size:
        return size > other_size
    for at in range(size):
        if hashes[start + at] != hashes[other + at]:
            return hashes[start + at] > hashes[other + at]
    return False


@compiled
def _compare(one: Side, two: Side, room: RunRoom, work: Work, facts: np.ndarray) -> None:
    num_runs = find_runs(one.hashes, two.hashes, room)
    first, last = find_core(one.hashes, two.hashes, room, num_runs)
    zone = work.zone
    zone[:] = 0
    for number in range(num_runs):
        if number:
            _add_gap(one, two, room, number, work, zone)
        if number == first and first <= last:
            read_ends(one, two, room, num_runs, first, last, work.ends)
            start, other = room.starts[first], room.other_starts[first]
            close_end(one, two, start, other, 0, work, facts)
            zone[:] = 0
        elif first < number <= last and room.lengths[number] >= SOLID_WORDS:
            add_inner(zone, facts)
            zone[:] = 0
        else:
            zone[SHARED] += room.lengths[number]
            continue
        facts[CORE] += room.lengths[number]
    if first <= last:
        stop = room.starts[last] + room.lengths[last]
        other = room.other_starts[last] + room.lengths[last]
        close_end(one, two, stop, other, 1, work, facts)
    else:
        add_inner(zone, facts)


@compiled
def _add_gap(
    one: Side, two: Side, room: RunRoom, number: int, work: Work, zone: np.ndarray
) -> None:
    """Add what stands before a run to a zone."""
    start = room.starts[number - 1] + room.lengths[number - 1]
    other = room.other_starts[number - 1] + room.lengths[number - 1]
    end, other_end = room.starts[number], room.other_starts[number]
    if start < end or other < other_end:
        align(one, two, start, end, other, other_end, work.scores, work.moves, zone)
