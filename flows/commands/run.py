"""``millrace run``: carry out a recipe and say where to look."""

from __future__ import annotations

import os
import shutil
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import Any

from catalog.contracts.check import read_result
from data_contracts.errors import UsageError
from flows.api import run_order
from flows.commands.context import as_table
from flows.contracts import PAGE
from flows.progress import make_progress
from flows.report import report_name
from flows.server import server_status
from flows.session import Order
from flows.standard_input import read_standard_input
from store.accepted import find_acceptance
from store.hints import counted, human_bytes
from store.runs import Run, get_run
from store.storage import Storage


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("recipe", metavar="RECIPE", help="name of a recipe, or a .toml file")
    parser.add_argument("--run", metavar="NAME", help="name of the run (default: recipe and time)")
    for option, destination, what in (
        ("--from", "from_step", "compute STEP and all after it again"),
        ("--only", "only", "run STEP alone; what it reads must be fresh"),
        ("--force", "force", "compute STEP again and compare"),
    ):
        parser.add_argument(
            option, dest=destination, action="append", default=[], metavar="STEP", help=what
        )
    parser.add_argument(
        "--set", action="append", default=[], metavar="A.B=C", help="set a field of the recipe"
    )


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Run the recipe; the value is the run's record.

    Raises:
        UsageError: if an option names two steps, or none, as a variable does that nobody set.
    """
    only, force, from_step = (
        _one_step(name, steps)
        for name, steps in (
            ("only", options.only),
            ("force", options.force),
            ("from", options.from_step),
        )
    )
    order = Order(
        options.recipe,
        options.home,
        options.run,
        tuple(read_standard_input(options.recipe, options.set, options.home)),
        from_step,
        () if only is None else (only,),
        force,
    )
    with make_progress() as progress:
        name = run_order(order, progress)
    run = get_run(Storage(options.home), name)
    return asdict(run), _text(run, Storage(options.home))


def _one_step(option: str, steps: list[str]) -> str | None:
    if len(steps) > 1:
        raise UsageError(f"--{option} is given {len(steps)} times; give one step, and run again.")
    if "" in steps:
        raise UsageError(f"--{option} names no step; name one, or leave it out.")
    return steps[0] if steps else None


def _text(run: Run, storage: Storage) -> str:
    rows = [
        (s.step, s.rows_in, s.rows_kept, s.rows_dropped, s.rows_quarantined, _parts(s), s.seconds)
        for s in run.steps
    ]
    header = ("step", "in", "kept", "dropped", "quarantined", "computed", "seconds")
    computed = sum(step.partitions_computed for step in run.steps)
    size = human_bytes(sum(step.size_bytes for step in run.steps))
    contracts = _contracts(run, storage)
    nothing = "Nothing had to run: everything was there already.\n" if not computed else ""
    places = "\n".join(f"  {what:<28} {where}" for what, where in _where(run, storage))
    done = f"{contracts}{nothing}Run {run.name} is done ({size}). Look at"
    return f"{as_table(rows, header)}\n\n{done}\n{places}"


def _contracts(run: Run, storage: Storage) -> str:
    """Say what became of the contracts: how many were held, which rules warn, who accepted it."""
    found = [read_result(storage, name) for name in run.checks.values()]
    results = [result for result in found if result is not None]
    if not results:
        return ""
    broken = [(result.name, rule) for result in results for rule in result.broken()]
    lines = [f"warning: {name}: {rule.sentence()}." for name, rule in broken]
    held = f"{counted(len(results), 'contract')} held, {counted(len(broken), 'rule')} broken"
    accepted = find_acceptance(storage, run.name)
    waits = "; `millrace accept` makes this run the baseline"
    end = "; this run is the baseline now" if accepted else waits
    return "\n".join([*lines, f"{held}{end}.", ""])


def _command() -> str:
    """Return how the command can be called from here: by its name if the shell finds it."""
    return "millrace" if shutil.which("millrace") else os.path.relpath(sys.argv[0])


def _parts(step: Any) -> str:
    return f"{step.partitions_computed} of {step.partitions}"


def _where(run: Run, storage: Storage) -> list[tuple[str, str]]:
    home = f" --home {storage.url}"
    places = []
    if storage.exists(report_name(run.name)):
        places.append(("the report", storage.place(report_name(run.name))))
    if run.checks and storage.exists(PAGE):
        places.append(("validation results", storage.place(PAGE)))
    for what, folder, files in (
        ("curated Parquet", "curated", "*.parquet"),
        ("model", "model", ""),
    ):
        path = storage.local_path(f"runs/{run.name}/{folder}")
        if path is not None and path.is_dir():
            places.append((f"the {what}", f"{path}/{files}"))
    places += [
        ("each step, again", f"{_command()} status{home}"),
        ("one document's fate", f"{_command()} trace{home} 'some of its text'"),
    ]
    if run.step("pretrain"):
        places.append(("text from the model", f"{_command()} generate{home} 'Return the'"))
    server = server_status(storage.url)
    if server.get("running"):
        flow_run = f"/runs/flow-run/{run.flow_runs[-1]}" if run.flow_runs else ""
        places.append(("the run in Prefect", f"{server['ui_url']}{flow_run}"))
    return places
