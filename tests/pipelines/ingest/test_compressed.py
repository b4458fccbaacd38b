from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import shutil
import subprocess
import zlib
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard

from pipelines.ingest.compressed import BrokenStream, Limits, decompress

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
        (".bz2", ["bzip2", "-c"]),
        (".xz", ["xz", "-c"]),
    ],
)
def test_files_of_the_usual_tools_are_read(suffix: str, tool: list[str]) -> None:
    packed = run(tool, TEXT)
    assert content(packed, suffix) == TEXT
    assert content(packed + packed, suffix) == TEXT + TEXT
    assert content(run(tool, b"") + packed, suffix) == TEXT


def test_a_window_that_is_too_large_says_what_to_do() -> None:
    large = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    engine = zstandard.ZstdCompressor(compression_params=large).compressobj()
    packed = engine.compress(TEXT) + engine.flush()
    with pytest.raises(BrokenStream, match=r"over 128 MiB; compress .* `zstd --long=27`"):
        content(packed, ".zst")


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


PACKED = {
    ".gz": gzip.compress(TEXT, mtime=0),
    ".zst": zstandard.compress(TEXT, 1),
    ".bz2": bz2.compress(TEXT, 1),
    ".xz": lzma.compress(TEXT),
}


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
    assert num_broken >= 20


@pytest.mark.parametrize("suffix", PACKED)
def test_damage_and_foreign_bytes_are_named(suffix: str) -> None:
    for packed in (PACKED[suffix] + b"not packed at all", b"not packed at all"):
        kept, error = until_break(packed, suffix)
        assert error.startswith("damaged before byte")
        assert TEXT.startswith(kept)


def test_all_but_some_bytes_before_damage_of_gzip_is_kept() -> None:
    noise = random.Random(3).randbytes(300_000)
    packed = gzip.compress(noise, 1)
    num_broken = 0
    for position in range(5_000, len(packed) - 5_000, 23_003):
        damaged = bytearray(packed)
        damaged[position : position + 40] = bytes(40)
        oracle, sure = zlib.decompressobj(31), b""
        for start in range(0, position - 64, 64):
            sure += oracle.decompress(packed[start : start + 64])
        kept, error = until_break(bytes(damaged), ".gz")
        assert kept.startswith(sure[:-200])
        assert error.startswith("damaged before byte")
        num_broken += 1
    assert num_broken > 5


def test_gzip_loses_no_byte_where_blocks_are_full() -> None:
    generator = random.Random(5)
    words = [generator.randbytes(generator.randint(1, 40)) for _ in range(300)]
    num_cut = 0
    for num_more in (0, 512 << 10, (512 << 10) + 7, 258 * 2032):
        runs = [generator.choice(words) * generator.choice((1, 2, 5000)) for _ in range(60)]
        text = b"".join(runs) + b"z" * num_more
        packed = gzip.compress(text, 6)
        assert content(packed + b"\0" + packed, ".gz") == text + text
        for _ in range(10):
            length = generator.randrange(1, len(packed))
            kept, error = until_break(packed[:length], ".gz")
            assert kept == zlib.decompressobj(31).decompress(packed[:length])
            num_cut += error.startswith("cut off")
    assert num_cut == 40


def test_a_wrong_check_sum_is_noticed() -> None:
    packed = bytearray(PACKED[".gz"])
    packed[-6] ^= 1
    with pytest.raises(BrokenStream, match="incorrect data check"):
        content(bytes(packed), ".gz")


def test_a_bomb_is_read_in_bounded_blocks() -> None:
    bombs = {
        ".gz": gzip.compress(bytes(64 << 20), 6),
        ".zst": zstandard.ZstdCompressor(level=3).compress(bytes(256 << 20)),
        ".bz2": bz2.compress(bytes(64 << 20)),
        ".xz": lzma.compress(bytes(64 << 20), preset=1),
    }
    for suffix, bomb in bombs.items():
        sizes = [len(block) for block in decompress(io.BytesIO(bomb), suffix)]
        assert sum(sizes) == (256 << 20 if suffix == ".zst" else 64 << 20)
        assert max(sizes) <= (1 << 20 if suffix == ".gz" else 64 << 20)
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


@pytest.mark.parametrize("suffix", PACKED)
def test_what_unpacks_to_too_much_is_read_up_to_the_limit(suffix: str) -> None:
    blocks = decompress(io.BytesIO(PACKED[suffix]), suffix, Limits(10_000, 1000))
    read: list[bytes] = []
    with pytest.raises(BrokenStream, match=r"over max_unpacked_bytes = 10000; not read on"):
        read.extend(blocks)
    assert TEXT.startswith(b"".join(read))
    bomb = {".gz": gzip.compress, ".zst": zstandard.compress, ".bz2": bz2.compress}
    packed = bomb.get(suffix, lzma.compress)(bytes(80 << 20))
    with pytest.raises(BrokenStream, match=r"over max_unpack_ratio = 100 times its size"):
        sum(len(b) for b in decompress(io.BytesIO(packed), suffix, Limits(1 << 40, 100)))
    whole = decompress(io.BytesIO(PACKED[suffix]), suffix, Limits(len(TEXT), 1))
    assert b"".join(whole) == TEXT
