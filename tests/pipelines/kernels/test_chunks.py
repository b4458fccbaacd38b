"""Chunks against a division by dictionaries, in portions of any size; keys that tell them apart."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.buffers import text_buffers
from pipelines.kernels.chunks import END_OF_TEXT, FIRST_LONG_KEY, cut_chunks, room_for_chunks
from pipelines.kernels.joined_pairs import pairs_of, slot_shift

CHARS = "ab \u2581\n1é中\U0001f44d\0"
PIECES = ["ab", "ba", "\u2581a", "bb", "é中", "中中", "aé", "\U0001f44d\U0001f44d", "中a", "  "]
TEXTS = st.lists(st.text(st.sampled_from(CHARS), max_size=40), max_size=5)
SEED = np.uint64(0x9E3779B97F4A7C15)


def cut(texts, pieces, room):
    """Return (text, key) of each chunk, None for the end of a text, in portions of ``room``."""
    buffers, joined = text_buffers(pa.array(texts, pa.string())), pairs_of(pieces)
    row, at, found = 0, 0, []
    while row < len(texts):
        chunks, begin = room_for_chunks(room), at
        row, at, count = cut_chunks(
            *buffers, row, at, *joined, slot_shift(joined.others), SEED, *chunks
        )
        assert 0 < count <= room
        for end, key in zip(chunks.ends[:count], chunks.keys[:count], strict=True):
            ended = key == END_OF_TEXT
            found.append(None if ended else (buffers.data[begin:end].tobytes().decode(), key))
            begin = end
    return found


def expected_chunks(text, pieces):
    shown = text.replace("\u2581", " ")
    joined = {pair for piece in pieces for pair in pairwise(piece.replace("\u2581", " "))}
    chunks = [""]
    for index, char in enumerate(text):
        if index and (shown[index - 1], shown[index]) not in joined:
            chunks.append("")
        chunks[-1] += char
    return [chunk for chunk in chunks if chunk]


def test_texts_are_cut_where_no_piece_holds_both_characters():
    seen = {"chunks": 0, "long": 0}

    @given(TEXTS, st.integers(3, 50))
    def check(texts, room):
        found = cut(texts, PIECES, room)
        expected = [c for text in texts for c in [*expected_chunks(text, PIECES), None]]
        assert [chunk and chunk[0] for chunk in found] == expected
        by_key = {}
        for chunk, key in filter(None, found):
            size = len(chunk.encode())
            assert (key >= FIRST_LONG_KEY) == (size > 7)
            assert by_key.setdefault(int(key), chunk) == chunk
            seen["long"] += size > 7
        seen["chunks"] += len(found) - len(texts)

    check()
    assert min(seen.values()) > 0


def test_a_sliced_column_and_one_chunk_of_a_megabyte():
    buffers = text_buffers(pa.array(["xx", "a" * 2**20, "b a"]).slice(1))
    joined = pairs_of(["aa"])
    chunks = room_for_chunks(9)
    shift = slot_shift(joined.others)
    row, at, count = cut_chunks(*buffers, 0, 2, *joined, shift, SEED, *chunks)
    assert (row, at, count) == (2, 2**20 + 5, 6)
    assert (chunks.ends[:count] - 2 - 2**20).tolist() == [0, 0, 1, 2, 3, 3]


def test_pairs_are_those_of_the_pieces():
    joined = pairs_of(PIECES)
    assert joined.ascii.sum() == 5  # ab ba bb, a space and a, two spaces
    assert joined.ascii[ord("a") * 128 + ord("b")]
    assert not joined.ascii[ord("a") * 128 + ord(" ")]
    assert 3 <= joined.others.sum() <= 5
    empty = pairs_of([])
    assert not empty.ascii.any()
    assert not empty.others.any()
