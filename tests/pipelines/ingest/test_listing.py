from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest import listing
from pipelines.ingest.listing import bucket_of, group_files, list_ranges, shown
from store.step import SourceFile

FILES = st.lists(
    st.builds(
        lambda name, size: SourceFile(name, size, "0" * 40),
        st.text("abc/.é", min_size=1, max_size=6),
        st.integers(0, 20),
    ),
    unique_by=lambda file: file.path,
)


@given(FILES, st.randoms(use_true_random=False))
def test_grouping_depends_on_files_and_not_on_their_order(
    files: list[SourceFile], rng: random.Random
) -> None:
    parts = group_files(files, bundles=4, max_bundle_file_bytes=10)
    mixed = files[:]
    rng.shuffle(mixed)
    assert group_files(mixed, bundles=4, max_bundle_file_bytes=10) == parts
    assert sorted(f.path for part in parts for f in part.files) == sorted(f.path for f in files)
    assert [part.key for part in parts] == sorted({part.key for part in parts})
    for part in parts:
        is_alone = part.files[0].size_bytes >= 10
        assert part.key == (part.files[0].path if is_alone else part.key)
        assert part.key.startswith("bundle-00") or len(part.files) == 1
        assert [f.path for f in part.files] == sorted(f.path for f in part.files)


@given(FILES, st.integers(0, 20))
def test_one_more_file_touches_one_partition(files: list[SourceFile], size: int) -> None:
    before = set(group_files(files, bundles=4, max_bundle_file_bytes=10))
    more = [*files, SourceFile("new.txt", size, "1" * 40)]
    after = set(group_files(more, bundles=4, max_bundle_file_bytes=10))
    assert len(after - before) == 1
    assert len(before - after) <= 1


def test_buckets_are_fixed_and_even() -> None:
    assert [bucket_of(name, 16) for name in ("a.txt", "b.txt", "sub/é.md")] == [3, 12, 0]
    counts = [0] * 16
    for number in range(4000):
        counts[bucket_of(f"file-{number}.txt", 16)] += 1
    assert min(counts) > 190


def test_names_that_are_not_utf8_can_be_shown() -> None:
    assert shown("caf\udce9/é.txt") == "caf\\xe9/é.txt"


ENDED = st.sampled_from([b"\n", b"a\n", b"bb\n", b"c" * 25 + b"\n", b"dd"])
LINES = st.lists(ENDED, min_size=1).map(b"".join)


@given(LINES)
def test_ranges_are_whole_lines_that_start_in_them(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("ranges") / "a.jsonl"
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "RANGE_BYTES", 10)
        parts = list_ranges(path, "a.jsonl")
    starts = [at for at in range(len(data)) if at == 0 or data[at - 1 : at] == b"\n"]
    seen = []
    for part in parts:
        (file,) = part.files
        assert file.length is not None
        assert file.length > 0
        number = file.start // 10
        assert part.key == f"a.jsonl@{number:04d}"
        inside = [at for at in starts if file.start <= at < file.start + file.length]
        assert [at // 10 for at in inside] == [number] * len(inside)
        seen += inside
    assert seen == starts
    assert sum(part.files[0].length or 0 for part in parts) == len(data)


def test_a_file_that_grows_changes_its_last_range_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "RANGE_BYTES", 100)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"0123456789abcde\n" * 40)
    before = list_ranges(path, "a.jsonl")
    with path.open("ab") as file:
        file.write(b"one more line\n" * 3)
    after = list_ranges(path, "a.jsonl")
    same = [(p.key, p.files[0].digest) for p in before[:-1]]
    assert [(p.key, p.files[0].digest) for p in after[: len(same)]] == same
    assert len(same) >= 5
    assert after[len(same)].files[0].digest != before[-1].files[0].digest
