"""Kernel: which of a text's shingles stand in a table, where hardly any does.

A table is its hashes, sorted, behind a filter of 8 to 16 bits for each. A hash has three bits of
one word of the filter (Putze, Sanders, Singler: Cache-, hash- and space-efficient Bloom filters,
WEA 2007), so that one that is not there costs one look at memory, and of a hundred of these no
more than four are searched for.
"""

import secrets
from typing import NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.first_copies import copies_scratch, find_first_copies
from pipelines.kernels.shingles import Shingles

_HASHES_PER_WORD = 8  # of 64 bits, or fewer
_ROW_BITS = 32
_ONE, _SIX, _TWELVE, _LAST = np.uint64(1), np.uint64(6), np.uint64(12), np.uint64(63)


class ShingleTable(NamedTuple):
    """Distinct hashes (uint64, ascending) and a value of each (int32, 0 or more).

    ``filter_words`` (uint64, a power of two of them) are the filter; the hashes that belong to word
    ``w`` are ``hashes[starts[w]:starts[w + 1]]``. However hashes were chosen, looking for one takes
    at most the logarithm of their number.
    """

    hashes: np.ndarray
    values: np.ndarray
    filter_words: np.ndarray
    starts: np.ndarray


class Hits(NamedTuple):
    """What a filter lets pass of each of ``n`` texts: what stands in the table, and a little more.

    ``counts`` (int64) are the shingles that pass, each as often as the text has it, and ``runs``
    (int64) the longest run of neighbours among them.
    """

    counts: np.ndarray
    runs: np.ndarray


class Matches(NamedTuple):
    """What ``n`` texts have in a table: text ``i`` ``values[offsets[i]:offsets[i + 1]]``.

    Each shingle of its set that stands there gives its value; they are ascending. ``offsets`` is
    int64 of length ``n + 1``, ``values`` int32. ``sizes`` (int64 of length ``n``) counts the text's
    distinct shingles, there or not; it is 0 for a text without matches, whose set nobody asks for.
    """

    offsets: np.ndarray
    values: np.ndarray
    sizes: np.ndarray


def shingle_table(hashes: np.ndarray, values: np.ndarray) -> ShingleTable:
    """Return the table of some hashes (uint64, ascending, distinct) with their values (int32)."""
    num_bits = max(1, (hashes.size // _HASHES_PER_WORD).bit_length())
    filter_words = np.zeros(1 << num_bits, dtype=np.uint64)
    starts = np.zeros(filter_words.size + 1, dtype=np.int32)
    _fill(hashes, filter_words, starts)
    return ShingleTable(hashes, values, filter_words, np.cumsum(starts, dtype=np.int32))


def filter_shingles(table: ShingleTable, shingles: Shingles) -> Hits:
    """Ask the filter alone, of each text's shingles in their order."""
    hits = Hits(*np.zeros((len(Hits._fields), shingles.num_texts), dtype=np.int64))
    _filter_all(shingles, table.filter_words, hits)
    return hits


def match_shingles(
    table: ShingleTable, shingles: Shingles, at_most: np.ndarray, min_part: float = 0.0
) -> Matches:
    """Look up the shingles of some texts; they need not be sets.

    Texts of whose distinct shingles less than ``min_part`` stand in the table have no matches;
    those are not looked up of which ``at_most`` (int64) tells so, no more than so many do. Time is
    linear whoever chose the texts; takes up to 20 bytes for each shingle of the longest text, and 8
    for each one that is found.
    """
    scratch = copies_scratch(int(np.diff(shingles.offsets).max(initial=0)))
    keys = np.empty(shingles.hashes.size, dtype=np.int64)
    sizes = np.zeros(shingles.num_texts, dtype=np.int64)
    seed = np.uint64(secrets.randbits(64) | 1)
    num_keys = _match_all(shingles, table, at_most, min_part, seed, scratch, keys, sizes)
    found = np.sort(keys[:num_keys])
    rows = np.arange(shingles.num_texts + 1) << _ROW_BITS
    return Matches(np.searchsorted(found, rows), found.astype(np.int32), sizes)


@compiled
def _shift_of(num_words: int) -> np.uint64:
    """Return by how much a hash is shifted to be the number of its word of the filter."""
    shift = np.uint64(64)
    while num_words > 1:
        num_words //= 2
        shift -= _ONE
    return shift


@compiled
def _bits_of(value: np.uint64) -> np.uint64:
    """Return the bits of a hash within its word."""
    low, middle = value & _LAST, (value >> _SIX) & _LAST
    return (_ONE << low) | (_ONE << middle) | (_ONE << ((value >> _TWELVE) & _LAST))


@compiled
def _fill(hashes: np.ndarray, filter_words: np.ndarray, counts: np.ndarray) -> None:
    shift = _shift_of(filter_words.size)
    for value in hashes:
        filter_words[value >> shift] |= _bits_of(value)
        counts[(value >> shift) + _ONE] += 1


@compiled
def _filter_all(shingles: Shingles, filter_words: np.ndarray, hits: Hits) -> None:
    offsets, hashes = shingles
    counts, runs = hits
    shift = _shift_of(filter_words.size)
    for row in range(counts.size):
        count = run = longest = np.int64(0)
        for at in range(np.uint64(offsets[row]), np.uint64(offsets[row + 1])):
            bits = _bits_of(hashes[at])
            passes = filter_words[hashes[at] >> shift] & bits == bits
            count += passes
            run = (run + 1) * passes
            longest = max(longest, run)
        counts[row], runs[row] = count, longest


@compiled
def _match_all(
    shingles: Shingles,
    table: ShingleTable,
    at_most: np.ndarray,
    min_part: float,
    seed: np.uint64,
    scratch: tuple[np.ndarray, np.ndarray],
    keys: np.ndarray,
    sizes: np.ndarray,
) -> int:
    """Write row and value of each match, in one number, to ``keys``; return how many there are."""
    slots, firsts = scratch
    num_keys = 0
    for row in range(sizes.size):
        if at_most[row] == 0:
            continue
        mine = shingles.hashes[shingles.offsets[row] : shingles.offsets[row + 1]]
        size = mine.size - find_first_copies(mine, seed, slots, firsts)
        if at_most[row] / size < min_part:
            continue
        num_found = _search(mine, firsts, table, row, keys[num_keys:])
        if num_found and num_found / size >= min_part:
            sizes[row] = size
            num_keys += num_found
    return num_keys


@compiled
def _search(
    hashes: np.ndarray, firsts: np.ndarray, table: ShingleTable, row: int, keys: np.ndarray
) -> int:
    """Write row and value of the hashes that stand in the table; return how many they are."""
    filter_words, starts, known = table.filter_words, table.starts, table.hashes
    shift = _shift_of(filter_words.size)
    num_found = 0
    for index in range(hashes.size):
        value = hashes[index]
        word, bits = value >> shift, _bits_of(value)
        if filter_words[word] & bits != bits or firsts[index] != index:
            continue
        at, end = np.int64(starts[word]), np.int64(starts[word + _ONE])
        last = end
        while at < end:  # to the first hash that is not less
            middle = (at + end) // 2
            if known[middle] < value:
                at = middle + 1
            else:
                end = middle
        if at < last and known[at] == value:
            keys[num_found] = (row << _ROW_BITS) | table.values[at]
            num_found += 1
    return num_found
