"""Kernel: which of some hashes are equal, told by where each of them stood first.

The hottest loop of the signals. Indices are unsigned, since numba asks of every other one whether
it counts from the end.
"""

import numpy as np

from pipelines.kernels.compiled import compiled

_ONE, _HALF = np.uint64(1), np.uint64(32)
_FREE = np.uint32(0xFFFFFFFF)


@compiled
def copies_scratch(num_hashes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ``table`` and ``firsts`` of `find_first_copies` for up to so many hashes, uint32."""
    num_slots = 2
    while num_slots < 2 * num_hashes:
        num_slots *= 2
    return np.empty(num_slots, dtype=np.uint32), np.empty(num_hashes, dtype=np.uint32)


@compiled
def find_first_copies(
    hashes: np.ndarray, layout_seed: np.uint64, table: np.ndarray, firsts: np.ndarray
) -> int:
    """Write for each hash (uint64) the index of the first one equal to it to ``firsts``.

    Returns how many are not the first. ``table`` is scratch (`copies_scratch`), 2 to 4 slots for
    each hash. Expected time is linear whoever chose the hashes: ``layout_seed``, odd and random,
    decides where they lie in the table, and never what is found.
    """
    num_slots, shift = 2, np.uint64(63)
    while num_slots < 2 * hashes.size:
        num_slots, shift = num_slots * 2, shift - _ONE
    table[:num_slots] = _FREE
    mask = np.uint64(num_slots - 1)
    num_copies = 0
    for index in range(hashes.size):
        value = hashes[index]
        slot = ((value ^ (value >> _HALF)) * layout_seed) >> shift
        held = table[slot]
        while held != _FREE and hashes[held] != value:
            slot = (slot + _ONE) & mask
            held = table[slot]
        if held == _FREE:
            held = table[slot] = np.uint32(index)
        else:
            num_copies += 1
        firsts[index] = held
    return num_copies
