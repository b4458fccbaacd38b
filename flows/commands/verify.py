"""``millrace verify``: is everything that was written still what was written?"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from flows.commands.context import existing_home
from store.verify import verify
from store.verify_report import format_report


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--deep", action="store_true", help="read the rows too, not only the bytes")
    parser.add_argument(
        "--repair", action="store_true", help="set aside what is damaged, so that a run renews it"
    )


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Verify the home; exit code 1 if anything is damaged or missing and was not set aside."""
    report = verify(existing_home(options), repair=options.repair, deep=options.deep)
    value = {**report.plain(), "exit_code": 1 if report.is_damaged() else 0}
    return value, format_report(report)
