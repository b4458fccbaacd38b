"""A contract's SQL: one SELECT over the views, which views it names, and the number it gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import duckdb

from catalog.contracts.tally import shown_row
from catalog.relations import ask
from data_contracts.errors import ContractError
from data_contracts.results import MAX_SAMPLES
from store.home import first_line


@lru_cache(maxsize=1024)
def tables_of(sql: str) -> frozenset[str]:
    """Return the names of the tables that a SELECT reads, without those it defines itself.

    Raises:
        ContractError: if it is not one SELECT.
    """
    try:
        statements = duckdb.extract_statements(sql)
        if [item.type for item in statements] != [duckdb.StatementType.SELECT]:
            raise ContractError(f"a rule's SQL must be one SELECT; this is not: {sql!r}")
        with duckdb.connect() as connection:
            found = connection.execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchone()
    except duckdb.Error as error:
        raise ContractError(f"a rule's SQL is not SQL ({first_line(error)}): {sql!r}") from error
    tree = json.loads(found[0]) if found else {}
    nodes = list(_nodes(tree))
    own = {entry["key"] for node in nodes for entry in (node.get("cte_map") or {}).get("map", [])}
    return frozenset(n["table_name"] for n in nodes if n.get("type") == "BASE_TABLE") - own


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping within a parsed statement."""
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)


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
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, str):
        return f"it gave {value!r} and not a number"
    number = float(value)
    return int(number) if number.is_integer() else number


def ask_examples(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[str, ...]:
    """Return up to ten of the rows that a query gives, each as a message shows it."""
    try:
        table = ask(connection, f"SELECT * FROM ({sql}) LIMIT {MAX_SAMPLES}")
    except duckdb.Error as error:
        return (f"its examples cannot be asked: {first_line(error)}",)
    return tuple(map(shown_row, table.to_pylist()))
