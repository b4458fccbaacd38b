"""Kernel: n-grams of words that occur more than once: which, where and how often.

An n-gram can only occur twice if the (n-1)-grams that it begins and ends with do. So each length
looks only at what the one before left, and text without repetition costs little more than its
words and pairs. N-grams are equal if their words' 64-bit hashes are; nothing more is hashed.
Arrays are of a text's words, about 60 bytes for each at once.
"""

import secrets

import numpy as np

from pipelines.kernels.compiled import compiled

_ONE_COPY = -1


def random_layout() -> np.uint64:
    """Return a seed for `find_copies`."""
    return np.uint64(secrets.randbits(64))


@compiled
def _mixed(key: np.uint64) -> np.uint64:
    """Return a key whose bits each depend on all bits of ``key`` (the end of MurmurHash3)."""
    key = (key ^ (key >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    key = (key ^ (key >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return key ^ (key >> np.uint64(33))


@compiled
def find_copies(keys: np.ndarray, layout_seed: np.uint64) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(firsts, copies)`` of keys (uint64), int32 of the same length.

    ``firsts[i]`` is where the key of ``i`` stands first, and ``copies[first]`` how often it occurs
    (0 elsewhere). Expected time is linear whoever chose the keys: ``layout_seed`` (`random_layout`)
    decides where they lie in the table, and never what is returned.
    """
    size = np.uint64(keys.size + keys.size // 2 + 1)
    slots = np.full(np.int64(size), -1, dtype=np.int32)
    firsts = np.empty(keys.size, dtype=np.int32)
    copies = np.zeros(keys.size, dtype=np.int32)
    for at in range(keys.size):
        key = keys[at]
        slot = np.int64(((_mixed(key ^ layout_seed) >> np.uint64(32)) * size) >> np.uint64(32))
        while slots[slot] >= 0 and keys[slots[slot]] != key:
            slot += 1
            if slot == slots.size:
                slot -= slots.size
        if slots[slot] < 0:
            slots[slot] = at
        firsts[at] = slots[slot]
        copies[slots[slot]] += 1
    return firsts, copies


@compiled
def repeated_words(hashes: np.ndarray, layout_seed: np.uint64) -> np.ndarray:
    """Return for each word (its hash, uint64) where it stands first, or -1 if it occurs once."""
    firsts, copies = find_copies(hashes, layout_seed)
    for at in range(hashes.size):
        if copies[firsts[at]] == 1:
            firsts[at] = _ONE_COPY
    return firsts


@compiled
def repeated_ngrams(
    shorter: np.ndarray, words: np.ndarray, num_words: int, layout_seed: np.uint64
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(firsts, copies)`` of the n-grams of ``num_words`` words, int32, by first word.

    ``firsts`` says where an n-gram stands first, or -1 if it occurs once (or would end after the
    text); ``copies`` how often, where it stands first. ``shorter`` is the former of the n-grams of
    a word less, ``words`` of the single words (`repeated_words`), as ``shorter`` is for pairs.
    """
    firsts = np.full(words.size, _ONE_COPY, dtype=np.int32)
    copies = np.zeros(words.size, dtype=np.int32)
    positions = _positions_to_try(shorter, words.size - num_words + 1)
    keys = np.empty(positions.size, dtype=np.uint64)
    for index in range(positions.size):
        at = positions[index]
        keys[index] = (np.uint64(shorter[at]) << np.uint64(32)) | np.uint64(
            words[at + num_words - 1]
        )
    found, counts = find_copies(keys, layout_seed)
    for index in range(positions.size):
        if counts[found[index]] > 1:
            firsts[positions[index]] = positions[found[index]]
            copies[positions[index]] = counts[index]
    return firsts, copies


@compiled
def _positions_to_try(shorter: np.ndarray, num_positions: int) -> np.ndarray:
    num_found = 0
    for at in range(num_positions):
        num_found += (shorter[at] >= 0) & (shorter[at + 1] >= 0)
    positions = np.empty(num_found, dtype=np.int32)
    num_found = 0
    for at in range(num_positions):
        if shorter[at] >= 0 and shorter[at + 1] >= 0:
            positions[num_found] = at
            num_found += 1
    return positions


@compiled
def chars_before(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the characters of the words before each, and of all: int32, one longer than words."""
    sums = np.zeros(starts.size + 1, dtype=np.int32)
    for word in range(starts.size):
        sums[word + 1] = sums[word] + ends[word] - starts[word]
    return sums
