"""`store.datasets`: seals, names, what identifies a dataset, and reading a partition."""

import copy
import json
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.datasets import (
    Dataset,
    Receipt,
    Rows,
    Slice,
    StoredPart,
    manifest_name,
    part_name,
    quarantine_name,
    read_dataset,
    read_receipt,
    sealed,
    unsealed,
    write_manifest,
    write_receipt,
)
from store.errors import Damaged
from store.identity import digest_bytes, digest_file
from store.storage import Storage, canonical_json
from store.writer import write_rows

SCHEMA = pa.schema([pa.field("name", pa.string(), nullable=False), ("n", pa.int64())])
TABLE = pa.table({"name": ["a", "a", "b", "c"], "n": [1, 2, 3, None]}, schema=SCHEMA)


def make_receipt(key="k", made_from=None, **more):
    made_from = made_from or {"step": "s", "key": key, "files": [["p", "d", 0, None]]}
    values = {
        "step": "s",
        "key": key,
        "fingerprint": digest_bytes(json.dumps(made_from).encode()),
        "digest": digest_bytes(key.encode()),
        "made_from": made_from,
        "code": {"pipelines/s.py": "00ff"},
        "num_rows": 4,
        "num_kept": 3,
        "size_bytes": 100,
        "file_digest": "ab",
        "input_bytes": 7,
        "rows": Rows(5, 3, 1, 1),
        "reasons": {"a.b": 1},
        "slices": {"b": Slice(0, 1, 2, 2, "dd")},
        "facts": {"num_files": 3, "ratio": 0.1, "names": ["x", None], "ok": True},
        "seconds": 12.3456,
        "finished_at": "2024-02-29T12:00:00+00:00",
    }
    return Receipt(**{**values, **more})


def write_part(storage, tmp_path, table=TABLE):
    """Write a partition of three slices and return its receipt."""
    path = tmp_path / "rows"
    written = write_rows(table, SCHEMA, path, "name")
    receipt = make_receipt(
        digest=written.digest,
        num_rows=written.num_rows,
        num_kept=written.num_kept,
        size_bytes=path.stat().st_size,
        file_digest=digest_file(path),
        slices=written.slices,
    )
    storage.publish(receipt.data_name(), path)
    assert write_receipt(storage, receipt)
    return receipt


def test_a_receipt_is_read_back_as_it_was_written(home):
    receipt = make_receipt()
    assert read_receipt(home, "s", receipt.fingerprint) is None
    assert write_receipt(home, receipt)
    assert read_receipt(home, "s", receipt.fingerprint) == receipt


def test_a_receipt_is_never_written_twice(home):
    receipt = make_receipt()
    assert write_receipt(home, receipt)
    assert not write_receipt(home, replace(receipt, seconds=99.0))
    assert read_receipt(home, "s", receipt.fingerprint) == receipt


def places(value, path=()):
    """Yield the path of every value within a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))


def edited(value, path, change):
    value = copy.deepcopy(value)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    change(inner, path[-1])
    return value


def bump(inner, key):
    old = inner[key]
    inner[key] = old + 1 if isinstance(old, int | float) and not isinstance(old, bool) else "edited"


CHANGES = {
    "another value": bump,
    "a removed one": lambda inner, key: inner.pop(key),
    "null": lambda inner, key: inner.__setitem__(key, ["null"] if inner[key] is None else None),
}


@pytest.mark.parametrize("how", CHANGES)
def test_any_edit_of_a_receipt_or_manifest_is_noticed(home, how):
    receipt = make_receipt()
    dataset = Dataset("s", (receipt,))
    write_receipt(home, receipt)
    write_manifest(home, dataset)
    names = [part_name("s", receipt.fingerprint, ".json"), manifest_name("s", dataset.fingerprint)]
    num_tried = 0
    for name in names:
        good = json.loads(home.read(name))
        for path in places(good):
            home.replace_json(name, edited(good, path, CHANGES[how]))
            with pytest.raises(Damaged, match=name.split("/")[-1][:40]):
                read_dataset(home, "s", dataset.fingerprint)
            num_tried += 1
        home.replace_json(name, {**good, "added": 1})
        with pytest.raises(Damaged, match="--repair"):
            read_dataset(home, "s", dataset.fingerprint)
        home.replace_json(name, good)
    assert num_tried > 50
    assert read_dataset(home, "s", dataset.fingerprint) == dataset


def test_a_flipped_byte_in_a_receipt_is_damage_or_changes_nothing(home):
    """White space is the one thing a seal does not see (`verify` does)."""
    receipt = make_receipt()
    write_receipt(home, receipt)
    name = part_name("s", receipt.fingerprint, ".json")
    data = home.read(name)
    num_damaged = 0
    for position in range(len(data)):
        for bit in (0x01, 0x10, 0x80):
            changed = bytearray(data)
            changed[position] ^= bit
            home.replace(name, bytes(changed), durable=False)
            try:
                assert read_receipt(home, "s", receipt.fingerprint) == receipt
                assert data[position] in b" \n"
            except Damaged:
                num_damaged += 1
    assert num_damaged > 2 * len(data)


def test_a_number_that_became_infinite_is_damage(home):
    receipt = make_receipt()
    write_receipt(home, receipt)
    name = part_name("s", receipt.fingerprint, ".json")
    for other in (b"12e3456", b"NaN"):
        data = home.read(name).replace(b"12.3456", other)
        assert other in data
        home.replace(name, data)
        with pytest.raises(Damaged):
            read_receipt(home, "s", receipt.fingerprint)
        home.replace(name, data.replace(other, b"12.3456"))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda value: st.lists(value, max_size=3) | st.dictionaries(st.text(), value, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60)
@given(st.dictionaries(st.text().filter(lambda k: k not in ("seal", "format")), JSON, max_size=4))
def test_what_is_sealed_can_be_unsealed_after_any_trip_through_json(value):
    trip = json.loads(canonical_json(sealed(value)))
    assert unsealed(trip, "it", "x") == value
    assert set(trip) == {*value, "seal", "format"}


def test_names():
    receipt = make_receipt()
    assert receipt.data_name() == f"parts/s/{receipt.fingerprint}.parquet"
    assert receipt.quarantine_name() == quarantine_name("s", receipt.fingerprint)
    assert quarantine_name("s", "ff") == "quarantine/s/ff.parquet"
    assert manifest_name("s", "ff") == "datasets/s/ff.json"
    assert part_name("s", "ff", ".json") == "parts/s/ff.json"


def test_a_dataset_is_identified_by_what_its_parts_are_made_of_and_hold():
    one, two = make_receipt("one"), make_receipt("two")
    both = Dataset("s", (one, two))
    other_cause = Dataset("s", (one, replace(two, fingerprint="00")))
    assert (both.digest, both.fingerprint != other_cause.fingerprint) == (other_cause.digest, True)
    others = [
        Dataset("s", (two, one)),
        Dataset("s", (one,)),
        Dataset("s", ()),
        Dataset("s", (one, replace(two, digest="00"))),
        Dataset("s", (one, replace(two, key="three"))),
    ]
    assert len({dataset.digest for dataset in [both, *others]}) == 6
    assert len({dataset.fingerprint for dataset in [both, *others]}) == 6
    slower = Dataset("s", (one, replace(two, seconds=77.0, code={}, size_bytes=1)))
    assert (slower.digest, slower.fingerprint) == (both.digest, both.fingerprint)


def test_totals_of_a_dataset():
    one = make_receipt("one", reasons={"b": 2, "a": 2, "c": 3})
    two = make_receipt("two", reasons={"b": 1})
    dataset = Dataset("s", (one, two))
    assert dataset.rows == Rows(10, 6, 2, 2, 0)
    assert dataset.size_bytes == 200
    assert list(dataset.reasons().items()) == [("b", 3), ("c", 3), ("a", 2)]
    assert Dataset("s", ()).rows == Rows()


def test_a_manifest_is_read_back_in_its_order(home):
    parts = tuple(make_receipt(key) for key in ("b", "a", "c"))
    for part in parts:
        write_receipt(home, part)
    dataset = Dataset("s", parts)
    write_manifest(home, dataset)
    write_manifest(home, dataset)
    assert read_dataset(home, "s", dataset.fingerprint) == dataset


def test_what_a_manifest_names_must_be_there(home):
    receipt = make_receipt()
    dataset = Dataset("s", (receipt,))
    with pytest.raises(Damaged, match=r"manifest .* is missing .* run again"):
        read_dataset(home, "s", dataset.fingerprint)
    write_manifest(home, dataset)
    with pytest.raises(Damaged, match=r"receipt .* is missing .* run again"):
        read_dataset(home, "s", dataset.fingerprint)


def test_a_partition_and_its_slices_are_read(home, tmp_path):
    receipt = write_part(home, tmp_path)
    whole = StoredPart(home, receipt, "k")
    assert whole.table().equals(TABLE)
    assert whole.table(["n"]).column_names == ["n"]
    assert (whole.num_rows, whole.num_kept, whole.digest) == (4, 4, receipt.digest)
    for name, rows in {"a": TABLE[:2], "b": TABLE[2:3], "c": TABLE[3:]}.items():
        part = StoredPart(home, receipt, "key", name)
        assert part.table().equals(rows)
        assert (part.num_rows, part.num_kept) == (len(rows), len(rows))
        assert part.digest == receipt.slices[name].digest
    sizes = [StoredPart(home, receipt, "k", name).size_bytes for name in "abc"]
    assert abs(sum(sizes) - whole.size_bytes) < 3


def test_a_slice_that_is_not_there_has_no_rows(home, tmp_path):
    receipt = write_part(home, tmp_path)
    none = StoredPart(home, receipt, "k", "z")
    assert none.table().equals(TABLE[:0])
    assert none.table(["n"]).schema == TABLE.select(["n"]).schema
    assert (none.num_rows, none.num_kept, none.size_bytes, none.digest) == (0, 0, 0, "empty")


def test_a_partition_that_cannot_be_read_is_damaged(home, tmp_path):
    receipt = write_part(home, tmp_path)
    part, name = StoredPart(home, receipt, "k"), receipt.data_name()
    data = home.read(name)
    for damage in (b"", b"PAR1", data[:-20], data[20:], b"x" * len(data)):
        home.replace(name, damage)
        with pytest.raises(Damaged, match=name):
            part.table()
    home.delete(name)
    with pytest.raises(Damaged, match=f"{name} .*--repair"):
        part.table()
    elsewhere = Storage(str(tmp_path / "nowhere"))
    with pytest.raises(Damaged):
        StoredPart(elsewhere, receipt, "k", "a").table()
