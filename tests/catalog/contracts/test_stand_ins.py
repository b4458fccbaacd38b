"""Few values that stand for all rows: what they say is what every row says."""

from __future__ import annotations

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest
from contract_tables import subject
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.contracts.stand_ins import MAX_STRINGS, rules_that_hold
from data_contracts.contract import Expect, Rule

BETWEEN = "expect_column_values_to_be_between"


def between(column: str = "x", type_: str = BETWEEN, **kwargs: Any) -> Rule:
    return Rule(f"{column} {kwargs}", "stop", "", Expect(type_, {"column": column, **kwargs}))


def among(values: list[str]) -> Rule:
    kwargs = {"column": "s", "value_set": values}
    return Rule(f"s {values}", "stop", "", Expect("expect_column_values_to_be_in_set", kwargs))


def held(rules: list[Rule], *tables: pa.Table) -> frozenset[str]:
    parts = tuple(part for table in tables for part in subject(table).parts)
    with ThreadPoolExecutor(2) as pool:
        return rules_that_hold(pool, parts, rules)


def test_a_range_holds_if_it_holds_of_every_row_of_every_partition():
    seen: Counter[bool] = Counter()
    numbers = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([0.5, -2.5, math.inf]))

    @settings(max_examples=25)
    @given(st.lists(st.lists(numbers, max_size=4), min_size=1, max_size=3), st.booleans())
    def check(columns: list[list[Any]], is_strict: bool) -> None:
        tables = [pa.table({"x": pa.array(values, pa.float64())}) for values in columns]
        rule = between(min_value=-2, max_value=3, strict_max=is_strict)
        values = [value for column in columns for value in column if value is not None]
        expected = all(v >= -2 and (v < 3 if is_strict else v <= 3) for v in values)
        assert (rule.name in held([rule], *tables)) == expected
        seen[expected] += 1

    check()
    assert min(seen[True], seen[False]) > 0


def test_several_ranges_are_judged_each_by_its_own():
    table = pa.table({"x": [1, 2], "y": pa.array([2**40, None], pa.int64())})
    rules = [
        between(min_value=1),
        between(min_value=2),
        between("y", max_value=2**40),
        between("y", max_value=2**40 - 1),
    ]
    assert held(rules, table) == {rules[0].name, rules[2].name}


@pytest.mark.parametrize(
    "table",
    [
        {"x": [1.0, math.nan]},
        {"x": ["1"]},
        {"x": pa.array([1], pa.uint64())},
        {"y": [1]},
    ],
)
def test_nothing_is_said_of_what_has_no_order(table):
    assert held([between(min_value=0)], pa.table({"x": [1]}), pa.table(table)) == frozenset()


def test_a_set_holds_if_it_holds_of_every_string():
    tables = [pa.table({"s": ["a", "b", None]}), pa.table({"s": pa.array([], pa.string())})]
    rules = [among(["a", "b", "c"]), among(["a"]), between("n", min_value=0)]
    assert held(rules, *tables) == {rules[0].name}
    assert held(rules, *tables, pa.table({"s": ["d"]})) == frozenset()
    both = pa.table({"s": ["a", "a"], "n": [1, 2]})
    assert held(rules, both) == {rules[0].name, rules[1].name, rules[2].name}
    assert held([among(["0"])], pa.table({"s": [0]})) == frozenset()


def test_many_strings_are_left_to_the_rows():
    values = [str(n) for n in range(MAX_STRINGS + 1)]
    assert held([among(values)], pa.table({"s": values})) == frozenset()
    assert held([among(values)], pa.table({"s": values[1:]})) != frozenset()


def test_nothing_is_said_of_other_expectations():
    table = pa.table({"x": [1]})
    rules = [
        between(min_value=0, mostly=0.5),
        between(min_value=0, row_condition="x > 0"),
        between(type_="expect_column_values_to_not_be_null"),
    ]
    assert held(rules, table) == frozenset()
    assert held([between(min_value=0)]) == frozenset()
