"""The sample against its definition over one sorted list; lines that join to their text."""

import re

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from memory_part import MemoryPart

from data_contracts.documents import doc_id
from pipelines.tokenizer.sample import MAX_LINE_BYTES, Lines, cut_line, draw_sample

TEXTS = st.lists(st.tuples(st.text(max_size=9), st.sampled_from(["train", "heldout"])), max_size=12)


def parts_of(rows, num_parts):
    columns = {"doc_id": pa.string(), "split": pa.string(), "text": pa.string()}
    return [
        MemoryPart(str(i), pa.Table.from_pylist(rows[i::num_parts], pa.schema(columns)))
        for i in range(num_parts)
    ]


def test_it_is_the_first_bytes_in_the_order_of_ids_whatever_the_partitions():
    seen = {"cut": 0, "all": 0, "many": 0}

    @given(TEXTS, st.integers(1, 60), st.integers(1, 3), st.integers(1, 3))
    def check(drawn, max_bytes, num_parts, other_parts):
        rows = [
            {"doc_id": doc_id("s", str(i)), "split": split, "text": text}
            for i, (text, split) in enumerate(drawn)
        ]
        parts = parts_of(rows, num_parts)
        sample = draw_sample(parts, "train", max_bytes)
        assert sample == draw_sample(parts_of(rows, other_parts), "train", max_bytes)

        left, expected = max_bytes, {}
        for row in sorted((r for r in rows if r["split"] == "train"), key=lambda r: r["doc_id"]):
            if left <= 0:
                break
            data = row["text"].encode()
            expected[row["doc_id"]] = data[:left].decode(errors="ignore")
            left -= len(data)
        order = [row["doc_id"] for part in parts for row in part.rows.to_pylist()]
        assert list(sample.texts(parts)) == [expected[i] for i in order if i in expected]
        assert sample.num_documents == len(expected)
        assert sample.num_bytes == max_bytes - max(left, 0)
        seen["cut"] += left < 0
        seen["all"] += left > 0 and len(expected) > 0
        seen["many"] += len(expected) > 2

    check()
    assert min(seen.values()) > 0


def test_lines_leave_nothing_out_but_their_ends_and_are_short():
    seen = {"cut": 0, "whole": 0}
    piece = st.sampled_from(["word ", "\n", "\u2585", "\0", "中", "\U0001f44d", "x" * 3000, " "])

    @given(st.lists(st.lists(piece, max_size=8).map("".join), max_size=4))
    def check(texts):
        lines = Lines(texts)
        given_lines = list(lines)
        assert "".join(given_lines) == re.sub("[\n\u2585\0]", "", "".join(texts))
        assert all(0 < len(line.encode()) <= MAX_LINE_BYTES for line in given_lines)
        assert lines.num_lines == len(given_lines)
        long = [x for t in texts for x in re.split("[\n\u2585\0]", t) if len(x.encode()) > 4096]
        assert lines.num_cut == len(long)
        seen["cut"] += lines.num_cut
        seen["whole"] += lines.num_lines > 0

    check()
    assert min(seen.values()) > 0


def test_a_long_line_is_cut_before_a_space_or_between_characters():
    words = ("12345678 " * 1000).encode()
    pieces = list(cut_line(words))
    assert len(pieces) == 3
    assert all(piece.startswith(" 1") for piece in pieces[1:])
    wide = list(cut_line(("x" + "中" * 3000).encode()))
    assert [len(piece.encode()) for piece in wide] == [4096, 4095, 810]


def test_a_line_of_many_megabytes_is_cut_in_one_pass():
    pieces = list(cut_line(b"x" * (20 << 20)))  # quadratic work would take minutes
    assert len(pieces) == 5120
