"""``millrace approve``: decide about a run that waits for a person, and let it go on."""

from __future__ import annotations

import contextlib
import os
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data_contracts.errors import NotFound, UsageError
from flows.api import run_order
from flows.approval import (
    Waits,
    approved_order,
    decide_waiting,
    read_decision,
    read_waits,
    waiting_runs,
)
from flows.client import configure_client
from flows.commands.context import existing_home
from flows.person import person
from flows.progress import make_progress
from flows.server import ensure_server
from store.runs import Run, get_run
from store.storage import Storage


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "run", metavar="RUN", nargs="?", help="name of a run (default: the one that waits)"
    )
    parser.add_argument("--reject", action="store_true", help="end the run as failed instead")
    parser.add_argument("--comment", default="", metavar="TEXT", help="why, for those who read it")


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Approve or reject; a deployed run goes on by `millrace serve`, another one here and now."""
    storage = existing_home(options)
    run = _waiting(storage, options.run, options.reject)
    waits = read_waits(storage, run.name)
    if waits is not None and waits.flow_run is not None:
        configure_client(ensure_server(options.home), options.home)
        said = {"approved": not options.reject, "comment": options.comment, "by": person()}
        if _resume(run, waits.flow_run, said):
            return _resumed(storage, run, options)
    decision = decide_waiting(storage, run, not options.reject, options.comment)
    if options.reject or waits is None:
        return {"run": run.name, "decision": asdict(decision)}, f"{decision.told()}."
    _go_on(storage, run, waits)
    ended = get_run(storage, run.name)
    value = {"run": run.name, "decision": asdict(decision), "state": ended.state}
    return value, f"{decision.told()}; {run.name} is {ended.state}."


def _waiting(storage: Storage, name: str | None, reject: bool) -> Run:
    """Return the run to decide about: one that waits or, to approve it by name, was rejected.

    Raises:
        UsageError: if it is neither, or several wait and none is named.
    """
    if name is None:
        waiting = waiting_runs(storage)
        if len(waiting) == 1:
            return waiting[0]
        names = ", ".join(run.name for run in waiting)
        raise UsageError(
            f"Name the run: {names} wait." if waiting else "No run waits for an approval."
        )
    run = get_run(storage, name)
    if run.state != "waiting":
        decision = read_decision(storage, name)
        if run.state == "failed" and decision and not decision.approved and not reject:
            return run
        decided = f"; {decision.told()}" if decision else ""
        raise UsageError(f"{name} does not wait for an approval: it is {run.state}{decided}.")
    return run


def _resume(run: Run, flow_run: str, said: dict[str, Any]) -> bool:
    """Tell Prefect to resume a suspended flow run; return False if it cannot be carried on there.

    Raises:
        UsageError: if it was told so already.
    """
    from flows.resuming import resume

    told = resume(flow_run, said)
    if told == "under way":
        raise UsageError(
            f"{run.name} was decided about already and goes on as soon as `millrace serve` runs."
        )
    return told == "resumed"


def _resumed(storage: Storage, run: Run, options: Namespace) -> tuple[dict[str, Any], str]:
    """Tell that Prefect goes on; an approval is written at once, so that no kill can lose it."""
    if not options.reject:
        decide_waiting(storage, run, True, options.comment)
    verb = "rejected" if options.reject else "approved"
    value = {"run": run.name, "approved": not options.reject, "by": person(), "state": "resuming"}
    then = "ends it" if options.reject else "carries it on"
    return value, f"{run.name} is {verb}; `millrace serve` {then}."


def _go_on(storage: Storage, run: Run, waits: Waits) -> None:
    """Carry a run on in this process, in the folder where it was begun."""
    if not Path(waits.folder).is_dir():
        raise NotFound(f"{run.name} was begun in {waits.folder}, which is gone; make it again.")
    home = storage.url if "://" in storage.url else os.path.abspath(storage.url)
    with contextlib.chdir(waits.folder), make_progress() as progress:
        run_order(approved_order(run, waits, home), progress)
