"""The sample against its definition over one sorted list; lines that join to their text."""

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_part import MemoryPart

from data_contracts.documents import doc_id
from data_contracts.errors import InputError
from pipelines.tokenizer.sample import MAX_LINE_BYTES, Lines, cut_line, draw_sample

TEXTS = st.lists(st.tuples(st.text(max_size=9), st.sampled_from(["train", "heldout"])), max_size=12)
WEIGHTS = st.sampled_from([0.5, 1.0, 1 / 3, 2.0, 1000.0])


def row_of(number, text, split="train", source="s"):
    id_of = doc_id(source, str(number))
    return {"doc_id": id_of, "source": source, "split": split, "text": text}


def parts_of(rows, num_parts):
    columns = dict.fromkeys(("doc_id", "source", "split", "text"), pa.string())
    return [
        MemoryPart(str(i), pa.Table.from_pylist(rows[i::num_parts], pa.schema(columns)))
        for i in range(num_parts)
    ]


def test_it_is_the_first_bytes_in_the_order_of_ids_whatever_the_partitions():
    seen = {"cut": 0, "all": 0, "many": 0}

    @given(TEXTS, st.integers(1, 60), st.integers(1, 3), st.integers(1, 3))
    def check(drawn, max_bytes, num_parts, other_parts):
        rows = [row_of(i, text, split) for i, (text, split) in enumerate(drawn)]
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


def test_a_weighted_sample_is_the_first_bytes_in_the_order_of_weighted_hashes():
    seen = {"cut": 0, "all": 0, "moved": 0}
    texts = st.lists(
        st.tuples(st.text(max_size=9), st.sampled_from("abc")), min_size=1, max_size=14
    )

    @given(texts, WEIGHTS, WEIGHTS, st.integers(1, 60), st.integers(1, 3), st.integers(1, 3))
    def check(drawn, of_a, of_b, max_bytes, num_parts, other_parts):
        rows = [row_of(i, text, source=source) for i, (text, source) in enumerate(drawn)]
        there = {source for _, source in drawn}
        weights = tuple(pair for pair in (("a", of_a), ("b", of_b)) if pair[0] in there)
        sample = draw_sample(parts_of(rows, num_parts), "train", max_bytes, weights)
        parts = parts_of(rows, other_parts)
        assert sample == draw_sample(parts, "train", max_bytes, weights)

        def place(row):
            weight = dict(weights).get(row["source"], 1.0)
            return int(row["doc_id"][:13], 16) / weight, row["doc_id"]

        left, expected, by_source = max_bytes, {}, {}
        for row in sorted(rows, key=place):
            if left <= 0:
                break
            data = row["text"].encode()
            expected[row["doc_id"]] = data[:left].decode(errors="ignore")
            source = row["source"]
            by_source[source] = by_source.get(source, 0) + min(left, len(data))
            left -= len(data)
        order = [row["doc_id"] for part in parts for row in part.rows.to_pylist()]
        assert list(sample.texts(parts)) == [expected[i] for i in order if i in expected]
        assert sample.bytes_by_source == by_source
        assert sum(by_source.values()) == sample.num_bytes
        seen["cut"] += left < 0
        seen["all"] += left > 0
        seen["moved"] += set(expected) != {r["doc_id"] for r in first(rows, len(expected))}

    check()
    assert min(seen.values()) > 0


def first(rows, count):
    return sorted(rows, key=lambda row: row["doc_id"])[:count]


def test_a_document_that_comes_or_goes_moves_no_other():
    seen = 0
    sources = st.lists(st.sampled_from("ab"), min_size=3, max_size=20)

    @given(sources, WEIGHTS, st.integers(1, 12), st.integers(0, 19))
    def check(drawn, weight, count, left_out):
        nonlocal seen
        rows = [row_of(i, f"{i:04d}", source=source) for i, source in enumerate(drawn)]
        rows += [row_of(99, "last", source="a"), row_of(98, "more", source="a")]
        fewer = [row for i, row in enumerate(rows) if i != left_out]
        weights = (("a", weight),)
        with_all = set(
            draw_sample(parts_of(rows, 2), "train", 4 * count, weights).texts(parts_of(rows, 1))
        )
        without = set(
            draw_sample(parts_of(fewer, 2), "train", 4 * count, weights).texts(parts_of(fewer, 1))
        )
        assert len(with_all - without) <= 1
        assert len(without - with_all) <= 1
        seen += with_all != without

    check()
    assert seen > 0


@pytest.mark.parametrize(("weight", "share"), [(1.0, 1 / 3), (2.0, 0.5), (4.0, 2 / 3), (0.0, 0.0)])
def test_bytes_come_in_proportion_to_bytes_and_weight(weight, share):
    rows = [row_of(i, "x" * 100, source="b" if i % 3 else "a") for i in range(9000)]
    sample = draw_sample(parts_of(rows, 3), "train", 200_000, (("a", weight),))
    assert abs(sample.bytes_by_source.get("a", 0) / 200_000 - share) < 0.04
    every = draw_sample(parts_of(rows, 3), "train", 1 << 30, (("a", weight),))
    assert every.bytes_by_source["b"] == 600_000
    assert every.bytes_by_source.get("a", 0) == (300_000 if weight else 0)


def test_a_weight_of_a_source_without_text_is_an_error_that_names_it():
    rows = [row_of(0, "text", source="wiki"), row_of(1, "text", "heldout", source="posts")]
    weights = (("wiki", 2.0), ("posts", 1.5))
    with pytest.raises(
        InputError, match="weights has 'posts', of which there is no text in the tr"
    ):
        draw_sample(parts_of(rows, 1), "train", 100, weights)
    with pytest.raises(InputError, match="it has text of no source"):
        draw_sample([], "train", 100, weights)
    assert draw_sample(parts_of(rows, 1), "train", 100, (("posts", 0.0),)).num_bytes == 4


def test_lines_leave_nothing_out_but_their_ends_and_are_short():
    seen = {"cut": 0, "whole": 0}
    piece = st.sampled_from(
        ["word ", "\n", "\u2581", "\u2585", "\0", "中", "\U0001f44d", "x" * 3000, " "]
    )

    @given(st.lists(st.lists(piece, max_size=8).map("".join), max_size=4))
    def check(texts):
        lines = Lines(texts)
        given_lines = list(lines)
        assert "".join(given_lines) == re.sub("[\n\u2581\u2585\0]", "", "".join(texts))
        assert all(0 < len(line.encode()) <= MAX_LINE_BYTES for line in given_lines)
        assert lines.num_lines == len(given_lines)
        long = [
            x for t in texts for x in re.split("[\n\u2581\u2585\0]", t) if len(x.encode()) > 4096
        ]
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
