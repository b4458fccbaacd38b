"""Verifying finds any changed byte, of all shards or of the named ones."""

import pytest
from made_shards import SMALL, framed, write

from data_contracts.errors import Damaged, MillraceError, NotFound
from data_contracts.open_shards import open_shards
from data_contracts.verify_shards import verify_shards
from data_contracts.write_shards import write_index, write_shard


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


def test_named_shards_are_verified_without_the_others(tmp_path):
    entries = [write_shard(tmp_path, n, framed([[5]]), [4], "<u2") for n in ("train", "heldout")]
    write_index(tmp_path, SMALL, entries)
    (tmp_path / "heldout.bin").write_bytes(b"")
    assert verify_shards(tmp_path, ["train"]) < sum(
        path.stat().st_size for path in tmp_path.iterdir()
    )
    for names in (None, ["heldout"]):
        with pytest.raises(Damaged):
            verify_shards(tmp_path, names)
    with pytest.raises(NotFound, match="no token shard 'dev'"):
        verify_shards(tmp_path, ["dev"])
