"""Reading rules before any data is read: what they mention, and that they are harmless.

A condition is one SQL expression over signals. It may compare, combine and calculate; it may not
look at other rows, tables, files, the clock or chance, so that a decision depends on one document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from data_contracts.documents import EDITED
from data_contracts.errors import RecipeError
from store.hints import nearest

_CLASSES = frozenset(
    [
        "COLUMN_REF",
        "CONSTANT",
        "COMPARISON",
        "CONJUNCTION",
        "OPERATOR",
        "FUNCTION",
        "BETWEEN",
        "CASE",
        "CAST",
        "TYPE",
    ]
)
FUNCTIONS = frozenset(
    [
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "**",
        "||",
        "~~",
        "!~~",
        "~~*",
        "!~~*",
        "abs",
        "ceil",
        "floor",
        "round",
        "sqrt",
        "ln",
        "log10",
        "exp",
        "greatest",
        "least",
        "length",
        "lower",
        "upper",
        "contains",
        "starts_with",
        "prefix",
        "suffix",
        "ends_with",
        "regexp_matches",
        "regexp_full_match",
        "isnan",
        "list_value",
        "list_contains",
    ]
)


def signals_of_rules(rules: Sequence[tuple[str, str]], schema: pa.Schema) -> list[list[str]]:
    """Return, for each rule (reason, condition), the signals it mentions, in schema order.

    Raises:
        RecipeError: if a condition is not one true-or-false expression, mentions a signal that does
            not exist (the nearest one is named), compares a signal with what it cannot be, or uses
            what rules may not use.
    """
    with duckdb.connect() as connection:
        connection.register("signals", _absent_signals(schema))
        found = []
        for reason, condition in rules:
            _check_reason(reason)
            found.append(_signals_in(_parse(connection, condition, reason), reason, schema))
            _check_type(connection, condition, reason)
    return found


def of_edited(condition: str, reason: str) -> str:
    """Return a condition that asks of the edited text what ``condition`` asks of the text.

    Raises:
        RecipeError: if it is not one expression.
    """
    with duckdb.connect() as connection:
        parsed = _serialized(connection, condition, reason)
        for node in _nodes(_expression(parsed, reason)):
            if node["class"] == "COLUMN_REF":
                node["column_names"] = [EDITED + name for name in node["column_names"]]
        plain = json.dumps(parsed)
        ((sql,),) = connection.execute("SELECT json_deserialize_sql($1)", [plain]).fetchall()
    return str(sql).removeprefix("SELECT ")


def known_signal(name: str, where: str, schema: pa.Schema) -> str:
    """Return the name if the schema has such a signal; raise RecipeError naming the nearest one."""
    if name not in schema.names or name == "doc_id":
        raise RecipeError(
            f"{where!r} mentions {name!r}, which is no signal; {nearest(name, schema.names[1:])}"
        )
    return name


def _check_reason(reason: str) -> None:
    if not all(part.isidentifier() for part in reason.split(".")):
        raise RecipeError(
            f"The reason {reason!r} is not an identifier; write one such as 'length.too_short'."
        )


def _parse(connection: duckdb.DuckDBPyConnection, condition: str, reason: str) -> dict[str, Any]:
    return _expression(_serialized(connection, condition, reason), reason)


def _serialized(
    connection: duckdb.DuckDBPyConnection, condition: str, reason: str
) -> dict[str, Any]:
    """Return DuckDB's own tree of a condition, as one SELECT of it."""
    if not condition.strip():
        raise RecipeError(f"The rule {reason!r} has no condition; write SQL over signals.")
    sql = f"SELECT ({condition}\n)"
    ((serialized,),) = connection.execute("SELECT json_serialize_sql($1)", [sql]).fetchall()
    parsed: dict[str, Any] = json.loads(serialized)
    if parsed.get("error"):
        message = " ".join(parsed.get("error_message", "it is empty").split())
        raise RecipeError(f"The rule {reason!r} is not a SQL expression: {message}.")
    return parsed


def _expression(parsed: dict[str, Any], reason: str) -> dict[str, Any]:
    """Return the one expression that a parsed SELECT selects from nothing."""
    node = parsed["statements"][0]["node"]
    selected = node.get("select_list", [])
    if len(selected) != 1 or node.get("from_table", {}).get("type") != "EMPTY":
        raise RecipeError(f"The rule {reason!r} must be one expression.")
    expression: dict[str, Any] = selected[0]
    return expression


def _signals_in(expression: dict[str, Any], reason: str, schema: pa.Schema) -> list[str]:
    mentioned: set[str] = set()
    for node in _nodes(expression):
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


def _absent_signals(schema: pa.Schema) -> pa.Table:
    """Return one row of NULLs: what fails on it fails whatever a document is like.

    No sub-condition cuts its neighbours short there, so that each one's constants are converted.
    """
    return pa.table({name: pa.nulls(1, schema.field(name).type) for name in schema.names})


def _check_type(connection: duckdb.DuckDBPyConnection, condition: str, reason: str) -> None:
    try:
        asked = connection.sql(f"SELECT ({condition}\n) AS answer FROM signals")
        kinds = asked.types
        asked.fetchall()
    except duckdb.Error as error:
        message = str(error).splitlines()[0]
        raise RecipeError(f"The rule {reason!r} does not fit its signals: {message}.") from error
    if str(kinds[0]) != "BOOLEAN":
        raise RecipeError(f"The rule {reason!r} gives {kinds[0]}; it must be true or false.")


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
