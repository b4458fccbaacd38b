from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import InputError
from pipelines.ingest.listing import list_file
from pipelines.ingest.opening import BLOCK_BYTES, digest_range, open_checked
from store.identity import digest_bytes
from store.step import SourceFile


def read(path: Path, file: SourceFile) -> bytes:
    with open_checked(path, file) as reader:
        return b"".join(reader.blocks())


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES])
def test_a_file_that_stayed_as_listed_is_read(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    assert read(path, list_file(path, "a")) == path.read_bytes()
    with open_checked(path, list_file(path, "a")) as reader:
        assert len(reader.read(1)) == min(size, 1)  # the rest is checked all the same


@pytest.mark.parametrize("changed", [b"other", b"longer than it was", b"cut", b""])
def test_a_file_that_changed_is_refused_by_name(tmp_path: Path, changed: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"first")
    file = list_file(path, "sub/a.txt")
    path.write_bytes(changed)
    with pytest.raises(InputError, match=r"sub/a\.txt changed while it was being read"):
        read(path, file)


def test_a_file_that_changes_in_the_middle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * (3 * BLOCK_BYTES))
    file = list_file(path, "a")
    opened = open_checked(path, file)
    reader = opened.__enter__()
    assert reader.read(BLOCK_BYTES) == b"x" * BLOCK_BYTES
    path.write_bytes(b"x" * (2 * BLOCK_BYTES) + b"y" * BLOCK_BYTES)
    with pytest.raises(InputError, match="changed"):
        opened.__exit__(None, None, None)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.txt cannot be read \(No such file"):
        read(tmp_path / "a", SourceFile("a.txt", 1, "0" * 40))
    with pytest.raises(InputError, match=r"a\.txt cannot be read"):
        list_file(tmp_path / "a", "a.txt")


def test_an_error_of_the_reader_is_not_hidden_by_the_check(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    file = SourceFile("a", 1, "not the digest")
    with pytest.raises(KeyError), open_checked(path, file):
        raise KeyError


@given(st.binary(max_size=50), st.integers(0, 60), st.integers(0, 60))
def test_a_range_is_read_and_digested_alone(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, start: int, length: int
) -> None:
    path = tmp_path_factory.mktemp("range") / "a"
    path.write_bytes(data)
    part = data[start : start + length]
    digest = digest_range(path, start, length)
    assert digest == digest_bytes(part)
    file = SourceFile("a", len(data), digest, start, len(part))
    assert read(path, file) == part
