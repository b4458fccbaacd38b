"""``millrace report``: write the page that tells a run, and name it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from catalog import open_run
from flows.commands.context import existing_home
from flows.report import make_report


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("run", metavar="RUN", nargs="?", help="name of a run (default: the latest)")


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Write the page anew from the run's records; the value holds its place and its facts."""
    opened = open_run(existing_home(options).url, options.run)
    report = make_report(opened.storage, opened.run)
    facts = report.facts.to_json()
    return {"run": opened.name, "page": report.place, "facts": facts}, report.place
