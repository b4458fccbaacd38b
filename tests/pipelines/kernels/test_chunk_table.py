"""The table against a dictionary: growth, chunks of any length, and keys that lie."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.chunk_ids import Marks, count_ids, emit, no_ids
from pipelines.kernels.chunk_table import (
    MAX_BYTES,
    MAX_TRUST,
    NewIds,
    empty_table,
    look_up,
    misses_of,
    room_for_misses,
    settle,
    with_room,
    with_slots,
)
from pipelines.kernels.chunks import FIRST_LONG_KEY

CHUNKS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=3),
        st.sampled_from([b"12345678", b"12345679", b"a" * MAX_BYTES, b"a" * (MAX_BYTES + 1)]),
        st.binary(min_size=6, max_size=12),
    ),
    max_size=30,
)


def key_of(chunk: bytes) -> int:
    """Return the key of a chunk; all long ones have one of four."""
    if len(chunk) <= 7:
        return int.from_bytes(chunk, "big") | len(chunk) << 56
    return int(FIRST_LONG_KEY) | chunk[-1] & 3


def ids_of(chunk: bytes) -> list[int]:
    """Return what an encoder might: one id for some, several for others."""
    return [chunk[0]] if chunk[0] % 2 else list(chunk)


def encode(table, chunks: Sequence[bytes]):
    """Return the table afterwards, the ids of the chunks as one text, and how many it missed."""
    data = np.frombuffer(b"".join(chunks) + b"\0", np.uint8)
    ends = np.cumsum([len(chunk) for chunk in chunks], dtype=np.int64)
    keys = np.array([key_of(chunk) for chunk in chunks], np.uint64)
    ends, keys = np.append(ends, ends[-1:]), np.append(keys, np.uint64(0))
    if not chunks:
        ends = np.zeros(1, np.int64)
    values, room = np.empty(keys.size, np.int64), room_for_misses(keys.size)
    num_missed = look_up(data, 0, ends, keys, table, values, room)
    misses = misses_of(room, num_missed)
    asked = [bytes(data[i:j]) for i, j in zip(misses.starts, misses.ends, strict=True)]
    lists = [ids_of(chunk) for chunk in asked]
    flat = np.array([i for ids in lists for i in ids], np.int32)
    new = NewIds(flat, np.cumsum([0, *map(len, lists)]), np.full(num_missed, MAX_TRUST))
    table = with_room(table, sum(map(len, asked)), flat.size + num_missed)
    settle(data, misses, new, table)
    done = no_ids(1)
    out = np.empty(count_ids(values, new.offsets), np.int32)
    emit(values, table.ids, new, Marks(-1, -1, -1), out, done)
    return table, out[: done.num_written].tolist(), asked


def test_every_chunk_has_its_own_ids_and_is_asked_for_once():
    seen = {"known": 0, "too_long": 0}

    @given(st.lists(CHUNKS, max_size=4))
    def check(portions):
        table, known = empty_table(64, 1, 1), set()
        for chunks in portions:
            table, ids, asked = encode(table, chunks)
            assert ids == [i for chunk in chunks for i in ids_of(chunk)]
            short = [chunk for chunk in asked if len(chunk) <= MAX_BYTES]
            assert len(short) == len(set(short))
            assert set(short) == {c for c in chunks if len(c) <= MAX_BYTES} - known
            seen["known"] += len(set(chunks) & known)
            seen["too_long"] += len(asked) - len(short)
            known |= set(short)
            assert table.num_chunks == len(known)
            table = with_slots(table, 2 * table.num_slots)

    check()
    assert min(seen.values()) > 0


def test_its_size_is_what_it_holds():
    table = empty_table(64, 100, 10)
    assert table.size_bytes == 64 * 16 + 100 + 40
    assert with_slots(table, 128).num_slots == 128
