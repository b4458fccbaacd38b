"""Runs: what was asked for, what it chose and what it came to, in ``runs/<run>/run.json``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import psutil

from store.datasets import REMEDY
from store.errors import Damaged, NotFound, UsageError
from store.lease import Leases
from store.processes import identity_of, life_of
from store.storage import Storage

_MAX_NAME_LENGTH = 200
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@dataclass(frozen=True)
class StepRecord:
    """What one step came to in one run. ``seconds`` is wall time, sizes are bytes on disk."""

    step: str
    state: str  # fresh, failed, running
    why: str
    rows_in: int
    rows_kept: int
    rows_dropped: int
    rows_quarantined: int
    rows_retired: int
    partitions: int
    partitions_computed: int
    seconds: float
    size_bytes: int
    dataset: str | None


@dataclass(frozen=True)
class Run:
    """One run of a recipe on a home.

    ``state`` is running, waiting (for a person), done, failed or crashed; ``recipe`` is the
    resolved recipe, every default written out; ``previous`` names the run of the same recipe before
    this one; ``baseline`` maps steps to the datasets of accepted runs that contracts compared with,
    and ``checks`` steps to their contracts' results, by names within the home. ``flow_runs`` are
    ids in Prefect; ``host``, ``machine``, ``pid`` and ``process_started`` are its process
    (`store.processes`), and tell whether a running one is alive; ``folder`` is where it was begun,
    to which relative paths of its recipe belong.
    """

    name: str
    recipe_name: str
    recipe: dict[str, Any]
    state: str = "running"
    steps: tuple[StepRecord, ...] = ()
    previous: str | None = None
    baseline: dict[str, str] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)
    started_at: str = ""
    finished_at: str | None = None
    error: str | None = None
    host: str = ""
    machine: str = ""
    pid: int = 0
    process_started: str | float = ""
    folder: str = ""
    flow_runs: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)

    def step(self, name: str) -> StepRecord | None:
        """Return the record of a step, or ``None`` if this run did not get to it."""
        return next((record for record in self.steps if record.step == name), None)

    def with_step(self, record: StepRecord) -> Run:
        """Return the run with one step's record added or replaced."""
        others = tuple(old for old in self.steps if old.step != record.step)
        return replace(self, steps=(*others, record))

    def is_alive(self) -> bool:
        """Return whether the process of a running run may still be working on it.

        A process of another host is given the benefit of the doubt.
        """
        if self.state != "running":
            return False
        here = identity_of(os.getpid())
        if self.host != here["host"]:
            return True
        if not self.machine:  # a record of an earlier version
            return process_alive(self.pid, float(self.process_started))
        if self.machine != here["machine"]:
            return False  # of this host before it was started anew
        process = {key: getattr(self, key) for key in here}
        return life_of(process) != "gone"

    def state_now(self) -> str:
        """Return its state; ``crashed`` for one that is recorded as running and is not alive."""
        return "crashed" if self.state == "running" and not self.is_alive() else self.state


def process_alive(pid: int, started: float) -> bool:
    """Return whether the process with this id and start time (epoch seconds) still runs."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def begin_run(storage: Storage, recipe_name: str, recipe: dict[str, Any], name: str | None) -> Run:
    """Write and return a new run; one that is named again starts anew under its old name.

    Raises:
        UsageError: if the name has other characters than letters, digits, ``-``, ``_``, ``.``, or
            a run of that name is working right now, or is one of another recipe.
    """
    name = name or new_name(recipe_name, storage)
    check_name(name)
    existing = find_run(storage, name)
    _refuse_if_alive(existing)
    if existing is not None and existing.recipe_name != recipe_name:
        raise UsageError(
            f"There is a run {name} of {existing.recipe_name} already, whose record this one would "
            f"replace; choose another --run name."
        )
    run = Run(
        name=name,
        recipe_name=recipe_name,
        recipe=recipe,
        previous=latest_done(storage, recipe_name, before=name),
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        folder=os.getcwd(),
        **identity_of(os.getpid()),
    )
    if not storage.create_json(run_name(name), asdict(run)):
        _start_anew(storage, run)
    return run


def _start_anew(storage: Storage, run: Run) -> None:
    """Replace the record of a run that ended; of those who try at the same time one succeeds."""
    with Leases(storage) as leases:
        lease = leases.try_acquire(f"runs/{run.name}")
        if lease is None:
            raise UsageError(
                f"Run {run.name} is being started by another process; wait for it, or choose "
                f"another --run name."
            )
        _refuse_if_alive(find_run(storage, run.name))
        lease.check()
        save_run(storage, run)


def _refuse_if_alive(existing: Run | None) -> None:
    if existing is not None and existing.is_alive():
        raise UsageError(
            f"Run {existing.name} is being worked on by process {existing.pid} on "
            f"{existing.host}; wait for it, or choose another --run name."
        )


def new_name(recipe_name: str, storage: Storage) -> str:
    """Return a name for a run that starts now: recipe, time (UTC), process.

    A number is added if this process gave that name to another run within the same second.
    """
    name = f"{recipe_name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"
    names = (name, *(f"{name}-{number}" for number in range(2, 1000)))
    return next(name for name in names if not storage.exists(run_name(name)))


def check_name(name: str) -> None:
    """Raise UsageError unless a run's name can stand in a path."""
    plain = set(name) <= _NAME_CHARACTERS and not name.startswith(".")
    if not plain or not 0 < len(name) <= _MAX_NAME_LENGTH:
        raise UsageError(
            f"A run cannot be called {name!r}: use letters, digits, '-', '_' and '.' only, up to "
            f"{_MAX_NAME_LENGTH} of them."
        )


def save_run(storage: Storage, run: Run) -> None:
    """Write a run's record, replacing the one before."""
    storage.replace_json(run_name(run.name), asdict(run))


def run_name(name: str) -> str:
    """Name of a run's record within the home."""
    return f"runs/{name}/run.json"


def find_run(storage: Storage, name: str) -> Run | None:
    """Return a run by its name, or ``None``.

    Raises:
        Damaged: if its record is not what a run's record looks like.
    """
    value = storage.read_json(run_name(name))
    if value is None:
        return None
    try:
        steps = tuple(StepRecord(**record) for record in value.pop("steps"))
        flow_runs = tuple(value.pop("flow_runs"))
        return Run(steps=steps, flow_runs=flow_runs, **value)
    except (KeyError, TypeError) as error:
        raise Damaged(
            f"The record {run_name(name)} in {storage.url} is not a run's ({error}); {REMEDY}"
        ) from error


def list_runs(storage: Storage, skip_damaged: bool = False) -> Iterator[Run]:
    """Yield all runs of a home, oldest first.

    Raises:
        Damaged: if a record is not a run's, unless such ones are to be skipped.
    """
    found = []
    for name, _, _ in storage.list("runs"):
        if name.endswith("/run.json") and name.count("/") == 2:
            try:
                run = find_run(storage, name.split("/")[1])
            except Damaged:
                if not skip_damaged:
                    raise
                continue
            if run is not None:
                found.append(run)
    yield from sorted(found, key=lambda run: (run.started_at, run.name))


def get_run(storage: Storage, name: str | None) -> Run:
    """Return the named run, or the latest one.

    Raises:
        NotFound: if there is none.
        UsageError: if no run can be called that.
    """
    if name is not None:
        check_name(name)
        run = find_run(storage, name)
        if run is None:
            known = ", ".join(run.name for run in list_runs(storage)) or "none yet"
            raise NotFound(f"There is no run {name!r} in {storage.url}; there are: {known}.")
        return run
    runs = list(list_runs(storage, skip_damaged=True))
    if not runs:
        raise NotFound(
            f"There is no run in {storage.url} yet; `millrace run quickstart` makes one."
        )
    return runs[-1]


def latest_done(storage: Storage, recipe_name: str, before: str | None = None) -> str | None:
    """Return the name of the latest finished run of a recipe, other than ``before``."""
    done = [
        run.name
        for run in list_runs(storage, skip_damaged=True)
        if run.recipe_name == recipe_name and run.state == "done" and run.name != before
    ]
    return done[-1] if done else None


def latest_with_steps(storage: Storage, recipe_name: str) -> dict[str, Run]:
    """Return, by step, the latest finished run of a recipe that has a dataset of that step.

    A run of some steps only, or one that is begun again under its name, takes nothing from what
    the run before came to: ask this before `begin_run`.
    """
    return {
        record.step: run
        for run in list_runs(storage, skip_damaged=True)
        if run.recipe_name == recipe_name and run.state == "done"
        for record in run.steps
        if record.dataset is not None
    }
