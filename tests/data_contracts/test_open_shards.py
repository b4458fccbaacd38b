"""Opening: sets of several folders, damage that is seen without reading all, what it imports."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from made_shards import SMALL, framed, write

from data_contracts.errors import Damaged, InputError, NotFound
from data_contracts.open_shards import open_shards
from data_contracts.shard_index import SUFFIXES
from data_contracts.verify_shards import verify_shards
from data_contracts.write_shards import write_index, write_shard


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("change", [None, lambda data: data[:-1], lambda data: data + b"\0"])
def test_a_cut_grown_or_missing_file_is_found_on_opening(tmp_path, suffix, change):
    path = write(tmp_path, [[7], [8]]) / f"train{suffix}"
    data = path.read_bytes()
    path.unlink()
    if change:
        path.write_bytes(change(data))
    grown_npy = change and suffix.endswith(".npy") and len(change(data)) > len(data)
    if not grown_npy:  # what stands behind an array's end is never read; verifying reads it
        with pytest.raises(Damaged, match="pack_tokens again"):
            open_shards(tmp_path)
    with pytest.raises(Damaged, match="pack_tokens again"):
        verify_shards(tmp_path)


@pytest.mark.parametrize(
    "suffix", [".idx", ".ds.index", ".ds.metadata", ".offsets.npy", ".num_bytes.npy"]
)
def test_any_flipped_bit_of_a_sidecar_is_found_on_opening(tmp_path, suffix):
    """But for bits of the tokenizer's name, which it does not read, and of NPY's padding."""
    write(tmp_path, [[5], [6, 7, 8], [9, 9]])
    path = tmp_path / f"train{suffix}"
    data = path.read_bytes()
    header = 128 if suffix.endswith(".npy") else data.index(b"|") if b"|" in data else 0
    for place in range(header, len(data)):
        for bit in (1, 128):
            flipped = bytearray(data)
            flipped[place] ^= bit
            path.write_bytes(flipped)
            with pytest.raises(Damaged, match=r"the token shard .*train is damaged"):
                open_shards(tmp_path)
    path.write_bytes(data)
    assert open_shards(tmp_path).num_tokens == 12


def test_shards_of_several_folders_are_one_set_in_the_given_order(tmp_path):
    folders = []
    for i in (2, 1):
        folders.append(tmp_path / str(i))
        folders[-1].mkdir()
        entries = [
            write_shard(folders[-1], name, framed([[i + 4, id_]]), [4], "<u2")
            for name, id_ in (("train", 10), ("heldout", 20))
        ]
        write_index(folders[-1], SMALL, entries)
    opened = open_shards(folders, ["train"])
    assert [shard.tokens.tolist() for shard in opened.shards] == [[1, 6, 10, 2], [1, 5, 10, 2]]
    assert (opened.num_tokens, opened.num_bytes) == (8, 8)
    assert [s.name for s in open_shards(folders[0]).shards] == ["train", "heldout"]
    with pytest.raises(NotFound, match="no token shard 'dev'; it has train, heldout"):
        open_shards(folders, ["dev"])


def test_shards_of_two_tokenizers_are_not_mixed(tmp_path):
    one = write(tmp_path / "one", [[5]])
    other = write(tmp_path / "other", [[5]], replace(SMALL, tokenizer_digest="ef" * 20))
    with pytest.raises(InputError, match="different tokenizers"):
        open_shards([one, other])


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(NotFound, match="holds no token shards; run pack_tokens"):
        open_shards(tmp_path / "none")
    with pytest.raises(NotFound, match="no folder"):
        open_shards([])


def test_reading_needs_numpy_and_pyarrow_only(tmp_path):
    write(tmp_path, [[5]])
    code = (
        "import sys, pathlib; sys.modules['blake3'] = sys.modules['torch'] = None\n"
        "from data_contracts.open_shards import open_shards\n"
        "print(open_shards(pathlib.Path(sys.argv[1])).num_tokens)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=root, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("3\n", "")
