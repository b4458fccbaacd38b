"""Kernel: a table of chunks of text and their ids.

`look_up` finds chunks and lists those that it does not know, somebody else encodes these,
`settle` puts their ids into the table and `emit` writes the ids of all. A chunk is found by its
bytes, never by a hash alone. Chunks of more than `MAX_BYTES` bytes are never put into it.

A slot is two integers of 64 bits: the chunk's key (`pipelines.kernels.chunks`; 0 is free) and a
value::

    bits 0-31   its id, if it has one and its bytes are in the key; else where its record begins
    bits 32-47  number of ids          bits 48-55  number of bytes, if they are not in the key
    bits 56-61  trust (`emit_searched`) bit 62      not settled yet; bits 0-31 tell which miss it is

A record lies in ``ids``: where the chunk's bytes begin, if they are not in the key, then its ids.
"""

import secrets
from typing import NamedTuple

import numpy as np

from pipelines.kernels.chunks import END_OF_TEXT, FIRST_LONG_KEY, mix
from pipelines.kernels.compiled import compiled

MAX_BYTES = 255
MAX_TRUST = 63
MOST_IN_KEY = 7
END = -1  # a value: here a text ends

LOW_32, LOW_16, LOW_8, LOW_6 = 0xFFFFFFFF, 0xFFFF, 0xFF, 0x3F
COUNT, LENGTH, TRUST, PENDING = 32, 48, 56, 62
ONE_ID = MAX_TRUST << (TRUST - COUNT) | 1  # the upper half of a value that is an id, fully trusted
_FREE, _ONE = np.uint64(0), np.uint64(1)
_CHUNKS, _BYTES, _IDS = range(3)  # of `ChunkTable.used`


class ChunkTable(NamedTuple):
    """``slots`` uint64 [2 x a power of two], ``bytes`` uint8, ``ids`` int32.

    ``used`` int64 [3] counts chunks, bytes and ids. ``seed``, odd and random, decides where chunks
    lie, and never what is found.
    """

    slots: np.ndarray
    bytes: np.ndarray
    ids: np.ndarray
    used: np.ndarray
    seed: np.uint64

    @property
    def num_chunks(self) -> int:
        """How many chunks it holds."""
        return int(self.used[_CHUNKS])

    @property
    def num_slots(self) -> int:
        """How many it could hold at most."""
        return self.slots.size // 2

    @property
    def size_bytes(self) -> int:
        """How much memory it takes."""
        return self.slots.nbytes + self.bytes.nbytes + self.ids.nbytes


class Misses(NamedTuple):
    """Room for chunks that were not found, int64: ``data[starts[m]:ends[m]]`` is one.

    It is to be put into the slot ``slots[m]``, or into none if that is -1.
    """

    starts: np.ndarray
    ends: np.ndarray
    slots: np.ndarray


class NewIds(NamedTuple):
    """What misses turned out to be: ``ids[offsets[m]:offsets[m + 1]]``, int32, is miss ``m``.

    ``trusts`` int64: see `pipelines.kernels.chunk_ids.emit_searched`.
    """

    ids: np.ndarray
    offsets: np.ndarray
    trusts: np.ndarray


def room_for_misses(num_chunks: int) -> Misses:
    """Return room for up to so many misses."""
    return Misses(*(np.empty(num_chunks, np.int64) for _ in Misses._fields))


def misses_of(room: Misses, num_missed: int) -> Misses:
    """Return the part of the room that is filled."""
    return Misses(*(array[:num_missed] for array in room))


def empty_table(num_slots: int, num_bytes: int = 1 << 16, num_ids: int = 1 << 16) -> ChunkTable:
    """Return a table without chunks; ``num_slots`` is a power of two."""
    return ChunkTable(
        np.zeros(2 * num_slots, np.uint64),
        np.empty(num_bytes, np.uint8),
        np.empty(num_ids, np.int32),
        np.zeros(3, np.int64),
        np.uint64(secrets.randbits(64) | 1),
    )


def with_slots(table: ChunkTable, num_slots: int) -> ChunkTable:
    """Return a table with the same chunks, all settled, in another number of slots."""
    slots = np.zeros(2 * num_slots, np.uint64)
    _move(table.slots, slots, table.seed)
    return table._replace(slots=slots)


def with_room(table: ChunkTable, num_bytes: int, num_ids: int) -> ChunkTable:
    """Return the table with room for so many more bytes and ids in records."""
    return table._replace(
        bytes=_grown(table.bytes, int(table.used[_BYTES]), num_bytes),
        ids=_grown(table.ids, int(table.used[_IDS]), num_ids),
    )


def _grown(array: np.ndarray, used: int, more: int) -> np.ndarray:
    if used + more <= array.size:
        return array
    grown = np.empty(max(array.size * 5 // 4, used + more), array.dtype)
    grown[:used] = array[:used]
    return grown


@compiled
def _move(slots: np.ndarray, moved: np.ndarray, seed: np.uint64) -> None:
    mask = np.uint64(moved.size // 2 - 1)
    for former in range(slots.size // 2):
        key = slots[2 * former]
        if key != _FREE:
            slot = mix(key, seed) & mask
            while moved[slot << _ONE] != _FREE:
                slot = (slot + _ONE) & mask
            moved[slot << _ONE] = key
            moved[slot << _ONE | _ONE] = slots[2 * former + 1]


@compiled
def look_up(
    data: np.ndarray,
    at: int,
    ends: np.ndarray,
    keys: np.ndarray,
    table: ChunkTable,
    values: np.ndarray,
    misses: Misses,
) -> int:
    """Write the value of each chunk, the first of which begins at byte ``at``; return the misses.

    There must be a free slot for each of them. A chunk that is missed twice is one miss.
    """
    slots, known, ids, used, seed = table
    miss_starts, miss_ends, miss_slots = misses
    mask = np.uint64(slots.size // 2 - 1)
    num_missed = 0
    for index in range(ends.size):
        key = keys[index]
        if key == END_OF_TEXT:
            values[index] = END
            continue
        start, at = at, ends[index]
        slot = mix(key, seed) & mask
        held = slots[slot << _ONE]
        while held != _FREE:
            if held == key:
                value = np.int64(slots[slot << _ONE | _ONE])
                if key < FIRST_LONG_KEY:
                    break
                where = value & LOW_32
                if value >> PENDING:
                    length, known_at = miss_ends[where] - miss_starts[where], miss_starts[where]
                    if length == at - start and is_same(data, known_at, data, start, length):
                        break
                else:
                    length, known_at = value >> LENGTH & LOW_8, np.int64(ids[where])
                    if length == at - start and is_same(known, known_at, data, start, length):
                        break
            slot = (slot + _ONE) & mask
            held = slots[slot << _ONE]
        if held == _FREE:
            value = np.int64(1) << PENDING | num_missed
            miss_starts[num_missed], miss_ends[num_missed] = start, at
            miss_slots[num_missed] = -1
            if at - start <= MAX_BYTES:
                slots[slot << _ONE], slots[slot << _ONE | _ONE] = key, np.uint64(value)
                miss_slots[num_missed] = np.int64(slot)
                used[_CHUNKS] += 1
            num_missed += 1
        values[index] = value
    return num_missed


@compiled
def is_same(first: np.ndarray, begin: int, second: np.ndarray, start: int, length: int) -> bool:
    """Return whether two stretches of bytes are equal."""
    index = 0
    while index < length and first[begin + index] == second[start + index]:
        index += 1
    return index == length


@compiled
def settle(data: np.ndarray, misses: Misses, new: NewIds, table: ChunkTable) -> None:
    """Put the misses into the table, with their ids.

    There must be room in its ``bytes`` for all of their bytes, and in its ``ids`` for all ids and
    one more a miss.
    """
    slots, known, ids, used, _ = table
    starts, ends, miss_slots = misses
    new_ids, new_offsets, trusts = new
    for miss in range(starts.size):
        slot = miss_slots[miss]
        if slot < 0:
            continue
        length, first = ends[miss] - starts[miss], new_offsets[miss]
        count = new_offsets[miss + 1] - first
        value = np.int64(count) << COUNT | np.int64(trusts[miss]) << TRUST
        if length <= MOST_IN_KEY and count == 1:
            slots[2 * slot + 1] = np.uint64(value | np.int64(new_ids[first]))
            continue
        value |= used[_IDS]
        if length > MOST_IN_KEY:
            value |= length << LENGTH
            ids[used[_IDS]] = used[_BYTES]
            used[_IDS] += 1
            for at in range(starts[miss], ends[miss]):
                known[used[_BYTES]] = data[at]
                used[_BYTES] += 1
        for index in range(count):
            ids[used[_IDS]] = new_ids[first + index]
            used[_IDS] += 1
        slots[2 * slot + 1] = np.uint64(value)
