"""``millrace status``: the state of each step of a run, today."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from catalog.opened import INGEST, OpenedRun
from catalog.passed_over import passed_over, told_of
from catalog.status import recorded_status, status
from data_contracts.errors import InputError
from flows.commands.context import as_table, existing_home, of_run
from flows.graph import build_graph
from flows.recipe import recipe_from_plain
from store.hints import human_bytes
from store.runs import Run, get_run
from store.storage import Storage


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="name of a run (default: the latest)")


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Compare what the run recorded with what is there now."""
    storage = existing_home(options)
    run = get_run(storage, options.run)
    try:
        context = of_run(options)
        value = status(storage, run, context.graph, context.plans)
    except InputError as error:
        graph = build_graph(recipe_from_plain(run.recipe), storage.url)
        value = recorded_status(run, graph, f"not compared with its sources: {error}")
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
    return value, f"{_ended(run)}\n\n{as_table(rows, header)}{_passed_over(storage, run)}"


def _ended(run: Run) -> str:
    """Say what became of a run, which the states of its steps today do not tell."""
    why = f": {run.error}" if run.error else ""
    return f"Run {run.name} of {run.recipe_name}, begun {run.started_at}: {run.state_now()}{why}"


def _passed_over(storage: Storage, run: Run) -> str:
    """Return a line on what the sources hold that became no row on purpose, if they do."""
    record = run.step(INGEST)
    if record is None or record.dataset is None:
        return ""
    told = told_of(passed_over(OpenedRun(storage, run).dataset(INGEST)))
    return f"\n\n{told}" if told else ""
