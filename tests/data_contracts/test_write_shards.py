"""Layout against bytes packed by hand and a reader written from Megatron's; misuse."""

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_shards import LARGE, SMALL, framed, write

from data_contracts.open_shards import open_shards
from data_contracts.shard_index import file_names
from data_contracts.verify_shards import verify_shards
from data_contracts.write_shards import write_index, write_shard

DOCUMENTS = st.lists(st.lists(st.integers(3, 599), max_size=6), max_size=8)


def read_megatron(prefix):
    """Read documents as Megatron-core's ``_IndexReader`` does: from the two files alone."""
    index = Path(f"{prefix}.idx").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    assert struct.unpack_from("<Q", index, 9) == (1,)
    dtype = {4: np.int32, 8: np.uint16}[index[17]]
    sequences, bounds = struct.unpack_from("<QQ", index, 18)
    lengths = np.frombuffer(index, np.int32, sequences, 34)
    pointers = np.frombuffer(index, np.int64, sequences, 34 + lengths.nbytes)
    ends = np.frombuffer(index, np.int64, bounds, 34 + lengths.nbytes + pointers.nbytes)
    assert len(index) == 34 + lengths.nbytes + pointers.nbytes + ends.nbytes
    assert ends.tolist() == list(range(sequences + 1))
    data = Path(f"{prefix}.bin").read_bytes()
    return [
        np.frombuffer(data, dtype, length, pointer).tolist()
        for length, pointer in zip(lengths, pointers, strict=True)
    ]


@pytest.mark.parametrize(
    ("vocabulary", "code", "letter"), [(SMALL, 8, "H"), (LARGE, 4, "i")], ids=["u2", "i4"]
)
def test_every_byte_is_where_the_formats_want_it(tmp_path, vocabulary, code, letter):
    bos, eos = vocabulary.bos_id, vocabulary.eos_id
    write(tmp_path, [[7, 8, 599], []], vocabulary)
    item = struct.calcsize(letter)
    assert (tmp_path / "train.bin").read_bytes() == struct.pack(
        f"<7{letter}", bos, 7, 8, 599, eos, bos, eos
    )
    assert (tmp_path / "train.idx").read_bytes() == (
        b"MMIDIDX\x00\x00"
        + struct.pack("<QBQQ", 1, code, 2, 3)
        + struct.pack("<2i", 5, 2)
        + struct.pack("<2q", 0, 5 * item)
        + struct.pack("<3q", 0, 1, 2)
    )
    assert (tmp_path / "train.ds.index").read_bytes() == struct.pack("<2Q", 5, 7)
    metadata = f"Unknown Tokenizer|{item}\n7\n7e-06 MT"
    assert (tmp_path / "train.ds.metadata").read_text() == metadata
    for name, values in {"offsets": (0, 5, 7), "num_bytes": (0, 10)}.items():
        head = f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({len(values)},), }}"
        expected = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + head.ljust(117).encode() + b"\n"
        expected += struct.pack(f"<{len(values)}q", *values)
        assert (tmp_path / f"train.{name}.npy").read_bytes() == expected


def test_what_is_written_is_read_by_megatrons_rules_and_by_ours(tmp_path_factory):
    seen = {"documents": 0, "large": 0}

    @given(DOCUMENTS, st.sampled_from([SMALL, LARGE]))
    def check(documents, vocabulary):
        folder = write(tmp_path_factory.mktemp("shards"), documents, vocabulary)
        expected = [document.tolist() for document in framed(documents, vocabulary)]
        assert read_megatron(folder / "train") == expected
        opened = open_shards(folder)
        (shard,) = opened.shards
        ends = shard.offsets.tolist()
        found = [shard.tokens[start:end].tolist() for start, end in pairwise(ends)]
        assert found == expected
        assert shard.tokens.dtype == np.dtype(vocabulary.dtype)
        assert opened.num_tokens == sum(map(len, expected))
        assert opened.num_documents == len(expected)
        assert opened.num_bytes == sum(10 * i for i in range(len(expected)))
        assert opened.vocabulary == vocabulary
        files = [folder / name for name in file_names(["train"])]
        assert sorted(files) == sorted(folder.iterdir())
        assert verify_shards(folder) == sum(file.stat().st_size for file in files)
        seen["documents"] += len(documents)
        seen["large"] += vocabulary is LARGE

    check()
    assert min(seen.values()) > 0


@pytest.mark.parametrize("document", [[1, -1, 2], [1, 65_536, 2], [[1, 2]], [1.0, 2.0]], ids=str)
def test_what_does_not_fit_is_never_wrapped(tmp_path, document):
    with pytest.raises(ValueError, match=r"document 0 of train\.bin"):
        write_shard(tmp_path, "train", [np.array(document)], [1], "<u2")


def test_sizes_names_and_existing_shards_are_checked(tmp_path):
    one = framed([[5]])
    with pytest.raises(ValueError, match="1 documents, but 2 sizes"):
        write_shard(tmp_path, "train", one, [1, 2], "<u2")
    with pytest.raises(FileExistsError):
        write_shard(tmp_path, "train", one, [1], "<u2")
    with pytest.raises(ValueError, match="cannot name a shard"):
        write_shard(tmp_path, "../train", one, [1], "<u2")


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([5, 2], "does not start with BOS"),
        ([1, 5], "end with EOS"),
        ([1], "BOS"),
        ([], "shorter"),
        ([1, 600, 2], "outside the vocabulary of 600"),
        ([1, 5, 2, 2], "within a document"),
        ([1, 1, 5, 2], "within a document"),
    ],
)
def test_only_framed_documents_of_the_vocabulary_are_indexed(tmp_path, document, fault):
    documents = [*framed([[5]]), np.array(document, np.int32)]
    entry = write_shard(tmp_path, "train", documents, [1, 1], "<u2")
    with pytest.raises(ValueError, match=fault):
        write_index(tmp_path, SMALL, [entry])
