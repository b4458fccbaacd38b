"""`store.identity`: digests say what is in a table, and nothing of how it lies in memory."""

import dataclasses
import json
import math
import struct
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from store.identity import (
    TableDigest,
    counted_fields,
    digest_batches,
    digest_bytes,
    digest_file,
    digest_table,
    encode,
    fingerprint,
)
from store.step import uncounted

EPOCH, LEAP_DAY = datetime(1970, 1, 1, tzinfo=UTC), datetime(2024, 2, 29, 12, tzinfo=UTC)

# Random types and values of few kinds, so that equal tables are drawn often too.

FLAT = {
    pa.int8(): st.integers(-2, 2),
    pa.int64(): st.integers(-2, 2) | st.just(2**62),
    pa.uint16(): st.integers(0, 3),
    pa.float32(): st.sampled_from([0.0, -0.0, 1.5, math.nan, math.inf]),
    pa.float64(): st.sampled_from([0.0, -0.0, 1.5, math.nan, -math.inf]),
    pa.bool_(): st.booleans(),
    pa.string(): st.sampled_from(["", "a", "ab", "b", "é"]),
    pa.binary(): st.sampled_from([b"", b"a", b"\x00", b"ab"]),
    pa.timestamp("us", "UTC"): st.sampled_from([EPOCH, LEAP_DAY]),
    pa.date32(): st.sampled_from([date(1970, 1, 1), date(2020, 2, 29)]),
}
_MAP = pa.map_(pa.string(), pa.string())
_STRUCT = pa.struct([("x", pa.int8()), ("y", pa.string())])
KINDS = [
    *FLAT,
    _MAP,
    _STRUCT,
    pa.list_(pa.string()),
    pa.list_(pa.list_(pa.int8())),
    pa.list_(_STRUCT),
    pa.list_(_MAP),
    pa.map_(pa.int8(), pa.list_(pa.binary())),
    pa.struct([("m", _MAP), ("l", pa.list_(pa.bool_())), ("s", _STRUCT)]),
]


def values_of(kind, nulls=True):
    if pa.types.is_list(kind):
        values = st.lists(values_of(kind.value_type), max_size=2)
    elif pa.types.is_map(kind):
        pairs = st.tuples(values_of(kind.key_type, nulls=False), values_of(kind.item_type))
        values = st.lists(pairs, max_size=2)
    elif pa.types.is_struct(kind):
        values = st.fixed_dictionaries({field.name: values_of(field.type) for field in kind})
    else:
        values = FLAT[kind]
    return st.none() | values if nulls else values


def digest_of(array):
    return digest_table(pa.table({"x": array}))


# The same values, laid out otherwise.


def garbled(values, kind, filler):
    """Build an array of the values with ``filler`` lying under every null."""
    present = [filler if value is None else value for value in values]
    if pa.types.is_struct(kind):
        children = [garbled([v[f.name] for v in present], f.type, filler[f.name]) for f in kind]
        buffers = []
    elif pa.types.is_list(kind):
        inner = [item for value in present for item in value]
        children = [garbled(inner, kind.value_type, first_of(filler))]
        buffers = [ends_of(present)]
    elif pa.types.is_map(kind):
        inner = [pair for value in present for pair in value]
        keys = pa.array([key for key, _ in inner], kind.key_type)
        items = garbled([item for _, item in inner], kind.item_type, first_of(filler)[1])
        fields = [kind.key_field, kind.item_field]
        children = [pa.StructArray.from_arrays([keys, items], fields=fields)]
        buffers = [ends_of(present)]
    else:
        children, buffers = None, pa.array(present, kind).buffers()[1:]
    valid = pa.array([value is not None for value in values], pa.bool_()).buffers()[1]
    return pa.Array.from_buffers(kind, len(values), [valid, *buffers], -1, 0, children)


def first_of(filler):
    return filler[0]


def ends_of(lists):
    return pa.py_buffer(np.cumsum([0, *map(len, lists)]).astype(np.int32).tobytes())


def filler_of(kind):
    """Return a value that is not empty anywhere."""
    if pa.types.is_list(kind):
        return [filler_of(kind.value_type)]
    if pa.types.is_map(kind):
        return [(filler_of(kind.key_type), filler_of(kind.item_type))]
    if pa.types.is_struct(kind):
        return {field.name: filler_of(field.type) for field in kind}
    special = {pa.string(): "garbage", pa.binary(): b"garbage", pa.bool_(): True}
    special |= {pa.date32(): date(1999, 9, 9), pa.timestamp("us", "UTC"): LEAP_DAY}
    return special.get(kind, 7)


def widened(kind):
    """Return the type with large offsets and dictionaries wherever there can be some."""
    if pa.types.is_list(kind):
        return pa.large_list(widened(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, widened(field.type)) for field in kind])
    return {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}.get(kind, kind)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_digest_does_not_depend_on_the_layout(kind):
    filler = filler_of(kind)
    tried = Counter()

    @settings(max_examples=20)
    @given(padded=st.lists(values_of(kind), min_size=3, max_size=8), cut=st.integers(0, 6))
    def check(padded, cut):
        values, window = padded[2:-1], slice(2, len(padded) - 1)
        same = [
            pa.array(values, kind),
            pa.array(values, widened(kind)),
            garbled(values, kind, filler),
            pa.array(padded, kind)[window],
            garbled(padded, kind, filler)[window],
        ]
        expected = digest_of(same[0])
        for array in same:
            assert array.to_pylist() == values or "nan" in repr(values)
            assert digest_of(array) == expected
            assert digest_of(pa.chunked_array([array[:cut], array[cut:]])) == expected
        tried["null" if None in values else "full"] += 1

    check()
    assert tried["null"]
    assert tried["full"]


@given(values=st.lists(st.none() | st.sampled_from(["", "a", "b"]), max_size=6))
def test_dictionaries_and_views_are_the_strings_they_stand_for(values):
    plain = pa.array(values, pa.string())
    spare = pa.DictionaryArray.from_arrays(  # with values that nothing points to, and a null one
        pa.array([None if v is None else ["z", "", "a", "b"].index(v) for v in values], pa.int8()),
        pa.array(["z", "", "a", "b"]),
    )
    null_value = pa.DictionaryArray.from_arrays(
        pa.array([["", "a", "b", None].index(v) for v in values], pa.int32()),
        pa.array(["", "a", "b", None]),
    )
    same = [plain.dictionary_encode(), spare, null_value, plain.cast(pa.string_view())]
    assert {digest_of(array) for array in same} == {digest_of(plain)}
    nested = pa.array([values, None, []], pa.list_(pa.string()))
    encoded = pa.ListArray.from_arrays(nested.offsets, nested.values.dictionary_encode())
    assert digest_of(encoded.slice(0, 1)) == digest_of(nested.slice(0, 1))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_digests_are_equal_exactly_when_the_values_are(kind):
    """The oracle is Python's repr of the values, which tells NaN, -0.0, None and types apart."""
    compared = Counter()

    @settings(max_examples=30)
    @given(one=st.lists(values_of(kind), max_size=3), data=st.data())
    def check(one, data):
        other = data.draw(st.lists(values_of(kind), max_size=3) | st.permutations(one))
        arrays = [pa.array(values, kind) for values in (one, other)]
        equal = repr(arrays[0].to_pylist()) == repr(arrays[1].to_pylist())
        assert (digest_of(arrays[0]) == digest_of(arrays[1])) == equal
        compared[equal] += 1

    check()
    assert compared[True]
    assert compared[False]


def test_names_types_order_and_number_of_columns_count():
    tables = [
        pa.table({"a": pa.array([1], pa.int64())}),
        pa.table({"b": pa.array([1], pa.int64())}),
        pa.table({"a": pa.array([1], pa.int32())}),
        pa.table({"a": pa.array([1.0])}),
        pa.table({"a": pa.array(["1"])}),
        pa.table({"a": pa.array([b"1"])}),
        pa.table({"a": pa.array([[1]])}),
        pa.table({"a": pa.array([1]), "b": pa.array([2])}),
        pa.table({"b": pa.array([2]), "a": pa.array([1])}),
        pa.table({"a": pa.array([2]), "b": pa.array([1])}),
        pa.table({"a": pa.array([1, 1])}),
        pa.table({"a": pa.array([], pa.int64())}),
        pa.table({"a": pa.array([], pa.string())}),
        pa.table({"a": pa.array([None], pa.int64())}),
        pa.table({"a": pa.array([1], pa.timestamp("us"))}),
        pa.table({"a": pa.array([1], pa.timestamp("us", "UTC"))}),
        pa.table({"a": pa.array([1], pa.timestamp("ms"))}),
        pa.table({"a": pa.array([{"x": 1}])}),
        pa.table({"a": pa.array([{"y": 1}])}),
        pa.table({"a": pa.array([{"x": None}], pa.struct([("x", pa.int64())]))}),
        pa.table({"a": pa.array([None], pa.struct([("x", pa.int64())]))}),
    ]
    assert len({digest_table(table) for table in tables}) == len(tables)


def test_lists_tell_where_one_ends_and_the_next_begins():
    lists = [[["a"], ["b"]], [["a", "b"], []], [["ab"], []], [[], ["a", "b"]], [None, ["a", "b"]]]
    texts = [["ab", "c"], ["a", "bc"], ["abc", ""], ["abc", None], ["", "abc"]]
    kind = pa.list_(pa.string())
    assert len({digest_of(pa.array(values, kind)) for values in lists}) == len(lists)
    assert len({digest_of(pa.array(values, pa.string())) for values in texts}) == len(texts)


def test_nullability_and_metadata_do_not_count():
    plain = pa.table({"a": ["x"]})
    field = pa.field("a", pa.string(), nullable=False, metadata={"k": "v"})
    other = pa.table([pa.array(["x"])], schema=pa.schema([field], metadata={"m": "n"}))
    assert digest_table(plain) == digest_table(other)


def test_no_batch_and_an_empty_batch_are_the_same():
    for kind in (pa.string(), pa.list_(pa.string()), pa.map_(pa.string(), pa.binary()), pa.int8()):
        schema = pa.schema([("a", kind)])
        empty = pa.record_batch([pa.array([], kind)], schema=schema)
        assert digest_batches(schema, []) == digest_batches(schema, [empty, empty])


def test_a_bit_of_difference_between_nans_does_not_count():
    bits = np.array([0x7FF8000000000000, 0x7FF0000000000001, 0xFFF8000000000000], np.uint64)
    digests = {digest_of(pa.array(bits[i : i + 1].view(np.float64))) for i in range(3)}
    assert len(digests) == 1


@pytest.mark.parametrize(
    "kind",
    [pa.null(), pa.month_day_nano_interval(), pa.list_view(pa.int8()), pa.decimal128(5, 2)],
    ids=str,
)
def test_a_type_without_a_canonical_form_is_refused(kind):
    with pytest.raises(TypeError, match="no canonical digest"):
        TableDigest(pa.schema([("a", kind)]))


def test_golden_digests_never_change():
    """Frozen: stores out there hold these, and a change would compute everything anew."""
    table = pa.table(
        {
            "i": pa.array([1, None, 3], pa.int64()),
            "f": pa.array([0.5, None, math.nan]),
            "b": pa.array([True, None, False]),
            "s": pa.array(["millrace", None, "é\n"]),
            "y": pa.array([b"\x00\xff", b"", None]),
            "t": pa.array([LEAP_DAY, None, None], pa.timestamp("us", "UTC")),
            "l": pa.array([["a", None], None, []], pa.list_(pa.string())),
            "m": pa.array([[("k", "v")], None, []], pa.map_(pa.string(), pa.string())),
            "r": pa.array([{"x": 1}, None, {"x": None}], pa.struct([("x", pa.int8())])),
        }
    )
    assert digest_table(table) == GOLDEN["table"]
    by_column = {name: digest_table(table.select([name])) for name in table.column_names}
    assert by_column == GOLDEN["columns"]
    assert digest_table(table.slice(0, 0)) == GOLDEN["empty"]
    made = {
        "step": "ingest",
        "version": 1,
        "config": {"ratio": 0.5, "names": ["a"], "raw": b"\x01"},
    }
    assert fingerprint(made) == GOLDEN["fingerprint"]


GOLDEN = {
    "columns": {
        "b": "9417f48d35e3610c796b84d9c8b36bfcd87bd7d5",
        "f": "a06d75edc63d8da13821c5f4c81ff9b8cd4a04af",
        "i": "b386f691e857c21460e4d3c4e21df6cd153d9165",
        "l": "3208afa33cdc1ae7bff1651368374a08ba688d41",
        "m": "90f62cf72b9cf81be2571b2392146e94581db57a",
        "r": "d28edb918e038bece33d7d3cba0a1c73cd02f51a",
        "s": "c145f9eade535c643cb14aa56b9f21f755e4f37a",
        "t": "bd6fa03431c3605b0bee8091d08d756fa4d9be07",
        "y": "68d2d3ebf3beedf6c664d4fba7102d29000fadfe",
    },
    "empty": "1b3825084c808680f8d4b35fc0da3b8ff3c7613f",
    "fingerprint": "0f508ef29ca31a6fd6358159585c2cf0736dea80",
    "table": "413721c6bf53629ab3683f7669f27449b2ad7b52",
}


def test_a_digest_written_out_by_hand():
    """Validity, then values with zeros for nulls; lengths and bytes of texts apart."""
    numbers = [blake3(b"\x01\x00\x01"), blake3(struct.pack("<qqq", 5, 0, -1))]
    ends = [blake3(b"").hexdigest(), blake3(b"abc").hexdigest()]
    inner = digest_bytes("|".join(ends).encode())
    texts = [blake3(b"\x01\x00\x01"), blake3(struct.pack("<qqq", 2, 0, 1))]
    columns = [
        digest_bytes("|".join(one.hexdigest() for one in numbers).encode()),
        digest_bytes("|".join([*(one.hexdigest() for one in texts), inner]).encode()),
    ]
    text = json.dumps(
        {"map": {"columns": columns, "names": ["n:int64", "t:string"], "rows": 3}},
        separators=(",", ":"),
    )
    table = pa.table({"n": [5, None, -1], "t": ["ab", None, "c"]})
    assert digest_table(table) == digest_bytes(text.encode())


def test_bytes_and_files_have_the_published_blake3_hashes(tmp_path):
    """Oracle: the official test vectors of BLAKE3, inputs 0, 1, 2 … of some lengths."""
    vectors = {
        0: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9",
        1: "2d3adedff11b61f14c886e35afa036736dcd87a7",
        1023: "10108970eeda3eb932baac1428c7a2163b0e924c",
        102400: "bc3e3d41a1146b069abffad3c0d44860cf664390",
    }
    for length, expected in vectors.items():
        data = bytes(i % 251 for i in range(length))
        (tmp_path / "file").write_bytes(data)
        assert digest_bytes(data) == digest_file(tmp_path / "file") == expected
    big = bytes(3 << 20)  # more than one block of a file's reading
    (tmp_path / "file").write_bytes(big)
    assert digest_file(tmp_path / "file") == digest_bytes(big)


# Encoding values.

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([0.0, -0.0, 1.0, 0.1, 1e300])
    | st.sampled_from(["", "1", "a", "é", "\ud800"])
    | st.binary(max_size=2),
    lambda plain: st.lists(plain, max_size=3) | st.dictionaries(st.sampled_from("abc"), plain),
    max_leaves=5,
)


def tagged(value):
    """The oracle: a value as nested tuples that say its type."""
    if isinstance(value, list | tuple):
        return ("list", *map(tagged, value))
    if isinstance(value, dict):
        return ("map", *sorted((key, tagged(item)) for key, item in value.items()))
    return type(value).__name__, repr(value)


def test_an_encoding_is_equal_exactly_when_value_and_types_are():
    compared = Counter()

    @settings(max_examples=200)
    @given(PLAIN, PLAIN)
    def check(one, other):
        equal = repr(tagged(one)) == repr(tagged(other))
        assert (encode(one) == encode(other)) == equal
        json.loads(encode(one))
        compared[equal] += 1

    check()
    assert min(compared[True], compared[False]) > 5


@given(st.dictionaries(st.text(max_size=2), st.integers(), max_size=5), st.randoms())
def test_the_order_of_keys_does_not_count(value, random):
    keys = list(value)
    random.shuffle(keys)
    assert encode({key: value[key] for key in keys}) == encode(value)


def test_a_tuple_is_a_list_and_the_text_is_known():
    assert encode((1, 2)) == encode([1, 2]) == "[1,2]"
    assert (
        encode({"b": None, "a": 0.5}) == '{"map":{"a":{"float":"0x1.0000000000000p-1"},"b":null}}'
    )
    assert encode(b"\x01\xff") == '{"bytes":"01ff"}'
    assert len({encode(value) for value in (1, 1.0, True, "1", b"1", [1], None)}) == 7


@pytest.mark.parametrize(
    "value",
    [{1, 2}, object(), Path("x"), np.int64(1), np.float64(1), {1: "x"}, [{"a": range(2)}], len, 1j],
    ids=lambda value: type(value).__name__,
)
def test_a_value_without_a_stable_form_is_refused(value):
    with pytest.raises(TypeError, match="value"):
        encode(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [-math.inf]}], ids=repr)
def test_a_number_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="finite"):
        encode(value)


@dataclasses.dataclass(frozen=True)
class Inner:
    limit: int = 3
    threads: int = uncounted(4)


@dataclasses.dataclass(frozen=True)
class Outer:
    name: str = "x"
    path: str = uncounted("/here")
    inner: Inner = Inner()
    many: tuple[Inner, ...] = (Inner(1), Inner(2))
    named: dict[str, Inner] = dataclasses.field(default_factory=lambda: {"a": Inner(9)})


def test_uncounted_fields_do_not_count_at_any_depth():
    plain = {"name": "x", "inner": {"limit": 3}, "many": [{"limit": 1}, {"limit": 2}]}
    assert counted_fields(Outer()) == {**plain, "named": {"a": {"limit": 9}}}
    other = Outer(path="/there", inner=Inner(3, threads=1), named={"a": Inner(9, threads=2)})
    assert encode(other) == encode(Outer())
    assert encode(Outer(inner=Inner(4))) != encode(Outer())


def test_an_identity_is_the_same_in_another_process():
    code = (
        "from store.identity import fingerprint\n"
        "print(fingerprint({'b': [1, 2.5, b'x', None], 'a': {'y': True, 'x': 'é'}}))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert printed == {fingerprint({"a": {"x": "é", "y": True}, "b": (1, 2.5, b"x", None)})}


def test_slices_of_a_map_hold_their_own_keys():
    """The case that a view of the parent's keys gets wrong."""
    kind = pa.map_(pa.string(), pa.string())
    values = [[("a", "1")], None, [("b", "2"), ("c", None)], []]
    array = pa.array(values, kind)
    for start in range(4):
        for length in range(4 - start + 1):
            part = array.slice(start, length)
            assert digest_of(part) == digest_of(pa.array(values[start : start + length], kind))
    swapped = pa.array([[("c", None), ("b", "2")]], kind)
    assert digest_of(swapped) != digest_of(array.slice(2, 1))
    assert pc.sum(array.slice(2).is_valid()).as_py() == 2
