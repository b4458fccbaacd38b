"""64-bit hashes inside kernels, and counting the repeats among them."""

from collections.abc import Iterable

import numpy as np

from pipelines.kernels.compiled import compiled

HASH_START = np.uint64(0xCBF29CE484222325)  # FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/
_HASH_FACTOR = np.uint64(0x100000001B3)
_ZERO, _ONE = np.uint64(0), np.uint64(1)


@compiled
def hash_step(value: np.uint64, code: int) -> np.uint64:
    """Return a hash extended by one code point, as FNV-1a does by a byte; begin at `HASH_START`."""
    return (value ^ np.uint64(code)) * _HASH_FACTOR


def hash_codes(codes: Iterable[int]) -> np.uint64:
    """Return what `hash_step` gives for code points one after the other, in plain Python."""
    value = int(HASH_START)
    for code in codes:
        value = ((value ^ code) * int(_HASH_FACTOR)) & 0xFFFFFFFFFFFFFFFF
    return np.uint64(value)


@compiled
def hash_words(codes: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the hash of each of some stretches of code points, uint64: `hash_codes` of them."""
    hashes = np.empty(starts.size, dtype=np.uint64)
    for word in range(starts.size):
        value = HASH_START
        for at in range(starts[word], ends[word]):
            value = (value ^ np.uint64(codes[at])) * _HASH_FACTOR
        hashes[word] = value
    return hashes


@compiled
def count_repeats(hashes: np.ndarray, layout_seed: np.uint64) -> int:
    """Return how many of the hashes (uint64) stood before in the array.

    Expected time is linear whoever chose the hashes: ``layout_seed``, odd and random, decides where
    they lie in the table, and never what is counted.
    """
    num_bits = 1
    while (1 << num_bits) < 2 * hashes.size:
        num_bits += 1
    mask = (1 << num_bits) - 1
    table = np.zeros(1 << num_bits, dtype=np.uint64)
    num_repeats = 0
    for value in hashes:
        stored = value if value != _ZERO else _ONE  # zero marks a free slot
        mixed = (stored ^ (stored >> np.uint64(32))) * layout_seed
        slot = np.int64(mixed >> np.uint64(64 - num_bits))
        while table[slot] != _ZERO and table[slot] != stored:
            slot = (slot + 1) & mask
        num_repeats += table[slot] == stored
        table[slot] = stored
    return num_repeats
