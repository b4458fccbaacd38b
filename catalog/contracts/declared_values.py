"""Measure of one partition: values that are not as their own column declares.

A column of numbers may carry in its metadata what it is and how small or large it can be (`unit`,
`description`, `least`, `most`): the columns of signals do, and each family of them brings its own.
So one rule holds for all of them, and a new one needs no new rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.types as at

from catalog.contracts.measured import check_arguments
from catalog.contracts.subject import CheckedPart
from catalog.contracts.tally import Tally, shown_row
from catalog.relations import ask_rows, connect, quoted
from data_contracts.results import MAX_SAMPLES


def values_unlike_declared(part: CheckedPart, arguments: Mapping[str, Any]) -> Tally:
    """Count the rows with a value outside its column's declared range, or that is no number.

    A column that declares no meaning is a problem of its own; nulls are no values.
    """
    check_arguments("values_unlike_declared", arguments, ())
    key, *columns = part.schema
    nameless = [field.name for field in columns if not (field.metadata or {}).get(b"description")]
    if nameless:
        return Tally(1, 1, kept=False, problem=f"{nameless[0]} declares no meaning of its own")
    broken = {field.name: _broken(field) for field in columns if _broken(field)}
    with connect({"rows": part.rows}) as connection:
        any_broken = " OR ".join(broken.values()) or "false"
        sql = f"SELECT count(*) AS n, count(*) FILTER (WHERE {any_broken}) AS b FROM rows"
        (found,) = ask_rows(connection, sql)
        samples: list[str] = []
        for name, condition in broken.items() if found["b"] else ():
            shown = f"{quoted(key.name)}, '{name}' AS signal, {quoted(name)} AS value"
            limit = MAX_SAMPLES - len(samples)
            sql = f"SELECT {shown} FROM rows WHERE {condition} ORDER BY 1 LIMIT {limit}"
            samples += map(shown_row, ask_rows(connection, sql))
    return Tally(found["n"], found["b"], samples=tuple(samples))


def _broken(field: pa.Field) -> str:
    """Return SQL that holds of a value that the column does not allow, "" if it allows all."""
    if not (at.is_integer(field.type) or at.is_floating(field.type)):
        return ""
    name, limits = quoted(field.name), field.metadata or {}
    conditions = [f"NOT isfinite({name})"] if at.is_floating(field.type) else []
    for limit, comparison in ((b"least", "<"), (b"most", ">")):
        if limit in limits:
            conditions.append(f"{name} {comparison} {float(limits[limit])!r}")
    return f"({' OR '.join(conditions)})" if conditions else ""
