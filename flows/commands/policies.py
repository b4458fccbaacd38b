"""``millrace policies``: the named dialects, and the rules of one of them."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import Any

from flows.commands.context import as_table
from pipelines.policies.dialects import DIALECTS, dialect_named


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", nargs="?", help="the dialect to show (default: list them all)")
    parser.add_argument(
        "--toml", action="store_true", help="print its rules as a recipe's own, to be changed"
    )


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """List the dialects, or show one: its rules in their order, with their sources.

    Raises:
        RecipeError: if there is no dialect of that name; the nearest one is given.
    """
    if options.name is None:
        listed = [
            {"name": d.name, "description": d.description, "num_rules": len(d.rules)}
            for d in DIALECTS.values()
        ]
        rows = [tuple(each.values()) for each in listed]
        return {"policies": listed}, as_table(rows, ("policy", "what it is", "rules"))
    dialect = dialect_named(options.name)
    value = {
        "name": dialect.name,
        "description": dialect.description,
        "rules": [rule._asdict() for rule in dialect.rules],
    }
    if options.toml:
        lines = [f"{json.dumps(r.reason)} = {json.dumps(r.condition)}" for r in dialect.rules]
        return value, "\n".join(["[policy.rules]", *lines])
    rows = [(rule.reason, rule.condition, rule.source) for rule in dialect.rules]
    return value, as_table(rows, ("reason", "drops a document if", "source"))
