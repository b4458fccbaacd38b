"""``millrace serve``: execute on this machine what is deployed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from data_contracts.errors import UsageError
from flows.serving import DEFAULT_LIMIT, serve


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--limit",
        type=int,
        default=DEFAULT_LIMIT,
        metavar="N",
        help=f"how many runs work at a time (default: {DEFAULT_LIMIT})",
    )


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Serve until interrupted; lines on stderr tell what each run came to."""
    if options.limit < 1:
        raise UsageError(f"--limit is {options.limit}; at least one run must be able to work.")
    told = serve(options.home, options.limit)
    return {"home": options.home, "runs": told}, "Ended; the schedules stay on the server."
