"""Files as other tools write them, by hand from their descriptions; and all that can be wrong."""

import gzip
import random
import struct
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from data_contracts.errors import InputError, MillraceError, NotFound, UsageError
from data_contracts.foreign_shards import LAYOUTS, open_foreign
from data_contracts.shards import Vocabulary

SMALL = Vocabulary(600, bos_id=2, eos_id=2, pad_id=None, tokenizer_digest="gpt2")
LARGE = replace(SMALL, vocab_size=70_000)
ENDED = [[5, 6, 599, 2], [2], [*range(10, 400), 2]]
BEGUN = [[2, 5, 6, 599], [2], [2, *range(10, 400)]]


def flat(documents):
    return [token for document in documents for token in document]


def write_megatron(folder, vocabulary=SMALL, documents=ENDED, code=8, letter="H"):
    """Each document but the last is one sequence; the last is two."""
    tokens = flat(documents)
    lengths = [*map(len, documents[:-1]), 100, len(documents[-1]) - 100]
    size, count = struct.calcsize(letter), len(lengths)
    pointers = np.concatenate([[0], np.cumsum(lengths)[:-1]]) * size
    (folder / "a.bin").write_bytes(struct.pack(f"<{len(tokens)}{letter}", *tokens))
    (folder / "a.idx").write_bytes(
        b"MMIDIDX\x00\x00"
        + struct.pack("<QBQQ", 1, code, count, len(documents) + 1)
        + struct.pack(f"<{count}i", *lengths)
        + struct.pack(f"<{count}q", *pointers.tolist())
        + struct.pack(f"<{len(documents) + 1}q", *range(len(documents)), count)
    )
    return folder / "a.bin"


def write_datatrove(folder, vocabulary=SMALL, loss=False):
    size, letter = (2, "H") if vocabulary == SMALL else (4, "I")
    tokens = flat(ENDED)
    (folder / "a.ds").write_bytes(struct.pack(f"<{len(tokens)}{letter}", *tokens))
    ends = np.cumsum([len(document) for document in ENDED]).tolist()
    (folder / "a.ds.index").write_bytes(struct.pack(f"<{len(ends)}Q", *ends))
    (folder / "a.ds.metadata").write_text(f"gpt2|{size}\n{len(tokens)}\n0.4 KT")
    if loss:
        (folder / "a.ds.loss").write_bytes(bytes(i % 2 for i in range(len(tokens))))
    return folder / "a.ds"


def write_olmo(folder, vocabulary=SMALL, csv=True):
    dtype = np.uint16 if vocabulary == SMALL else np.uint32
    (folder / "a.npy").write_bytes(np.array(flat(ENDED), dtype).tobytes())
    ends = np.cumsum([0, *map(len, ENDED)]).tolist()
    rows = "".join(f"{start},{end},id-{end},a/b.jsonl.gz,7\n" for start, end in pairwise(ends))
    if csv:
        (folder / "a.csv.gz").write_bytes(gzip.compress(rows.encode()))
    return folder / "a.npy"


def write_llmc(folder, vocabulary=SMALL):
    kind, letter = ((20240520, 1), "H") if vocabulary == SMALL else ((20240801, 7), "I")
    tokens = flat(BEGUN)
    header = struct.pack("<256i", *kind, len(tokens), *[0] * 253)
    (folder / "a.bin").write_bytes(header + struct.pack(f"<{len(tokens)}{letter}", *tokens))
    return folder / "a.bin"


def write_raw(folder, vocabulary=SMALL):
    dtype = np.uint16 if vocabulary == SMALL else np.uint32
    (folder / "a.bin").write_bytes(np.array(flat(ENDED), dtype).tobytes())
    return folder / "a.bin"


WRITERS = {
    "megatron": write_megatron,
    "datatrove": write_datatrove,
    "olmo": write_olmo,
    "llmc": write_llmc,
    "raw": write_raw,
}


def documents_of(opened):
    return [
        shard.tokens[start:end].tolist()
        for shard in opened.shards
        for start, end in pairwise(shard.offsets.tolist())
    ]


def test_every_layout_is_tried():
    assert set(WRITERS) == set(LAYOUTS)


@pytest.mark.parametrize("vocabulary", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_others_write_is_read(tmp_path, layout, vocabulary):
    file = WRITERS[layout](tmp_path, vocabulary)
    opened = open_foreign([file, file], layout, vocabulary)
    assert documents_of(opened) == (BEGUN if layout == "llmc" else ENDED) * 2
    assert (opened.vocabulary, opened.num_documents) == (vocabulary, 6)
    assert (opened.num_tokens, opened.num_bytes) == (2 * len(flat(ENDED)), 0)
    assert [shard.name for shard in opened.shards] == ["a", "a"]
    assert not opened.shards[0].tokens.flags.writeable


@pytest.mark.parametrize(("code", "letter"), [(2, "b"), (3, "h"), (4, "i"), (5, "q"), (8, "H")])
def test_megatron_has_integers_of_every_size(tmp_path, code, letter):
    documents = [[5, 2], [*range(3, 110), 2]]
    file = write_megatron(tmp_path, documents=documents, code=code, letter=letter)
    assert documents_of(open_foreign([file], "megatron", SMALL)) == documents


def test_documents_without_an_index_are_told_apart_by_their_ends(tmp_path):
    file = write_olmo(tmp_path, csv=False)
    assert documents_of(open_foreign([file], "olmo", SMALL)) == ENDED
    file.write_bytes(np.array([5, 2, 7, 8], np.uint16).tobytes())
    assert documents_of(open_foreign([file], "raw", SMALL)) == [[5, 2], [7, 8]]


def test_a_document_that_goes_on_in_the_next_file_of_llmc_is_two(tmp_path):
    header = struct.pack("<256i", 20240520, 1, 4, *[0] * 253)
    file = tmp_path / "a.bin"
    file.write_bytes(header + struct.pack("<4H", 8, 9, 2, 5))
    assert documents_of(open_foreign([file], "llmc", SMALL)) == [[8, 9], [2, 5]]


def test_a_mask_is_read_with_its_tokens(tmp_path):
    (shard,) = open_foreign([write_datatrove(tmp_path, loss=True)], "datatrove", SMALL).shards
    assert shard.mask.tolist() == [i % 2 for i in range(len(shard.tokens))]


def test_files_without_tokens_have_no_documents(tmp_path):
    for name in ("a.npy", "a.ds", "a.ds.index"):
        (tmp_path / name).write_bytes(b"")
    for layout, name in (("raw", "a.npy"), ("olmo", "a.npy"), ("datatrove", "a.ds")):
        assert documents_of(open_foreign([tmp_path / name], layout, SMALL)) == []


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bad", [600, 65_535])
def test_an_id_outside_the_vocabulary_is_refused(tmp_path, layout, bad):
    file = WRITERS[layout](tmp_path)
    data = bytearray(file.read_bytes())
    data[-6:-4] = struct.pack("<H", bad)
    file.write_bytes(data)
    with pytest.raises(InputError, match=f"the id {bad}, outside the vocabulary of 600; see that"):
        open_foreign([file], layout, SMALL)


def test_a_large_id_does_not_become_a_small_one(tmp_path):
    file = write_raw(tmp_path, LARGE)
    file.write_bytes(struct.pack("<2I", (1 << 32) - 1, 2))
    with pytest.raises(InputError, match="the id 4294967295, outside the vocabulary of 70,000"):
        open_foreign([file], "raw", LARGE)


WRONG = [
    ("megatron", "a.idx", lambda data: b"\0" + data[1:], "does not begin as a Megatron index"),
    ("megatron", "a.idx", lambda data: data[:17] + b"\x06" + data[18:], "does not begin"),
    ("megatron", "a.idx", lambda data: data[:-1], "has not the size of 4 plain sequences"),
    ("megatron", "a.idx", lambda data: data + b"\0" * 4, "has not the size"),
    ("megatron", "a.idx", lambda data: data[:20], "too short for a header"),
    ("megatron", "a.idx", lambda data: data[:18] + b"\xff" * 8 + data[26:], "has not the size"),
    ("megatron", "a.bin", lambda data: data[:-2], "do not span its 395 tokens"),
    ("megatron", "a.bin", lambda data: data[:-1], "no multiple of 2"),
    ("datatrove", "a.ds", lambda data: data[:-2], "ends behind 395 tokens"),
    ("datatrove", "a.ds.index", lambda data: data[:-8], "do not span its 396 tokens"),
    ("datatrove", "a.ds.index", lambda data: data[:8] + b"\0" * 8 + data[16:], "do not span"),
    ("datatrove", "a.ds.metadata", lambda data: b"gpt2|3", "no size of a token"),
    ("olmo", "a.npy", lambda data: b"\x93NUMPY" + data, "has an NPY header"),
    ("olmo", "a.csv.gz", lambda data: data[:-9], "ended before"),
    ("olmo", "a.csv.gz", lambda data: b"no gzip", "Not a gzipped file"),
    ("olmo", "a.csv.gz", lambda data: gzip.compress(b"0,4\n5,395\n"), "do not follow one another"),
    ("olmo", "a.csv.gz", lambda data: gzip.compress(b"0,4\n4,5\n"), "do not span"),
    ("olmo", "a.csv.gz", lambda data: gzip.compress(b"0,0\n" * 999), "more rows than there are"),
    ("olmo", "a.csv.gz", lambda data: gzip.compress(b"start,end\n"), "invalid literal"),
    ("olmo", "a.csv.gz", lambda data: gzip.compress(b"0," + b"9" * 30), "too large"),
    ("llmc", "a.bin", lambda data: data[4:], "does not begin with a header of llm.c"),
    ("llmc", "a.bin", lambda data: data[:40], "does not begin with a header"),
    ("llmc", "a.bin", lambda data: data[:-2], "has 395 tokens, where its header says 396"),
    ("raw", "a.bin", lambda data: data[:-1], "791 bytes, no multiple of 2"),
]


@pytest.mark.parametrize(("layout", "name", "change", "message"), WRONG)
def test_what_does_not_add_up_is_refused_in_one_sentence(tmp_path, layout, name, change, message):
    file = WRITERS[layout](tmp_path)
    (tmp_path / name).write_bytes(change((tmp_path / name).read_bytes()))
    with pytest.raises(InputError, match=message) as caught:
        open_foreign([file], layout, SMALL)
    assert str(caught.value).startswith(f"{file} cannot be read as {layout}: ")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damage_is_refused_or_leaves_documents_that_can_be_read(tmp_path, layout):
    file = WRITERS[layout](tmp_path)
    draw, refused = random.Random(0), 0
    for path in sorted(tmp_path.iterdir()):
        data = path.read_bytes()
        for _ in range(60):
            changed = bytearray(data)
            changed[draw.randrange(min(len(data), 60))] = draw.randrange(256)
            path.write_bytes(changed)
            try:
                found = documents_of(open_foreign([file], layout, SMALL))
            except MillraceError:
                refused += 1
            else:
                assert all(0 <= token < 600 for document in found for token in document)
        path.write_bytes(data)
    assert refused > 5


def test_misuse_and_missing_files_are_named(tmp_path):
    with pytest.raises(UsageError, match="use megatron, datatrove, olmo, llmc, raw"):
        open_foreign([tmp_path], "litdata", SMALL)
    with pytest.raises(UsageError, match="No token file"):
        open_foreign([], "raw", SMALL)
    for layout in LAYOUTS:
        with pytest.raises(NotFound, match="does not exist"):
            open_foreign([tmp_path / "none.bin"], layout, SMALL)
    (tmp_path / "a.bin").write_bytes(b"")
    with pytest.raises(NotFound, match=r"a\.idx does not exist"):
        open_foreign([tmp_path / "a.bin"], "megatron", SMALL)


@pytest.mark.parametrize("vocab_size", [65_500, 65_520, 65_536])
@pytest.mark.parametrize("item_bytes", [2, 4])
def test_where_tools_differ_in_the_size_of_an_id_it_must_be_said(tmp_path, vocab_size, item_bytes):
    vocabulary = replace(SMALL, vocab_size=vocab_size)
    documents = [[1, vocab_size - 1, 2], [1, 2]]
    file = tmp_path / "a.bin"
    file.write_bytes(np.array(flat(documents), f"<u{item_bytes}").tobytes())
    with pytest.raises(InputError, match=r"some tools write each in 2 bytes .* give item_bytes"):
        open_foreign([file], "raw", vocabulary)
    assert documents_of(open_foreign([file], "raw", vocabulary, item_bytes)) == documents


def test_an_id_of_another_size_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="An id has 3 bytes; use 2 or 4"):
        open_foreign([tmp_path], "raw", SMALL, 3)
