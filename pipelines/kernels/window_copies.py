"""Kernel: which windows of many texts stand earlier as well, byte by byte.

Windows of a group have the same gram for their anchor (`pipelines.kernels.winnowing`), so equal
ones have it at the same distance from where they begin. The windows of a group are taken distance
by distance; of each, a hash table tells those that are equal, and bytes are compared before it is
believed. So no pair of equal windows is left out, and none is taken for equal that is not.

However many windows are equal, the work is linear in the number of places: each is looked at once
for each distance that its group has, at most as often as a window has grams, and a look compares
one byte where the window before it was a copy of the same text, else a window's. Windows of one
hash and other bytes can be made, but few: a window needs 1,024 bytes for two of them. Memory is for
the texts' bytes, and some 50 bytes for each place of the largest group.
"""

import secrets
from typing import NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.winnowing import power
from pipelines.kernels.word_grams import SEQUENCE_FACTOR

_ONE = np.uint64(1)
_NONE = -1


class Places(NamedTuple):
    """Places of anchors, in groups: group ``g`` is ``offsets[g]:offsets[g + 1]``; all int64.

    Place ``p`` is byte ``anchors[p]`` of ``data``, which is the anchor of the windows that begin at
    bytes ``firsts[p]`` to ``lasts[p]``; all of these lie in document ``documents[p]``. In a group,
    places stand in the order in which one is the first of equals.
    """

    offsets: np.ndarray
    documents: np.ndarray
    anchors: np.ndarray
    firsts: np.ndarray
    lasts: np.ndarray


class Copies(NamedTuple):
    """Windows that stand earlier as well: all that begin at bytes ``firsts`` to ``lasts``, int64.

    They belong to ``places``; the first of the windows that are equal to them belong to
    ``partners``, as many bytes from its anchor.
    """

    places: np.ndarray
    firsts: np.ndarray
    lasts: np.ndarray
    partners: np.ndarray


def find_copies(data: np.ndarray, places: Places, size: int) -> Copies:
    """Return the windows of ``size`` bytes that are equal to an earlier one.

    Of equal windows the first stays, with those that overlap it in its document; all others are
    copies of it. ``data`` is uint8 and holds all texts, one after the other.
    """
    layout_seed = np.uint64(secrets.randbits(64) | 1)  # lays out a table, decides no copy
    return Copies(*_find_all(data, *places, size, layout_seed).T.copy())


@compiled
def _find_all(
    data: np.ndarray,
    offsets: np.ndarray,
    documents: np.ndarray,
    anchors: np.ndarray,
    firsts: np.ndarray,
    lasts: np.ndarray,
    size: int,
    layout_seed: np.uint64,
) -> np.ndarray:
    most, num_slots = 0, 2
    for group in range(offsets.size - 1):
        most = max(most, offsets[group + 1] - offsets[group])
    while num_slots < 2 * most:
        num_slots *= 2
    table, hashes = np.empty(num_slots, dtype=np.int64), np.empty(most, dtype=np.uint64)
    partners, tops = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    found, num_found = np.empty((64, 4), dtype=np.int64), np.int64(0)
    for group in range(offsets.size - 1):
        begin, end = offsets[group], offsets[group + 1]
        found, num_found = _find_group(
            data,
            begin,
            documents[begin:end],
            anchors[begin:end],
            firsts[begin:end],
            lasts[begin:end],
            size,
            layout_seed,
            (table, hashes, partners, tops),
            found,
            num_found,
        )
    return found[:num_found]


@compiled
def _find_group(
    data: np.ndarray,
    begin: int,
    documents: np.ndarray,
    anchors: np.ndarray,
    firsts: np.ndarray,
    lasts: np.ndarray,
    size: int,
    layout_seed: np.uint64,
    scratch: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    found: np.ndarray,
    num_found: int,
) -> tuple[np.ndarray, int]:
    """Add the copies of a group, whose places are numbered from ``begin``, to what was found.

    ``partners`` holds of what each place's windows are copies, down from ``tops``.
    """
    table, hashes, partners, tops = scratch
    num_slots, shift = 2, np.uint64(63)
    while num_slots < 2 * anchors.size:
        num_slots, shift = num_slots * 2, shift - _ONE
    partners[: anchors.size] = _NONE
    factor_of_last = power(SEQUENCE_FACTOR, size - 1)
    for distance in range(np.min(anchors - lasts), np.max(anchors - firsts) + 2):
        table[:num_slots] = _NONE
        for place in range(anchors.size):
            start, partner = anchors[place] - distance, _NONE
            if firsts[place] <= start <= lasts[place]:
                if start == lasts[place]:
                    value = _hash_window(data, start, size)
                else:
                    last = (np.uint64(data[start + size]) + _ONE) * factor_of_last
                    value = (hashes[place] - last) * SEQUENCE_FACTOR + np.uint64(data[start]) + _ONE
                hashes[place] = value
                slot = np.int64(((value ^ (value >> np.uint64(32))) * layout_seed) >> shift)
                held = table[slot]  # looked up here, since handing arrays on takes twice the time
                while held >= 0:
                    if hashes[held] == value:
                        other, same = anchors[held] - distance, 0
                        num_bytes = 1 if held == partners[place] else size  # all others are known
                        while same < num_bytes and data[other + same] == data[start + same]:
                            same += 1
                        if same == num_bytes:
                            if documents[held] != documents[place] or other + size <= start:
                                partner = held
                            break
                    slot = (slot + 1) & (num_slots - 1)
                    held = table[slot]
                if held < 0:
                    table[slot] = place
            if partner != partners[place]:
                if partners[place] >= 0:
                    copies = begin + place, start + 1, tops[place], begin + partners[place]
                    found, num_found = _add(copies, found, num_found)
                partners[place], tops[place] = partner, start
    return found, num_found


@compiled
def _add(
    copies: tuple[int, int, int, int], found: np.ndarray, num_found: int
) -> tuple[np.ndarray, int]:
    """Return what was found, in twice the room where there is none, and how many there are."""
    if num_found == found.shape[0]:
        found = np.concatenate((found, found))
    found[num_found] = copies
    return found, num_found + 1


@compiled
def _hash_window(data: np.ndarray, start: int, size: int) -> np.uint64:
    """Return a polynomial in the window's bytes, of which the last has the highest power."""
    value = np.uint64(0)
    for at in range(start + size - 1, start - 1, -1):
        value = value * SEQUENCE_FACTOR + np.uint64(data[at]) + _ONE
    return value
