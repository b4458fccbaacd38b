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
from pipelines.kernels.compiled import compiled
from pipelines.kernels.marked_words import BREAK, MarkedWords
from pipelines.kernels.stretches import (
    HEAD,
    MAX_CELLS,
    NUM_FACTS,
    SHARED,
    TAIL,
    ZONE_SIZE,
    Side,
    add_inner,
    align,
    close_end,
)

SOLID_WORDS = 8
HEADLINE_WORDS = 4  # in a row, of a headline that the text below it begins with
HEADLINE_REACH = 64  # words; a longer head is no headline and byline
BREAK_REACH = 2  # words from the edge of the core in which a line or sentence begins


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
    head_words: np.ndarray
    head_plain: np.ndarray
    tail_words: np.ndarray
    tail_plain: np.ndarray


class _Work(NamedTuple):
    """Scratch: of an alignment its scores and moves, of a zone its counts."""

    scores: np.ndarray
    moves: np.ndarray
    zone: np.ndarray


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
    work = _Work(
        np.zeros(MAX_CELLS, dtype=np.int32),
        np.zeros(MAX_CELLS, dtype=np.uint8),
        np.zeros(ZONE_SIZE, dtype=np.int64),
    )
    _compare_all(words, left, right, run_room(int(shorter.max(initial=0))), work, facts)
    return PairFacts(*np.ascontiguousarray(facts.T))


@compiled
def _compare_all(
    words: MarkedWords,
    left: np.ndarray,
    right: np.ndarray,
    room: RunRoom,
    work: _Work,
    facts: np.ndarray,
) -> None:
    for pair in range(left.size):
        one, two = left[pair], right[pair]
        if _comes_later(words, one, two):  # so that left and right may be exchanged
            one, two = two, one
        _compare(_text(words, one), _text(words, two), room, work, facts[pair])


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
def _compare(one: Side, two: Side, room: RunRoom, work: _Work, facts: np.ndarray) -> None:
    num_runs = find_runs(one.hashes, two.hashes, room)
    at, other, core_end, other_core_end = 0, 0, 0, 0
    zone, solid = work.zone, False
    zone[:] = 0
    for number in range(num_runs):
        start, other_start = room.starts[number], room.other_starts[number]
        if at < start or other < other_start:
            align(one, two, at, start, other, other_start, work.scores, work.moves, zone)
        length = room.lengths[number]
        at, other = start + length, other_start + length
        if length < SOLID_WORDS:
            zone[SHARED] += length
            continue
        if solid:
            add_inner(zone, facts)
        elif start or other_start:
            is_bounded = _breaks(one, start) and _breaks(two, other_start)
            is_headline = is_bounded and _repeats(one.hashes, room, number, start)
            close_end(zone, is_bounded, is_headline, facts, HEAD)
        solid, core_end, other_core_end = True, at, other
        zone[:] = 0
    if not solid:
        add_inner(zone, facts)
    elif core_end < at or other_core_end < other:
        is_bounded = _breaks(one, core_end) and _breaks(two, other_core_end)
        close_end(zone, is_bounded, False, facts, TAIL)


@compiled
def _repeats(words: np.ndarray, room: RunRoom, num_runs: int, start: int) -> bool:
    """Return whether a run before the core is said again where the core begins: a headline."""
    if start > HEADLINE_REACH:
        return False
    end = min(start + HEADLINE_REACH, words.size)
    for number in range(num_runs):
        first, length = room.starts[number], room.lengths[number]
        if length < HEADLINE_WORDS:
            continue
        for at in range(start, end - length + 1):
            same = 0
            while same < length and words[first + same] == words[at + same]:
                same += 1
            if same == length:
                return True
    return False


@compiled
def _breaks(side: Side, edge: int) -> bool:
    """Return whether a line or sentence begins near a word, or the text ends before it."""
    if edge >= side.classes.size:
        return True
    for at in range(max(edge - BREAK_REACH, 1), min(edge + BREAK_REACH + 1, side.classes.size)):
        if side.classes[at] & BREAK:
            return True
    return edge == 0
