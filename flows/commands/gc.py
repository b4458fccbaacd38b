"""``millrace gc``: what no run refers to."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from flows.commands.context import existing_home
from store.gc import collect_garbage, format_report


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--delete", action="store_true", help="delete it (default: only list it)")
    parser.add_argument(
        "--keep-runs",
        type=int,
        metavar="N",
        help="forget all but the newest N runs of each recipe (default: keep all); what was "
        "written within the last hour stays, whatever N",
    )


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """List or delete what is not referred to."""
    home = existing_home(options)
    report = collect_garbage(home, delete=options.delete, keep_runs=options.keep_runs)
    return report.plain(), format_report(report)
