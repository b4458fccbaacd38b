"""What a shard says of itself."""

from dataclasses import replace

import pytest
from made_shards import SMALL, write

from data_contracts.open_shards import open_shards


def test_ids_take_two_bytes_below_65500():
    assert replace(SMALL, vocab_size=65_499).dtype == "<u2"
    assert replace(SMALL, vocab_size=65_500).dtype == "<i4"


def test_a_set_tells_its_special_ids(tmp_path):
    opened = open_shards(write(tmp_path, [[5]]))
    assert (opened.vocab_size, opened.bos_id, opened.eos_id, opened.pad_id) == (600, 1, 2, 3)
    assert (opened.tokenizer_digest, opened.mask_id) == ("ab" * 20, 4)
    with pytest.raises(ValueError, match="read-only"):
        opened.shards[0].tokens[0] = 4
