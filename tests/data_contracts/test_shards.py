"""Layout against bytes packed by hand and a reader written from Megatron's; damage; misuse."""

import struct
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import Damaged, InputError, MillraceError, NotFound
from data_contracts.shards import (
    SUFFIXES,
    Vocabulary,
    file_names,
    open_shards,
    verify_shards,
    write_index,
    write_shard,
)

SMALL = Vocabulary(600, bos_id=1, eos_id=2, pad_id=3, tokenizer_digest="ab" * 20, mask_id=4)
LARGE = Vocabulary(70_000, bos_id=0, eos_id=1, pad_id=None, tokenizer_digest="cd" * 20)

DOCUMENTS = st.lists(st.lists(st.integers(3, 599), max_size=6), max_size=8)


def framed(documents, vocabulary=SMALL):
    return [np.array([vocabulary.bos_id, *d, vocabulary.eos_id], np.int32) for d in documents]


def write(folder, documents, vocabulary=SMALL, name="train"):
    """Write a folder of one shard; a document's size in bytes is its number times 10."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [10 * i for i in range(len(documents))]
    entry = write_shard(folder, name, framed(documents, vocabulary), sizes, vocabulary.dtype)
    write_index(folder, vocabulary, [entry])
    return folder


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


def test_ids_take_two_bytes_below_65500():
    assert replace(SMALL, vocab_size=65_499).dtype == "<u2"
    assert replace(SMALL, vocab_size=65_500).dtype == "<i4"


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


def test_a_set_tells_its_special_ids(tmp_path):
    opened = open_shards(write(tmp_path, [[5]]))
    assert (opened.vocab_size, opened.bos_id, opened.eos_id, opened.pad_id) == (600, 1, 2, 3)
    assert (opened.tokenizer_digest, opened.mask_id) == ("ab" * 20, 4)
    with pytest.raises(ValueError, match="read-only"):
        opened.shards[0].tokens[0] = 4


def test_any_flipped_byte_is_found_by_verifying_and_opening_stays_civil(tmp_path):
    folder = write(tmp_path, [[7, 8, 599], [], [9]])
    flipped = refused = 0
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        for position in range(len(data)):
            changed = bytearray(data)
            changed[position] ^= 1 + position % 255
            path.write_bytes(changed)
            with pytest.raises(Damaged):
                verify_shards(folder)
            try:
                open_shards(folder)
            except MillraceError:
                refused += 1
            flipped += 1
        path.write_bytes(data)
    verify_shards(folder)
    assert flipped == sum(path.stat().st_size for path in folder.iterdir()) > 1000
    assert refused > 100


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
    "text",
    [
        "",
        "[]",
        "null",
        '{"format": "other"}',
        "[" * 100_000,
        '{"format": "millrace-tokens-2", "shards": 1}',
    ],
)
def test_what_is_no_index_is_refused(tmp_path, text):
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(Damaged):
        open_shards(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"name": "train"', '"name": "../train"'),
        ('"vocab_size": 600', '"vocab_size": 70000'),
        ('"vocab_size": 600', '"vocab_size": "600"'),
        ('"num_documents": 1', '"num_documents": -1'),
        ('"pad_id": 3', '"pad_id": 600'),
        ('"mask_id": 4', '"mask_id": 600'),
        ('"mask_id": 4', '"mask_id": -1'),
        ('".idx"', '".index"'),
    ],
)
def test_an_index_that_cannot_be_true_is_refused(tmp_path, old, new):
    path = write(tmp_path, [[7]]) / "index.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(Damaged):
        open_shards(tmp_path)


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


def test_named_shards_are_verified_without_the_others(tmp_path):
    entries = [write_shard(tmp_path, n, framed([[5]]), [4], "<u2") for n in ("train", "heldout")]
    write_index(tmp_path, SMALL, entries)
    (tmp_path / "heldout.bin").write_bytes(b"")
    assert verify_shards(tmp_path, ["train"]) < bytes_of(tmp_path)
    for names in (None, ["heldout"]):
        with pytest.raises(Damaged):
            verify_shards(tmp_path, names)
    with pytest.raises(NotFound, match="no token shard 'dev'"):
        verify_shards(tmp_path, ["dev"])


def bytes_of(folder):
    return sum(path.stat().st_size for path in folder.iterdir())


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
        "from data_contracts.shards import open_shards\n"
        "print(open_shards(pathlib.Path(sys.argv[1])).num_tokens)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=root, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("3\n", "")
