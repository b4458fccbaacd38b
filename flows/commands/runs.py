"""``millrace runs``: the runs of a home, the latest first."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import datetime
from itertools import islice
from typing import Any

from data_contracts.errors import Damaged, UsageError
from flows.commands.context import as_table, existing_home
from store.accepted import find_acceptance
from store.runs import Run, list_runs
from store.storage import Storage


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="those of one recipe only")
    parser.add_argument(
        "--last", type=int, default=20, metavar="N", help="so many at most (default: 20)"
    )


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """List the runs.

    Raises:
        NotFound: if the home has none. UsageError: if fewer than one is asked for.
    """
    if options.last < 1:
        raise UsageError(f"--last is {options.last}; give 1 or more.")
    storage = existing_home(options)
    runs = [
        run
        for run in list_runs(storage, skip_damaged=True)
        if options.recipe in (None, run.recipe_name)
    ]
    shown = [_told(storage, run) for run in islice(reversed(runs), options.last)]
    header = ("run", "recipe", "state", "began", "seconds", "computed", "accepted by")
    table = as_table([tuple(row.values()) for row in shown], header)
    older = len(runs) - len(shown)
    more = f"\n\n{older} older; --last {len(runs)} shows all." if older else ""
    return {"runs": shown, "num_runs": len(runs)}, f"{table}{more}"


def _told(storage: Storage, run: Run) -> dict[str, Any]:
    try:
        acceptance = find_acceptance(storage, run.name)
    except Damaged:
        acceptance = None
    return {
        "run": run.name,
        "recipe": run.recipe_name,
        "state": run.state_now(),
        "began": run.started_at,
        "seconds": _seconds(run),
        "partitions_computed": sum(step.partitions_computed for step in run.steps),
        "accepted_by": acceptance.by if acceptance else None,
    }


def _seconds(run: Run) -> int | None:
    """Return how long a run took from its start to its end; None while it has none."""
    if not run.finished_at:
        return None
    began, ended = map(datetime.fromisoformat, (run.started_at, run.finished_at))
    return round((ended - began).total_seconds())
