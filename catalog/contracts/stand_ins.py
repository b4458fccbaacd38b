"""Judging rules by few values that stand for all rows, of all partitions in one frame.

A range of numbers holds of all rows if it holds of the smallest and the largest; a set of allowed
strings, if it holds of the different ones. Great Expectations takes some 15 ms for an expectation
of a frame, however few rows it has, and half a second for a million strings: asked of the rows of
each partition that adds up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as at

from catalog.contracts.subject import CheckedPart
from data_contracts.contract import Expect, Rule
from data_contracts.errors import Damaged
from data_contracts.gate import Expectation, judge

MAX_STRINGS = 1000  # different strings of a column that are judged one by one
_BETWEEN = "expect_column_values_to_be_between"
_IN_SET = "expect_column_values_to_be_in_set"
_ARGUMENTS = {
    _BETWEEN: {"column", "min_value", "max_value", "strict_min", "strict_max"},
    _IN_SET: {"column", "value_set"},
}

StandIns: TypeAlias = dict[tuple[str, str], pa.Array]


def rules_that_hold(
    pool: Executor, parts: Sequence[CheckedPart], rules: Sequence[Rule]
) -> frozenset[str]:
    """Return the names of the ranges and sets that hold in every one of the partitions.

    Of other rules nothing is known: they may be neither, or break, or be of a column that is not
    there, of another type, of too many different strings, or with NaN, which no order has.
    """
    asked = {rule.name: check for rule in rules if (check := _stood_in(rule))}
    wanted = sorted({_values_of(check) for check in asked.values()})
    if not wanted or not parts:
        return frozenset()
    found = list(pool.map(lambda part: _stand_ins(part, wanted), parts))
    columns, expectations = {}, []
    for name, check in asked.items():
        of_parts = [stand_ins.get(_values_of(check)) for stand_ins in found]
        there = [values for values in of_parts if values is not None]
        if len(there) == len(parts) and len({values.type for values in there}) == 1:
            columns[name] = pa.concat_arrays(there)
            expectations.append(Expectation(name, check.type, {**check.kwargs, "column": name}))
    judgements = judge(_frame(columns), expectations)
    return frozenset(judgement.rule for judgement in judgements if judgement.kept)


def _stood_in(rule: Rule) -> Expect | None:
    """Return the check of a rule that few values can stand for, None of another."""
    check = rule.check
    if isinstance(check, Expect) and set(check.kwargs) <= _ARGUMENTS.get(check.type, set()):
        return check
    return None


def _values_of(check: Expect) -> tuple[str, str]:
    """Return which values stand for a check's rows: the kind of check, and the column."""
    return check.type, str(check.kwargs["column"])


def _stand_ins(part: CheckedPart, wanted: Sequence[tuple[str, str]]) -> StandIns:
    """Return the values that stand for the rows of a partition, where there are such.

    A partition that cannot be read has none, and is told of when its own turn comes.
    """
    names = sorted({column for _, column in wanted} & set(part.schema.names))
    try:
        table = part.read(names)
    except Damaged:
        return {}
    makers = {_BETWEEN: _ends, _IN_SET: _different}
    made = {
        (type_, column): makers[type_](table[column]) for type_, column in wanted if column in names
    }
    return {of: values for of, values in made.items() if values is not None}


def _ends(column: pa.ChunkedArray) -> pa.Array | None:
    """Return the smallest and the largest number, None of a column that has no order."""
    if at.is_floating(column.type):
        widened = pa.float64()
        if pc.any(pc.is_nan(column)).as_py():
            return None
    elif at.is_integer(column.type) and column.type != pa.uint64():
        widened = pa.int64()
    else:
        return None
    ends = pc.min_max(column)
    return pa.array([ends["min"].as_py(), ends["max"].as_py()], widened)


def _different(column: pa.ChunkedArray) -> pa.Array | None:
    """Return the different strings, None if they are too many or no strings."""
    if not at.is_string(column.type):
        return None
    different = column.unique().drop_null()
    return different if len(different) <= MAX_STRINGS else None


def _frame(columns: Mapping[str, pa.Array]) -> pa.Table:
    """Return a frame of columns; the shorter ones repeat their last value."""
    size = max(map(len, columns.values()), default=0)
    return pa.table({name: _lengthened(values, size) for name, values in columns.items()})


def _lengthened(values: pa.Array, size: int) -> pa.Array:
    last: Any = values[-1].as_py() if len(values) else None
    more = pa.array([last] * (size - len(values)), values.type)
    return pa.concat_arrays([values, more])
