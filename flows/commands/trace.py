"""``millrace trace``: one document's fate."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from catalog.trace import trace
from catalog.trace_text import format_trace
from flows.commands.context import existing_home
from flows.recipe import recipe_from_plain
from store.runs import get_run


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "document",
        metavar="ID_OR_TEXT",
        help="doc_id, record key, URI, URL, a reason of dropping, or some of its text",
    )
    parser.add_argument("--run", metavar="NAME", help="name of a run (default: the latest)")


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Find the documents and tell what each step did with them."""
    storage = existing_home(options)
    run = get_run(storage, options.run)
    rules = dict(recipe_from_plain(run.recipe).policy.all_rules())
    value = trace(storage, run, options.document, rules)
    return value, format_trace(value)
