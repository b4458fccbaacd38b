"""An index that is none, or cannot be true."""

import pytest
from made_shards import write

from data_contracts.errors import Damaged
from data_contracts.open_shards import open_shards


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
