"""A contract's SQL: one SELECT over the views, which views it names, and the number it gives."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

import duckdb

from catalog.contracts.tally import shown, shown_row
from catalog.relations import ask
from data_contracts.errors import ContractError
from data_contracts.results import MAX_SAMPLES
from store.home import first_line

_MOST = 2**63 - 1  # larger integers are judged as floats
_UNNAMED = ("query", "query_table")  # which read tables whose names nobody can see in the SQL


@lru_cache(maxsize=1024)
def tables_of(sql: str) -> frozenset[str]:
    """Return the names of the tables that a SELECT reads, without those it defines itself.

    Names are in lower case, since SQL knows no other.

    Raises:
        ContractError: if it is not one SELECT, or hides what it reads.
    """
    try:
        statements = duckdb.extract_statements(sql)
        if [item.type for item in statements] != [duckdb.StatementType.SELECT]:
            raise ContractError(f"a rule's SQL must be one SELECT; this is not: {sql!r}")
        with _parser().cursor() as connection:
            found = connection.execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchone()
    except duckdb.Error as error:
        raise ContractError(f"a rule's SQL is not SQL ({first_line(error)}): {sql!r}") from error
    tree = json.loads(found[0]) if found else {"error": True}
    if tree["error"]:
        raise ContractError(f"a rule's SQL cannot be looked into ({tree}): {sql!r}")
    return frozenset(_tables(tree["statements"], frozenset(), sql))


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """Return a database that only parses; opening one takes longer than all parsing."""
    return duckdb.connect(config={"enable_external_access": False, "lock_configuration": True})


def _tables(tree: Any, own: frozenset[str], sql: str) -> Iterator[str]:
    """Yield the tables read within a parsed statement; ``own`` are the names it gave before."""
    if isinstance(tree, list):
        for value in tree:
            yield from _tables(value, own, sql)
    if not isinstance(tree, dict):
        return
    if str(tree.get("function_name")).lower() in _UNNAMED:
        raise ContractError(f"a rule's SQL must name its tables, not ask {tree['function_name']}")
    if tree.get("type") == "RECURSIVE_CTE_NODE":  # which reads itself
        own |= {tree["cte_name"].lower()}
    for entry in (tree.get("cte_map") or {}).get("map", []):  # each sees those before it
        yield from _tables(entry["value"], own, sql)
        own |= {entry["key"].lower()}
    name = str(tree.get("table_name") or "").lower()
    is_read = name and tree.get("type") in ("BASE_TABLE", "SHOW_REF")
    if is_read and (tree.get("schema_name") or name not in own):
        yield name
    for key, value in tree.items():
        if key != "cte_map":
            yield from _tables(value, own, sql)


def ask_number(connection: duckdb.DuckDBPyConnection, sql: str) -> float | int | str:
    """Return the one number that a query gives, or the sentence of why it gives none."""
    try:
        table = ask(connection, sql)
    except duckdb.Error as error:
        return f"it cannot be asked: {first_line(error)}"
    if table.num_rows != 1 or table.num_columns != 1:
        size = f"{table.num_rows} rows of {table.num_columns} columns"
        return f"it gave {size} and not one number"
    value = table.column(0)[0].as_py()
    if not isinstance(value, int | float | Decimal) or math.isnan(value):
        return f"it gave {shown(value)} and not a number"
    if math.isfinite(value) and value == int(value) and abs(int(value)) <= _MOST:
        return int(value)
    return float(value)


def ask_examples(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[str, ...]:
    """Return up to ten of the rows that a query gives, each as a message shows it."""
    try:
        (statement,) = duckdb.extract_statements(sql)
        query = statement.query.strip().rstrip(";")
        table = ask(connection, f"SELECT * FROM ({query}\n) LIMIT {MAX_SAMPLES}")
    except duckdb.Error as error:
        return (f"its examples cannot be asked: {first_line(error)}",)
    return tuple(map(shown_row, table.to_pylist()))
