"""Exported files against readers written from each trainer's own; themselves: test_readers.py."""

import csv
import gzip
import struct
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from data_contracts.errors import InputError, UsageError
from data_contracts.foreign_shards import open_foreign
from data_contracts.open_shards import open_shards
from data_contracts.shards import Vocabulary
from data_contracts.write_shards import write_index, write_shard
from pipelines.tokens.export_shards import LAYOUTS, export_shards

SMALL = Vocabulary(600, bos_id=1, eos_id=2, pad_id=3, tokenizer_digest="ab" * 20)
LARGE = replace(SMALL, vocab_size=70_000)
DOCUMENTS = [[1, 5, 6, 599, 2], [1, 2], [1, *range(10, 400), 2]]
TOKENS = [token for document in DOCUMENTS for token in document]


@pytest.fixture(params=[SMALL, LARGE], ids=["u2", "i4"])
def shards(request, tmp_path):
    """Return two shards: three documents, and none."""
    source = tmp_path / "source"
    source.mkdir()
    arrays = [np.array(document) for document in DOCUMENTS]
    entries = [
        write_shard(source, "train", arrays, [9] * 3, request.param.dtype),
        write_shard(source, "empty", [], [], request.param.dtype),
    ]
    write_index(source, request.param, entries)
    return open_shards(source)


def documents(tokens, ends):
    return [tokens[start:end].tolist() for start, end in pairwise([0, *ends])]


def test_megatron(shards, tmp_path):
    export_shards(shards, tmp_path / "out", "megatron")
    for name in ("train", "empty"):
        for suffix in (".bin", ".idx"):
            (found,) = (tmp_path / "out").glob(f"*_{name}{suffix}")
            assert found.read_bytes() == (tmp_path / "source" / f"{name}{suffix}").read_bytes()


def test_datatrove(shards, tmp_path):
    files = export_shards(shards, tmp_path / "out", "datatrove")
    names = [f"{base}.ds{end}" for base in ("00000_train", "00001_empty")
             for end in ("", ".index", ".metadata")]  # fmt: skip
    assert [path.name for path in files] == names
    ends = np.fromfile(files[1], np.uint64).tolist()
    dtype = {2: np.uint16, 4: np.uint32}[shards.shards[0].tokens.itemsize]
    assert documents(np.fromfile(files[0], dtype), ends) == DOCUMENTS
    tokenizer, count, _ = files[2].read_text().split("\n")
    assert (tokenizer, int(count)) == (f"{'ab' * 20}|{dtype().itemsize}", 399)
    beside = tmp_path / "source" / "train.bin"
    assert files[0].read_bytes() == beside.read_bytes()
    assert files[1].read_bytes() == beside.with_suffix(".ds.index").read_bytes()


def test_olmo(shards, tmp_path):
    files = export_shards(shards, tmp_path / "out", "olmo")
    by_name = {path.name: path for path in files}
    dtype = {2: np.uint16, 4: np.uint32}[shards.shards[0].tokens.itemsize]
    tokens = np.memmap(by_name["00000_train.npy"], dtype, mode="r")
    with gzip.open(by_name["00000_train.csv.gz"], "rt") as rows:
        bounds = [(int(start), int(end)) for start, end in csv.reader(rows)]
    assert [tokens[start:end].tolist() for start, end in bounds] == DOCUMENTS
    ends = (np.flatnonzero(tokens == 2) + 1).tolist()  # found by EOS, as local files are
    assert documents(tokens, ends) == DOCUMENTS


def test_llmc(shards, tmp_path):
    if shards.vocabulary == LARGE:
        with pytest.raises(InputError, match=r"ids of 16 bits .* a vocabulary of 70,000"):
            export_shards(shards, tmp_path / "out", "llmc")
        assert [path.name for path in tmp_path.iterdir()] == ["source"]
        return
    train, empty = export_shards(shards, tmp_path / "out", "llmc")
    assert struct.unpack_from("<256i", train.read_bytes()) == (20240520, 1, 399, *[0] * 253)
    assert np.fromfile(train, "<u2", offset=1024).tolist() == TOKENS
    assert len(empty.read_bytes()) == 1024


@pytest.mark.parametrize("vocab_size", [65_499, 65_500, 65_520, 65_536, 65_537])
def test_each_reads_back_ids_near_the_end_of_16_bits(tmp_path, vocab_size):
    """Megatron has 32 bits from 65,500 ids on, OLMo-core and llm.c from 65,537."""
    vocabulary = replace(SMALL, vocab_size=vocab_size)
    tokens = [[1, vocab_size - 1, 0, 2], [1, 5, 2]]
    source = tmp_path / "source"
    source.mkdir()
    arrays = [np.array(document) for document in tokens]
    write_index(source, vocabulary, [write_shard(source, "a", arrays, [9] * 2, vocabulary.dtype)])
    opened = open_shards(source)
    for layout, suffix in (("megatron", "bin"), ("datatrove", "ds"), ("olmo", "npy")):
        export_shards(opened, tmp_path / layout, layout)
        file = tmp_path / layout / f"00000_a.{suffix}"
        (shard,) = open_foreign([file], layout, vocabulary).shards
        assert documents(shard.tokens, shard.offsets[1:].tolist()) == tokens
    olmo = (tmp_path / "olmo" / "00000_a.npy").read_bytes()
    assert olmo == np.concatenate(arrays).astype("<u2" if vocab_size < 65_537 else "<u4").tobytes()
    if vocab_size < 65_537:
        (llmc,) = export_shards(opened, tmp_path / "llmc", "llmc")
        assert llmc.read_bytes()[1024:] == olmo


def test_nothing_is_left_or_overwritten_when_it_goes_wrong(shards, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="use megatron, datatrove, olmo, llmc"):
        export_shards(shards, tmp_path / "out", "litdata")
    with pytest.raises(UsageError, match="exists"):
        export_shards(shards, tmp_path / "source", "olmo")

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(LAYOUTS, "olmo", full_disk)
    with pytest.raises(OSError, match="No space"):
        export_shards(shards, tmp_path / "out", "olmo")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_mask_goes_to_datatrove_and_is_lost_nowhere(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    mask = np.array([0, 0, 1, 1, 1, 0, 1])
    documents = [np.array(DOCUMENTS[0]), np.array(DOCUMENTS[1])]
    entry = write_shard(source, "train", documents, [9, 9], "<u2", mask=mask)
    write_index(source, SMALL, [entry])
    masked = open_shards(source)
    files = export_shards(masked, tmp_path / "out", "datatrove")
    assert files[2].name == "00000_train.ds.loss"
    assert list(files[2].read_bytes()) == mask.tolist()
    (again,) = open_foreign(files[:1], "datatrove", SMALL).shards
    assert again.mask.tolist() == mask.tolist()
    for layout in set(LAYOUTS) - {"datatrove"}:
        with pytest.raises(InputError, match=f"{layout} has no place for the mask of train"):
            export_shards(masked, tmp_path / layout, layout)
        assert not (tmp_path / layout).exists()
