"""Reading a rule's condition before any data is read: what it mentions, and that it is harmless.

A condition is one SQL expression over signals. It may compare, combine and calculate; it may not
look at other rows, tables, files, the clock or chance, so that a decision depends on one document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa

from data_contracts.errors import RecipeError
from store.hints import nearest

_CLASSES = frozenset(
    "COLUMN_REF CONSTANT COMPARISON CONJUNCTION OPERATOR FUNCTION BETWEEN CASE CAST".split()
)
FUNCTIONS = frozenset(
    (
        "+ - * / // % ** || ~~ !~~ ~~* !~~* abs ceil floor round sqrt ln log10 exp greatest least "
        "length lower upper contains starts_with prefix suffix ends_with regexp_matches "
        "regexp_full_match isnan list_value list_contains"
    ).split()
)


def signals_in(condition: str, reason: str, schema: pa.Schema) -> list[str]:
    """Return the signals that a condition mentions, in the order of the schema.

    Raises:
        RecipeError: if it is not one expression, mentions a signal that does not exist (the nearest
            one is named), or uses a function or a kind of expression that rules may not use.
    """
    mentioned: set[str] = set()
    for node in _nodes(_parse(condition, reason)):
        kind = node["class"]
        if kind not in _CLASSES:
            name = node.get("function_name") or kind.lower().replace("_", " ")
            raise RecipeError(
                f"The rule {reason!r} uses {name}: a rule may only compare and calculate with the "
                f"signals of one document."
            )
        if kind == "FUNCTION" and node["function_name"] not in FUNCTIONS:
            raise RecipeError(
                f"The rule {reason!r} calls {node['function_name']}(); rules may call "
                f"{', '.join(sorted(name for name in FUNCTIONS if name[0].isalpha()))}."
            )
        if kind == "COLUMN_REF":
            mentioned.add(known_signal(".".join(node["column_names"]), reason, schema))
    return [name for name in schema.names if name in mentioned]


def check_types(condition: str, reason: str, schema: pa.Schema) -> None:
    """Raise RecipeError unless the condition is true-or-false for signals of this schema."""
    with duckdb.connect() as connection:
        connection.register("signals", schema.empty_table())
        try:
            kinds = connection.sql(f"SELECT ({condition}) AS answer FROM signals").types
        except duckdb.Error as error:
            message = str(error).splitlines()[0]
            raise RecipeError(f"The rule {reason!r} does not fit its signals: {message}") from error
    if str(kinds[0]) != "BOOLEAN":
        raise RecipeError(f"The rule {reason!r} gives {kinds[0]}; it must be true or false.")


def known_signal(name: str, reason: str, schema: pa.Schema) -> str:
    """Return the name if the schema has such a signal; raise RecipeError naming the nearest one."""
    if name not in schema.names:
        raise RecipeError(
            f"{reason!r} mentions {name!r}, which is no signal; "
            f"{nearest(name, schema.names)}"
        )
    return name


def _parse(condition: str, reason: str) -> dict[str, Any]:
    with duckdb.connect() as connection:
        row = connection.execute(
            "SELECT json_serialize_sql($1)", [f"SELECT ({condition}\n)"]
        ).fetchone()
    assert row is not None
    parsed = json.loads(row[0])
    if parsed.get("error"):
        message = parsed.get("error_message", "it is empty")
        raise RecipeError(f"The rule {reason!r} is not a SQL expression: {message}")
    (statement,) = parsed["statements"]
    selected = statement["node"].get("select_list", [])
    if len(selected) != 1 or statement["node"].get("from_table", {}).get("type") != "EMPTY":
        raise RecipeError(f"The rule {reason!r} must be one expression.")
    expression: dict[str, Any] = selected[0]
    return expression


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every expression of a parsed tree."""
    if isinstance(node, dict):
        if "class" in node:
            yield node
        for child in node.values():
            yield from _nodes(child)
    elif isinstance(node, list):
        for child in node:
            yield from _nodes(child)
