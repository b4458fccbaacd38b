"""Counting metrics of the standard's library in DuckDB: nulls, missing, invalid, repeated values.

They run over columns of long or different strings too (ids, texts), which would take pandas ten
times as long. What is counted is judged by Great Expectations, as one row of facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from catalog.contracts.queries import ask_number
from catalog.contracts.tally import Tally, shown_row
from catalog.relations import Relation, ask_rows, connect, quoted
from data_contracts.contract import Count, Rule
from data_contracts.results import MAX_SAMPLES
from store.home import first_line


@dataclass(frozen=True)
class _Condition:
    """SQL that holds of the rows to count, and the values of its parameters."""

    sql: str
    params: dict[str, Any]


def count_in_part(
    rules: Sequence[Rule], rows: Relation, schema: Any, key: Sequence[str]
) -> dict[str, Tally]:
    """Count the rows of a partition that break each rule of a `Count` of values; one scan for all.

    A rule that DuckDB cannot ask (a pattern that is none) has a problem instead of a number.
    """
    wanted: dict[str, _Condition] = {}
    tallies: dict[str, Tally] = {}
    num_rows = rows.num_rows if hasattr(rows, "num_rows") else rows.count_rows()
    for number, rule in enumerate(rules):
        assert isinstance(rule.check, Count)
        assert rule.column is not None
        if rule.column not in schema.names:
            tallies[rule.name] = _problem(num_rows, f"there is no column {rule.column!r}")
        elif rule.check.metric == "nullValues" and not schema.field(rule.column).nullable:
            tallies[rule.name] = Tally(num_rows)  # the file's own schema allows no null
        else:
            wanted[rule.name] = _condition(rule.check, rule.column, number)
    columns = {rule.name: rule.column for rule in rules}
    with connect({"rows": rows}) as connection:
        counted = _count_all(connection, wanted)
        for name, condition in wanted.items():
            found = counted[name]
            tallies[name] = (
                _problem(num_rows, found)
                if isinstance(found, str)
                else Tally(
                    num_rows, found, samples=_samples(connection, condition, columns[name], key)
                )
                if found
                else Tally(num_rows)
            )
    return tallies


def duplicates_sql(columns: Sequence[str]) -> tuple[str, str]:
    """Return SQL for the number of rows that repeat earlier values, and for examples of them."""
    names = ", ".join(map(quoted, columns))
    is_there = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in columns)
    groups = f"FROM rows WHERE {is_there} GROUP BY {names} HAVING count(*) > 1"
    count = f"SELECT coalesce(sum(again), 0)::BIGINT FROM (SELECT count(*) - 1 AS again {groups})"
    return count, f"SELECT {names}, count(*) AS times {groups} ORDER BY {names}"


def num_repeated(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[str]
) -> float | int | str:
    """Return how many rows repeat earlier values, or the sentence of why it cannot be asked.

    As many different hashes as rows prove that none does, in a third of the time of a count of
    texts; only else are the values themselves counted.
    """
    sql, _ = duplicates_sql(columns)
    names = ", ".join(map(quoted, columns))
    is_there = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in columns)
    surplus = f"SELECT count(*) - count(DISTINCT hash({names})) FROM rows WHERE {is_there}"
    return 0 if ask_number(connection, surplus) == 0 else ask_number(connection, sql)


def _count_all(
    connection: duckdb.DuckDBPyConnection, wanted: Mapping[str, _Condition]
) -> dict[str, int | str]:
    """Return the count of each condition, or the sentence of why it cannot be asked."""
    if not wanted:
        return {}
    try:
        return _counted(connection, wanted)
    except duckdb.Error as error:
        if len(wanted) == 1:
            return dict.fromkeys(wanted, first_line(error))
    found: dict[str, int | str] = {}
    for name, condition in wanted.items():
        found |= _count_all(connection, {name: condition})
    return found


def _counted(
    connection: duckdb.DuckDBPyConnection, wanted: Mapping[str, _Condition]
) -> dict[str, int | str]:
    columns = [
        f"count(*) FILTER (WHERE {condition.sql}) AS c{number}"
        for number, condition in enumerate(wanted.values())
    ]
    params = {name: value for c in wanted.values() for name, value in c.params.items()}
    (row,) = ask_rows(connection, f"SELECT {', '.join(columns)} FROM rows", **params)
    return dict(zip(wanted, row.values(), strict=True))


def _samples(
    connection: duckdb.DuckDBPyConnection,
    condition: _Condition,
    column: str | None,
    key: Sequence[str],
) -> tuple[str, ...]:
    names = ", ".join(quoted(name) for name in dict.fromkeys([*key, column or ""]) if name)
    sql = f"SELECT {names} FROM rows WHERE {condition.sql} LIMIT {MAX_SAMPLES}"
    return tuple(map(shown_row, ask_rows(connection, sql, **condition.params)))


def _condition(check: Count, column: str, number: int) -> _Condition:
    """Return the condition that holds of the rows that a metric counts."""
    name, arguments = quoted(column), check.arguments
    if check.metric == "nullValues":
        return _Condition(f"{name} IS NULL", {})
    if check.metric == "missingValues":
        values = arguments.get("missingValues", [None])
        listed = [value for value in values if value is not None]
        is_null = f"{name} IS NULL" if None in values or not values else "false"
        params = {f"v{number}": listed} if listed else {}
        return _Condition(
            f"({is_null} OR list_contains($v{number}, {name}))" if listed else is_null, params
        )
    conditions, params = [], {}
    for position, (argument, sql) in enumerate(_INVALID.items()):
        if argument in arguments:
            parameter = f"v{number}_{position}"
            conditions.append(sql.format(column=name, value=f"${parameter}"))
            params[parameter] = arguments[argument]
    broken = " OR ".join(conditions) or "false"
    return _Condition(f"({name} IS NOT NULL AND ({broken}))", params)


_INVALID = {  # argument of `invalidValues` -> SQL of a value that breaks it
    "validValues": "NOT list_contains({value}, {column})",
    "pattern": "NOT regexp_full_match({column}, {value}, 's')",
    "minLength": "length({column}) < {value}",
    "maxLength": "length({column}) > {value}",
}


def _problem(num_rows: int, why: str) -> Tally:
    return Tally(num_rows, num_rows, kept=False, problem=why)
