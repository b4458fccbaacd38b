"""Kernel: whether an end of two texts is a sentence of their core, or what losing it would cost.

What stands before and behind the core is a headline, a byline, a menu, a footer, paragraphs that
one text lacks; `pipelines.kernels.text_ends` tells what of it would be lost. Where both texts would
lose something it may be the core's first or last sentence with other facts in it: then it is core.
"""

import numpy as np

from pipelines.kernels.anchors import RunRoom
from pipelines.kernels.compiled import compiled
from pipelines.kernels.marked_words import BREAK
from pipelines.kernels.stretches import (
    LOST,
    LOST_PLAIN,
    NUMERIC,
    ONE,
    SHARED,
    SLIPS,
    TWO,
    Side,
    Work,
    add_zone,
    align,
)
from pipelines.kernels.text_ends import (
    FREE,
    INLINE,
    INLINE_PLAIN,
    LINE_EDGE,
    OPEN,
    OPEN_PLAIN,
    PROSE,
    PROSE_PLAIN,
    SHORT,
    SHORT_PLAIN,
    is_frame,
    read_end,
)
from pipelines.kernels.text_pieces import is_prose

MIN_END_WORDS = 4  # fewer words against a few others are a slot
MAX_SLOT_WORDS = 12
BREAK_REACH = 2  # words from the edge of the core in which a line or sentence begins


@compiled
def read_ends(
    one: Side, two: Side, room: RunRoom, num_runs: int, first: int, last: int, ends: np.ndarray
) -> None:
    """Count the ends of two texts in ``ends``: int64 of head and tail, of each side.

    A third row of each side tells whether they are a frame, in its first number. Two texts that
    begin or end with the core are pages of one site, and what they differ in is no frame.
    """
    ends[:] = 0
    size = room.lengths[last]
    for number in range(2):
        side = one if number == 0 else two
        starts = room.starts if number == 0 else room.other_starts
        start, stop = starts[first], starts[last] + size
        for tail in range(2):
            read_end(
                side.hashes,
                side.classes,
                starts,
                room.lengths,
                num_runs,
                start,
                stop,
                tail == 0,
                ends[number, tail],
            )
        ends[number, 2, 0] = is_prose(side.classes, start, stop) and is_frame(
            ends[number, 0], ends[number, 1], stop - start
        )
    for tail in range(2):
        if _is_one(ends[0, tail]) and _is_one(ends[1, tail]):
            ends[:, 2, 0] = 0


@compiled
def close_end(
    one: Side,
    two: Side,
    edge: int,
    other_edge: int,
    tail: int,
    work: Work,
    facts: np.ndarray,
) -> None:
    """Add a zone at an end of the texts to their facts: as core, or as words that each would lose.

    Both sides lose something: it is core if words in common are half of its larger side or more
    (the same sentence with other facts); if a few words stand against a few others, or in the midst
    of a sentence; or if half of the smaller side are numbers (a row of a table). One side does:
    it is core if a few words stand in the midst of a sentence.
    """
    zone, ends = work.zone, work.ends
    shared, words = zone[SHARED] + zone[SLIPS], min(zone[ONE], zone[TWO])
    is_alike = 2 * shared >= words and shared > 0
    lost, plain = _lost(ends, 0, tail, is_alike)
    others, others_plain = _lost(ends, 1, tail, is_alike)
    is_bounded = _breaks(one, edge) and _breaks(two, other_edge)
    if lost and others:
        numbers = min(zone[ONE + NUMERIC], zone[TWO + NUMERIC])
        if (
            2 * shared >= max(zone[ONE], zone[TWO])
            or (min(lost, others) < MIN_END_WORDS and max(lost, others) < MAX_SLOT_WORDS)
            or 2 * numbers >= words
        ):
            add_zone(zone, facts)
            return
    inline = ends[0, tail, INLINE] + ends[1, tail, INLINE]
    is_cut = tail and (edge == one.classes.size or other_edge == two.classes.size)
    if inline and not is_bounded and not (is_cut and inline >= MIN_END_WORDS):
        zone[:] = 0
        start, other = ends[0, tail, LINE_EDGE], ends[1, tail, LINE_EDGE]
        align(
            one,
            two,
            min(start, edge),
            max(start, edge),
            min(other, other_edge),
            max(other, other_edge),
            work.scores,
            work.moves,
            zone,
        )
        add_zone(zone, facts)
        lost, plain = lost - ends[0, tail, INLINE], plain - ends[0, tail, INLINE_PLAIN]
        others -= ends[1, tail, INLINE]
        others_plain -= ends[1, tail, INLINE_PLAIN]
    facts[LOST] += lost
    facts[LOST + 1] += others
    facts[LOST_PLAIN] += plain
    facts[LOST_PLAIN + 1] += others_plain


@compiled
def _is_one(end: np.ndarray) -> bool:
    """Return whether a text has nothing at an end that the other has not."""
    return end[FREE] + end[INLINE] == 0


@compiled
def _lost(ends: np.ndarray, side: int, tail: int, is_alike: bool) -> tuple[int, int]:
    """Return what a side would lose at an end, and how much of it is plain.

    An end that is like that of the other text, word by word, is no frame.
    """
    end = ends[side, tail]
    if ends[side, 2, 0] and not is_alike:
        return end[OPEN], end[OPEN_PLAIN]
    return end[OPEN] + end[SHORT] + end[PROSE], (
        end[OPEN_PLAIN] + end[SHORT_PLAIN] + end[PROSE_PLAIN]
    )


@compiled
def _breaks(side: Side, edge: int) -> bool:
    """Return whether a line or sentence begins near a word, or the text ends before it."""
    if edge >= side.classes.size:
        return True
    for at in range(max(edge - BREAK_REACH, 1), min(edge + BREAK_REACH + 1, side.classes.size)):
        if side.classes[at] & BREAK:
            return True
    return edge == 0
