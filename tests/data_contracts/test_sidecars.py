"""What a mask may be, what a shard keeps of it, and how sidecars that do not fit are refused."""

import numpy as np
import pytest

from data_contracts.errors import Damaged
from data_contracts.open_shards import open_shards
from data_contracts.shards import Vocabulary
from data_contracts.verify_shards import verify_shards
from data_contracts.write_shards import write_index, write_shard

VOCABULARY = Vocabulary(600, bos_id=1, eos_id=2, pad_id=3, tokenizer_digest="ab" * 20)
DOCUMENTS = [np.array([1, 5, 6, 2]), np.array([1, 7, 2])]


def write(folder, mask):
    mask = None if mask is None else np.array(mask)
    entry = write_shard(folder, "train", DOCUMENTS, [3, 1], "<u2", "name", mask)
    write_index(folder, VOCABULARY, [entry])
    return folder


def test_a_mask_is_kept_beside_its_tokens(tmp_path):
    (shard,) = open_shards(write(tmp_path, [0, 0, 1, 1, 0, 1, 0])).shards
    assert shard.mask.tolist() == [0, 0, 1, 1, 0, 1, 0]
    assert (tmp_path / "train.mask").read_bytes() == bytes([0, 0, 1, 1, 0, 1, 0])
    assert verify_shards(tmp_path) == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == 8


def test_without_a_mask_there_is_no_file_of_one(tmp_path):
    (shard,) = open_shards(write(tmp_path, None)).shards
    assert shard.mask is None
    assert not (tmp_path / "train.mask").exists()


@pytest.mark.parametrize("mask", [[0, 1], [0, 1, 2, 0, 0, 1, 0], [0.0] * 7, [[0] * 7]])
def test_what_is_no_mask_is_not_written(tmp_path, mask):
    with pytest.raises(ValueError, match=r"train\.mask is not 0 or 1 for each of 7 tokens"):
        write(tmp_path, mask)


@pytest.mark.parametrize("mask", [[0, 0, 1, 1, 0, 0, 0], [1, 0, 0, 1, 0, 1, 1]])
def test_a_document_must_be_asked_for_something_but_its_bos(tmp_path, mask):
    number = 1 if mask[0] == 0 else 0
    with pytest.raises(ValueError, match=f"document {number} asks for nothing, or for BOS"):
        write(tmp_path, mask)


def test_any_flipped_byte_of_a_mask_is_found(tmp_path):
    path = write(tmp_path, [0, 0, 1, 1, 0, 1, 0]) / "train.mask"
    data = path.read_bytes()
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1
        path.write_bytes(changed)
        with pytest.raises(Damaged):
            verify_shards(tmp_path)
    path.write_bytes(data[:-1])
    with pytest.raises(Damaged, match=r"train\.mask has 6 bytes, not 7"):
        open_shards(tmp_path)
    path.unlink()
    with pytest.raises(Damaged, match="pack_tokens again"):
        open_shards(tmp_path)


@pytest.mark.parametrize(
    ("suffix", "data", "message"),
    [
        (".idx", b"MMIDIDX", "is no Megatron index of its 2 documents in <u2"),
        (".ds.index", b"\0" * 8, "is no datatrove index of its 2 documents"),
        (".ds.metadata", b"name|4\n7\n7e-06 MT", "does not tell of 7 tokens in <u2"),
        (".ds.metadata", b"name|2\n8\n7e-06 MT", "does not tell of 7 tokens"),
        (".ds.metadata", b"\xff", "does not tell of 7 tokens"),
        (".ds.metadata", b"x" * 10_000, "does not tell of 7 tokens"),
    ],
)
def test_sidecars_of_other_tokens_are_refused_on_opening(tmp_path, suffix, data, message):
    (write(tmp_path, None) / f"train{suffix}").write_bytes(data)
    with pytest.raises(Damaged, match=message):
        open_shards(tmp_path)
