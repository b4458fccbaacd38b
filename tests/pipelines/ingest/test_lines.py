from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import tracemalloc
import zlib
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.lines import BrokenStream, Line, LineCount, LineFramer, decompress

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


TEXT = b"".join(b'{"text": "line %d"}\n' % number for number in range(5000))


def run(tool: list[str], data: bytes) -> bytes:
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    return subprocess.run(tool, input=data, capture_output=True, check=True).stdout


def content(data: bytes, suffix: str) -> bytes:
    return b"".join(decompress(io.BytesIO(data), suffix))


@pytest.mark.parametrize(
    ("suffix", "tool"),
    [
        (".gz", ["gzip", "-c", "-9"]),
        (".gz", ["pigz", "-c"]),
        (".zst", ["zstd", "-c", "-q"]),
        (".zst", ["zstd", "-c", "-q", "-15", "--no-check"]),
    ],
)
def test_files_of_the_usual_tools_are_read(suffix: str, tool: list[str]) -> None:
    packed = run(tool, TEXT)
    assert content(packed, suffix) == TEXT
    assert content(packed + packed, suffix) == TEXT + TEXT
    assert content(run(tool, b"") + packed, suffix) == TEXT


def test_gzip_padded_with_zeros_is_whole() -> None:
    assert content(gzip.compress(TEXT) + bytes(5000), ".gz") == TEXT


def test_skippable_frames_of_zstd_are_skipped() -> None:
    skipped = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
    packed = zstandard.compress(TEXT)
    assert content(skipped + packed + skipped + packed, ".zst") == TEXT + TEXT


def until_break(data: bytes, suffix: str) -> tuple[bytes, str]:
    """Return what is read before the stream breaks, and the error."""
    blocks: list[bytes] = []
    try:
        blocks.extend(decompress(io.BytesIO(data), suffix))
    except BrokenStream as error:
        return b"".join(blocks), str(error)
    raise AssertionError("the stream did not break")


PACKED = {".gz": gzip.compress(TEXT, mtime=0), ".zst": zstandard.compress(TEXT, 1)}


@pytest.mark.parametrize("suffix", PACKED)
def test_what_stands_before_a_break_is_kept(suffix: str) -> None:
    packed = PACKED[suffix]
    num_broken = 0
    for length in range(0, len(packed), max(1, len(packed) // 40)):
        kept, error = until_break(packed[:length], suffix)
        assert error == f"cut off at byte {length} of the compressed file"
        oracle = zlib.decompressobj(31) if suffix == ".gz" else None
        assert TEXT.startswith(kept)
        if oracle is not None:
            assert kept == oracle.decompress(packed[:length])
        num_broken += 1
    assert num_broken > 20


@pytest.mark.parametrize("suffix", PACKED)
def test_damage_and_foreign_bytes_are_named(suffix: str) -> None:
    for packed in (PACKED[suffix] + b"not packed", b"not packed at all"):
        kept, error = until_break(packed, suffix)
        assert error.startswith("damaged before byte")
        assert TEXT.startswith(kept)


def test_a_wrong_check_sum_is_noticed() -> None:
    packed = bytearray(PACKED[".gz"])
    packed[-6] ^= 1
    with pytest.raises(BrokenStream, match="incorrect data check"):
        content(bytes(packed), ".gz")


def test_a_bomb_is_read_in_bounded_blocks() -> None:
    bombs = {
        ".gz": gzip.compress(bytes(64 << 20), 6),
        ".zst": zstandard.ZstdCompressor(level=3).compress(bytes(256 << 20)),
    }
    for suffix, bomb in bombs.items():
        sizes = [len(block) for block in decompress(io.BytesIO(bomb), suffix)]
        assert sum(sizes) == (64 << 20 if suffix == ".gz" else 256 << 20)
        assert max(sizes) <= 64 << 20
        assert len(bomb) < sum(sizes) / 500


def test_damaged_zstd_frames_of_its_own_tests_end_in_one_error(shared_data: Path) -> None:
    golden = shared_data / "zstd-golden"
    bad = sorted((golden / "golden-decompression-errors").glob("*.zst"))
    good = sorted((golden / "golden-decompression").glob("*.zst"))
    assert bad
    assert good
    for path in bad:
        with pytest.raises(BrokenStream):
            content(path.read_bytes(), ".zst")
    for path in good:
        with pa.input_stream(str(path), compression="zstd") as oracle:
            assert content(path.read_bytes(), ".zst") == oracle.read()
