r"""Kernel: places of a text by which its repeats are found, wherever else they stand.

A *window* is ``size`` bytes in a row; its *anchor* is the gram (``gram_size`` bytes in a row) in it
whose hash is least, the leftmost of equals: winnowing (Schleimer, Wilkerson, Aiken: Winnowing,
SIGMOD 2003, section 3). Equal windows have equal anchors in the same place, so whoever looks at
the windows of grams that stand more than once misses no window that does. The paper's robust
winnowing would leave out grams that repeat nearby, and its guarantee is of a shared hash, not of a
shared place in the window; here every window has its anchor, and periodic text is told otherwise:

A window of text that repeats with a period of ``p`` bytes is a copy of the one ``p`` bytes before
it. Those that are sure to be a copy of a window of this very text that ends before they begin are
given as such, in one row, however long the text goes on: a million equal characters are some
``2 * size`` anchors and one stretch of copies.

Text of random bytes has an anchor every ``(size - gram_size + 2) / 2`` bytes (section 3 there).
Texts can be made that have one at every byte; no work grows by more than that.
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels.buffers import TextBuffers
from pipelines.kernels.compiled import compiled
from pipelines.kernels.shingles import mixed
from pipelines.kernels.word_grams import SEQUENCE_FACTOR

_ONE = np.uint64(1)
_ANCHOR, _FIRST, _LAST, _DISTANCE = range(4)


class Samples(NamedTuple):
    """The windows of ``n`` texts, by their anchors: those of text ``i`` at ``offsets[i:i + 2]``.

    Sample ``s`` stands for the windows that begin at bytes ``firsts[s]`` to ``lasts[s]`` of its
    text, of which each has the gram at byte ``anchors[s]`` for its anchor, with the hash
    ``hashes[s]`` (uint64). Where ``distances[s]`` is not 0, only the first have it, and all are
    equal to the windows so many bytes before them, at least a window's size. Every window is in one
    sample; samples stand in the order of the text. All but the hashes are int64.
    """

    offsets: np.ndarray
    hashes: np.ndarray
    anchors: np.ndarray
    firsts: np.ndarray
    lasts: np.ndarray
    distances: np.ndarray


def sample_windows(texts: TextBuffers, size: int, gram_size: int) -> Samples:
    """Return the samples of the windows of ``size`` bytes; a text with fewer bytes has none.

    ``gram_size`` is at least 1 and at most ``size``.
    """
    num_bytes = int(texts.offsets[-1] - texts.offsets[0])
    offsets = np.zeros(texts.num_texts + 1, dtype=np.int64)
    room = 4 * num_bytes // (size - gram_size + 2) + 64
    while True:
        hashes, found = np.empty(room, dtype=np.uint64), np.empty((room, 4), dtype=np.int64)
        num_found = _sample_all(*texts, size, gram_size, offsets, hashes, found)
        if num_found <= room:
            return Samples(offsets, hashes[:num_found], *found[:num_found].T.copy())
        room = num_found


@compiled
def _sample_all(
    text_offsets: np.ndarray,
    data: np.ndarray,
    size: int,
    gram_size: int,
    offsets: np.ndarray,
    hashes: np.ndarray,
    found: np.ndarray,
) -> int:
    """Write samples as far as there is room, and return how many there are."""
    num_slots = 1
    while num_slots <= size - gram_size + 1:  # the grams of a window, and the next one
        num_slots *= 2
    ring = np.empty(num_slots, dtype=np.int64), np.empty(num_slots, dtype=np.uint64)
    for row in range(text_offsets.size - 1):
        text = data[text_offsets[row] : text_offsets[row + 1]]
        offsets[row + 1] = offsets[row]
        if text.size >= size:
            num_found = _sample_text(text, size, gram_size, ring, hashes, found, offsets[row])
            offsets[row + 1] = num_found
    return offsets[-1]


@compiled
def _sample_text(
    text: np.ndarray,
    size: int,
    gram_size: int,
    ring: tuple[np.ndarray, np.ndarray],
    hashes: np.ndarray,
    found: np.ndarray,
    num_found: int,
) -> int:
    """Find the anchors of a text's windows; the ring holds grams that may become one, in order.

    Each of them is less than those behind it, or equal: a gram that is greater than a later one is
    the least of no window that is still to come.
    """
    places, keys = ring
    mask = places.size - 1
    factor_of_first = power(SEQUENCE_FACTOR, gram_size)
    value, anchor_key = np.uint64(0), np.uint64(0)
    head = tail = 0  # grams head to tail - 1 of the ring
    none, zero = int(np.int64(-1)), int(np.int64(0))  # literals would have helpers compiled twice
    anchor, previous, first, last_distance = none, none, zero, zero
    run = zero, zero, zero
    for end in range(text.size + 1):  # one more: what is behind the last byte ends the last sample
        start = end + 1 - size  # of the window whose last byte is at ``end``
        if end < text.size:
            gram = end + 1 - gram_size
            value = value * SEQUENCE_FACTOR + np.uint64(text[end]) + _ONE
            if gram > 0:
                value -= (np.uint64(text[gram - 1]) + _ONE) * factor_of_first
            key = mixed(value)
            if gram >= 0:
                while tail > head and keys[(tail - 1) & mask] > key:
                    tail -= 1
                places[tail & mask], keys[tail & mask] = gram, key
                tail += 1
                head += places[head & mask] < start
            if start < 0 or places[head & mask] == anchor:
                continue
        if anchor >= 0:
            run = _follow(text, run, previous, anchor, start - 1 + size)
            distance = _distance(run, first, start - 1 + size, size)
            goes_on = distance > 0 and distance == last_distance
            num_found += not goes_on
            if num_found <= hashes.size:
                found[num_found - 1, _LAST] = start - 1
                if not goes_on:
                    hashes[num_found - 1] = anchor_key
                    _write(found[num_found - 1], anchor, first, distance)
            last_distance = distance
        previous, first = anchor, start
        anchor, anchor_key = places[head & mask], keys[head & mask]
    return num_found


@compiled
def power(factor: np.uint64, exponent: int) -> np.uint64:
    """Return a factor to the power of an exponent of at least 0, modulo 2**64."""
    value = _ONE
    for _ in range(exponent):
        value *= factor
    return value


@compiled
def _follow(
    text: np.ndarray, run: tuple[int, int, int], previous: int, anchor: int, end: int
) -> tuple[int, int, int]:
    """Return ``(period, since, until)``: from since to until, bytes repeat those a period before.

    The period is that of the last two anchors, 0 without two; what is known of it is followed up to
    ``end``, or to where it is broken.
    """
    if previous < 0:
        return 0, 0, 0
    period, since, until = run
    if period != anchor - previous:
        period, since, until = anchor - previous, anchor, anchor
    while until < end:
        if text[until] != text[until - period]:
            return period, until + 1, until + 1
        until += 1
    return period, since, until


@compiled
def _distance(run: tuple[int, int, int], first: int, end: int, size: int) -> int:
    """Return how far behind the windows from byte ``first`` to ``end`` are copies, 0 if unknown."""
    period, since, until = run
    if period == 0:
        return 0
    distance = (size + period - 1) // period * period
    return distance if since <= first - distance + period and until >= end else 0


@compiled
def _write(sample: np.ndarray, anchor: int, first: int, distance: int) -> None:
    sample[_ANCHOR], sample[_FIRST], sample[_DISTANCE] = anchor, first, distance
