"""The spelling of Arrow types: one for each, whatever a writer made of it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.column_types import spelt

LEAVES = {
    "string": (
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
    ),
    "binary": (pa.binary(), pa.large_binary(), pa.binary_view()),
    "int32": (pa.int32(), pa.dictionary(pa.int16(), pa.int32())),
    "int64": (pa.int64(),),
    "uint8": (pa.uint8(),),
    "double": (pa.float64(),),
    "float": (pa.float32(),),
    "bool": (pa.bool_(),),
    "timestamp[us, tz=UTC]": (pa.timestamp("us", tz="UTC"),),
    "timestamp[ns]": (pa.timestamp("ns"),),
    "date32[day]": (pa.date32(),),
    "decimal128(5, 2)": (pa.decimal128(5, 2),),
    "null": (pa.null(),),
}


@st.composite
def types(draw, depth: int = 3):
    """A name, and two types that have it."""
    kind = draw(st.sampled_from(["leaf", "leaf", "list", "map", "struct"] if depth else ["leaf"]))
    if kind == "leaf":
        name = draw(st.sampled_from(sorted(LEAVES)))
        return name, draw(st.sampled_from(LEAVES[name])), draw(st.sampled_from(LEAVES[name]))
    inner, one, other = draw(types(depth=depth - 1))
    if kind == "list":
        item = pa.field(
            draw(st.sampled_from(["item", "element", "x"])), one, nullable=pa.types.is_null(one)
        )
        return f"list<{inner}>", pa.list_(item), pa.large_list(other)
    if kind == "map":
        return f"map<string, {inner}>", pa.map_(pa.string(), one), pa.map_(pa.large_string(), other)
    return f"struct<a b: {inner}>", pa.struct([("a b", one)]), pa.struct([("a b", other)])


def test_types_that_mean_the_same_have_one_name_and_others_have_others():
    names: dict[str, set[str]] = {}

    @given(types())
    def check(drawn) -> None:
        name, one, other = drawn
        assert spelt(one) == spelt(other) == name
        names.setdefault(name, set()).add(str(one))

    check()
    assert len(names) > 20
    assert sum(len(written) > 1 for written in names.values()) > 3


def test_a_type_is_spelt_alike_after_parquet(tmp_path: Path):
    fields = {
        "s": pa.string(),
        "l": pa.list_(pa.int32()),
        "m": pa.map_(pa.string(), pa.string()),
        "t": pa.timestamp("us", tz="UTC"),
        "d": pa.dictionary(pa.int32(), pa.string()),
        "n": pa.struct([("a", pa.list_(pa.float32()))]),
    }
    table = pa.schema(list(fields.items())).empty_table()
    pq.write_table(table, tmp_path / "a.parquet", store_schema=False)
    read = pq.read_schema(tmp_path / "a.parquet")
    assert {name: spelt(read.field(name).type) for name in fields} == {
        name: spelt(type_) for name, type_ in fields.items()
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.int32(), pa.int64()),
        (pa.float32(), pa.float64()),
        (pa.timestamp("us"), pa.timestamp("us", tz="UTC")),
        (pa.timestamp("us", tz="UTC"), pa.timestamp("ms", tz="UTC")),
        (pa.string(), pa.binary()),
        (pa.list_(pa.int32()), pa.list_(pa.int64())),
        (pa.struct([("a", pa.int32())]), pa.struct([("b", pa.int32())])),
        (pa.list_(pa.int8()), pa.list_(pa.int8(), 3)),
    ],
)
def test_types_that_differ_are_spelt_differently(one, other):
    assert spelt(one) != spelt(other)
