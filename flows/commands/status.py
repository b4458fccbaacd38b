"""``millrace status``: the state of each step of a run, today."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from catalog.opened import INGEST, OpenedRun
from catalog.passed_over import passed_over, told_of
from catalog.status import status
from flows.commands.context import Context, as_table, of_run
from store.hints import human_bytes
from store.runs import Run


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="name of a run (default: the latest)")


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Compare what the run recorded with what is there now."""
    context = of_run(options)
    value = status(context.storage, context.run, context.graph, context.plans)
    rows = [
        (
            s["step"],
            s["state"],
            s["rows_in"],
            s["rows_kept"],
            s["rows_dropped"],
            s["rows_quarantined"],
            f"{s['partitions_computed']} of {s['partitions']}",
            human_bytes(s["size_bytes"]),
            s["why"],
        )
        for s in value["steps"]
    ]
    header = ("step", "state", "in", "kept", "dropped", "quarantined", "computed", "size", "why")
    told = _ended(context.run) if context.run else ""
    return value, f"{told}\n\n{as_table(rows, header)}{_passed_over(context)}"


def _ended(run: Run) -> str:
    """Say what became of a run, which the states of its steps today do not tell."""
    state = "crashed" if run.state == "running" and not run.is_alive() else run.state
    why = f": {run.error}" if run.error else ""
    return f"Run {run.name} of {run.recipe_name}, begun {run.started_at}: {state}{why}"


def _passed_over(context: Context) -> str:
    """Return a line on what the sources hold that became no row on purpose, if they do."""
    record = context.run.step(INGEST) if context.run else None
    if context.run is None or record is None or record.dataset is None:
        return ""
    told = told_of(passed_over(OpenedRun(context.storage, context.run).dataset(INGEST)))
    return f"\n\n{told}" if told else ""
