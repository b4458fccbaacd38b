from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.lines import Line, LineCount, LineFramer

HOSTILE = st.lists(
    st.sampled_from(
        [b"\n", b"\n\n", b" ", b"\r\n", b"\t", b"\x0b", b"\x0c", b"\0", b"{}", b"x" * 40]
    )
    | st.binary(max_size=6)
).map(b"".join)
CUTS = st.lists(st.integers(0, 60), max_size=8)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    blocks = []
    for size in sizes:
        blocks.append(data[:size])
        data = data[size:]
    return [*blocks, data]


def frame(blocks: Iterable[bytes], max_bytes: int = 1000) -> list[Line]:
    framer = LineFramer(max_bytes)
    lines = list(framer.lines(blocks))
    rest = framer.rest()
    return lines if rest is None else [*lines, rest]


@given(HOSTILE, CUTS)
def test_lines_do_not_depend_on_where_blocks_end(data: bytes, sizes: list[int]) -> None:
    lines = frame(cut(data, sizes))
    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert [line.data for line in lines] == expected
    assert [line.ordinal for line in lines] == list(range(1, len(expected) + 1))
    assert all(data[line.offset :].startswith(line.data) for line in lines)
    assert [line.is_blank for line in lines] == [not text.strip() for text in expected]


@given(HOSTILE, CUTS, st.integers(1, 50))
def test_a_long_line_is_cut_and_keeps_its_place(data: bytes, sizes: list[int], most: int) -> None:
    whole, short = frame(cut(data, sizes), 10_000), frame(cut(data, sizes), most)
    assert [(w.ordinal, w.offset, w.num_bytes, w.is_blank) for w in whole] == [
        (s.ordinal, s.offset, s.num_bytes, s.is_blank) for s in short
    ]
    for full, line in zip(whole, short, strict=True):
        assert line.is_cut == (full.num_bytes > most)
        assert full.data.startswith(line.data)
        assert len(line.data) <= most


@given(HOSTILE, CUTS)
def test_the_count_is_of_lines_that_hold_something(data: bytes, sizes: list[int]) -> None:
    count = LineCount()
    assert b"".join(count.watch(cut(data, sizes))) == data
    assert count.num_lines == sum(bool(line.strip()) for line in data.split(b"\n"))
    assert count.is_inside == bool(data.split(b"\n")[-1].strip())


def test_a_huge_line_costs_no_memory() -> None:
    block = b"x" * (1 << 20)
    blocks = (block for _ in range(200))
    tracemalloc.start()
    (line,) = frame(blocks, max_bytes=4 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert line.num_bytes == 200 << 20
    assert line.is_cut
    assert peak < 16 << 20
