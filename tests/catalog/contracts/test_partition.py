"""Checking one partition: its schema, its rows, its counts; what cannot be asked is broken."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from contract_tables import contract, subject

from catalog.contracts.partition import check_parts, expectation_of, is_of_partitions, needs_files
from catalog.contracts.tally import Tally
from data_contracts.contract import Contract
from data_contracts.errors import ContractError


def checked(terms: Contract, table: pa.Table) -> dict[str, Tally]:
    (part,) = subject(table).parts
    (found,) = check_parts([part], [r for r in terms.rules if is_of_partitions(r)], terms.key)
    return found


def expecting(type_: str, **kwargs: Any) -> dict[str, Any]:
    body = {"type": type_, "kwargs": kwargs}
    return {"name": "it", "type": "custom", "engine": "greatExpectations", "implementation": body}


def test_declarations_are_checked():
    terms = contract(
        [
            {"name": "id", "physicalType": "string", "required": True, "unique": True},
            {"name": "kind", "physicalType": "string", "enum": [{"value": "a"}, {"value": "b"}]},
            {
                "name": "n",
                "logicalType": "integer",
                "physicalType": "int64",
                "logicalTypeOptions": {"minimum": 0, "exclusiveMaximum": 5},
            },
            {"name": "code", "logicalTypeOptions": {"pattern": "[a-c]+", "maxLength": 2}},
        ]
    )
    rows = [
        {"id": "1", "kind": "a", "n": 0, "code": "ab"},
        {"id": "2", "kind": "c", "n": 5, "code": "abc"},
        {"id": None, "kind": None, "n": -1, "code": "x"},
        {"id": "4", "kind": "b", "n": None, "code": None},
    ]
    found = checked(terms, pa.Table.from_pylist(rows))
    assert {name: (t.num_broken, t.samples) for name, t in found.items() if t.num_broken} == {
        "id.not_null": (1, ("id=None",)),
        "kind.values": (1, ("id='2', kind='c'",)),
        "n.range": (2, ("id='2', n=5", "id=None, n=-1")),
        "code.pattern": (1, ("id=None, code='x'",)),
        "code.length": (1, ("id='2', code='abc'",)),
    }
    assert all(found[name].kept for name in ("columns", "id.type", "kind.type", "n.type"))
    assert "id.unique" not in found  # which looks at all partitions at once


@pytest.mark.parametrize(
    ("table", "broken"),
    [
        ({"a": ["x"], "b": [1]}, set()),
        ({"b": [1], "a": ["x"]}, set()),
        ({"a": ["x"]}, {"columns", "b.type", "b.range"}),
        ({"a": ["x"], "b": ["1"]}, {"b.type", "b.range"}),
        ({"a": ["x"], "b": [1], "c": [1]}, {"columns"}),
        ({"A": ["x"], "b": [1]}, {"columns", "a.type", "a.not_null"}),
        ({"a": pa.array([], pa.string())}, {"columns", "b.type", "b.range"}),
    ],
)
def test_a_partition_of_another_form_is_broken(table, broken):
    number = {"logicalType": "integer", "physicalType": "int64"}
    columns = [
        {"name": "a", "physicalType": "string", "required": True},
        {"name": "b", **number, "logicalTypeOptions": {"minimum": 0}},
    ]
    found = checked(contract(columns, exact=True), pa.table(table))
    assert {name for name, tally in found.items() if not tally.kept or tally.num_broken} == broken
    assert all(found[name].problem for name in broken & {"b.range"})


def test_a_name_is_no_wildcard_and_the_key_need_not_be_there():
    terms = contract([{"name": "id", "unique": True}, {"name": "n%", "enum": [{"value": "a"}]}])
    found = checked(terms, pa.table({"n%": ["a", "b"], "nx": ["z", "z"]}))
    assert (found["n%.values"].num_broken, found["n%.values"].samples) == (1, ("n%='b'",))


TABLE = pa.table({"a": [1, 2, 3], "b": [3, 2, 1], "s": ["x", "y", "x"]})


@pytest.mark.parametrize(
    ("type_", "kwargs", "kept"),
    [
        ("expect_table_row_count_to_equal", {"value": 3}, True),
        ("expect_table_row_count_to_equal", {"value": 4}, False),
        ("expect_table_column_count_to_equal", {"value": 3}, True),
        ("expect_table_column_count_to_equal", {"value": 0}, False),
        ("expect_table_columns_to_match_ordered_list", {"column_list": ["a", "b", "s"]}, True),
        ("expect_table_columns_to_match_ordered_list", {"column_list": ["a", "b"]}, False),
        ("expect_table_columns_to_match_set", {"column_set": ["a"], "exact_match": True}, False),
        ("expect_column_to_exist", {"column": "a"}, True),
        ("expect_column_to_exist", {"column": "z"}, False),
        ("expect_column_pair_values_to_be_equal", {"column_A": "a", "column_B": "b"}, False),
        ("expect_column_pair_values_to_be_equal", {"column_A": "a", "column_B": "a"}, True),
        ("expect_compound_columns_to_be_unique", {"column_list": ["a", "s"]}, True),
        ("expect_compound_columns_to_be_unique", {"column_list": ["s", "z"]}, False),
        ("expect_column_sum_to_be_between", {"column": "a", "min_value": 6, "max_value": 6}, True),
        ("expect_column_sum_to_be_between", {"column": "a", "min_value": 7}, False),
        (
            "expect_column_values_to_be_in_set",
            {
                "column": "s",
                "value_set": ["x"],
                "row_condition": "a != 2",
                "condition_parser": "pandas",
            },
            True,
        ),
        (
            "expect_column_values_to_be_in_set",
            {
                "column": "s",
                "value_set": ["x"],
                "row_condition": "a != 1",
                "condition_parser": "pandas",
            },
            False,
        ),
    ],
)
def test_any_expectation_sees_the_columns_that_it_needs(type_, kwargs, kept):
    found = checked(contract(quality=[expecting(type_, **kwargs)]), TABLE)["it"]
    assert found.kept == kept
    if kept or "z" not in str(kwargs):
        assert found.problem is None


@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize(
    ("type_", "kwargs"),
    [
        ("expect_column_values_to_be_nice", {"column": "a"}),
        ("expect_column_values_to_be_in_set", {"column": "a", "valueset": []}),
        ("expect_column_values_to_be_between", {"column": "a"}),
    ],
)
def test_what_is_no_expectation_is_refused_even_where_there_are_no_rows(type_, kwargs, rows):
    with pytest.raises(ContractError, match="it \\(expect"):
        checked(contract(quality=[expecting(type_, **kwargs)]), TABLE.slice(0, rows))


def test_an_empty_partition_breaks_nothing_that_is_of_rows_and_all_that_is_not_there():
    nice = {"type": "expect_column_values_to_be_in_set", "kwargs": {"value_set": [9]}}
    in_set = {"name": "s", "type": "custom", "engine": "greatExpectations", "implementation": nice}
    terms = contract(
        [{"name": "a", "quality": [in_set]}, {"name": "z", "quality": [in_set]}],
        quality=[expecting("expect_table_row_count_to_be_between", min_value=1)],
    )
    found = checked(terms, TABLE.slice(0, 0))
    assert found["a.s"] == Tally()
    assert (found["z.s"].kept, found["z.s"].problem) == (False, "there is no column 'z'")
    assert not found["it"].kept


def test_samples_name_the_rows_that_are_broken():
    wrong = {17: "é\x00", 1500: "", 2999: "\n"}
    table = pa.table(
        {"id": [f"d{n}" for n in range(3000)], "s": [wrong.get(n, "ok") for n in range(3000)]}
    )
    terms = contract([{"name": "id", "unique": True}, {"name": "s", "enum": [{"value": "ok"}]}])
    found = checked(terms, table)["s.values"]
    assert (found.num_checked, found.num_broken) == (3000, 3)
    assert found.samples == (
        "id='d17', s='é\\x00'",
        "id='d1500', s=''",
        "id='d2999', s='\\n'",
    )


def test_a_measure_of_a_partition_with_an_argument_that_it_does_not_take_is_broken():
    body = {"measure": "tokenizers_broken", "size": 3, "mustBe": 0}
    rule = {"name": "m", "type": "custom", "engine": "millrace", "implementation": body}
    terms = contract(quality=[rule])
    found = checked(terms, TABLE)["m"]
    assert not found.kept
    assert "takes no `size`" in str(found.problem)
    assert not any(map(needs_files, terms.rules))


def test_every_rule_says_what_great_expectations_is_asked():
    terms = contract(
        [{"name": "a", "physicalType": "int64", "enum": [{"value": "x"}]}],
        quality=[expecting("expect_column_sum_to_be_between", column="a", min_value=0)],
    )
    assert [str(expectation_of(rule)) for rule in terms.rules] == [
        "expect_table_columns_to_match_set(column_set=['a'], exact_match=False)",
        "expect_column_values_to_be_in_set(column='a', value_set=['int64'])",
        "expect_column_values_to_be_in_set(column='a', value_set=['x'])",
        "expect_column_sum_to_be_between(column='a', min_value=0)",
    ]
