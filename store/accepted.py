"""Accepted runs: those that later ones are compared with, in ``runs/<run>/accepted.json``.

A run is accepted by its checks or by a person. What is accepted are its datasets, so a step's
baseline is its dataset in the latest accepted run that has one: a run that a contract stopped half
way can be accepted as far as it came.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from store.datasets import REMEDY, manifest_name
from store.errors import Damaged, UsageError
from store.runs import Run
from store.storage import Storage

BY_CHECKS = "checks"


@dataclass(frozen=True)
class Acceptance:
    """That a run was accepted: ``by`` is "checks" or a person, ``at`` UTC, ISO 8601.

    ``datasets`` maps its steps to their datasets.
    """

    run: str
    recipe_name: str
    by: str
    at: str
    comment: str
    datasets: dict[str, str]


def accept(storage: Storage, run: Run, by: str, comment: str = "") -> Acceptance:
    """Mark a run's datasets as those to compare with from now on; again, if it was before.

    Raises:
        UsageError: if the run is at work, or has no dataset.
    """
    if run.is_alive():
        raise UsageError(f"Run {run.name} is still at work; accept it when it has ended.")
    return record_acceptance(storage, run, by, comment)


def record_acceptance(storage: Storage, run: Run, by: str, comment: str = "") -> Acceptance:
    """Write that a run is accepted, at work or not.

    Raises:
        UsageError: if the run has no dataset.
    """
    datasets = {record.step: record.dataset for record in run.steps if record.dataset}
    if not datasets:
        raise UsageError(f"Run {run.name} has no output that could be accepted; run it first.")
    now = datetime.now(UTC).isoformat()
    acceptance = Acceptance(run.name, run.recipe_name, by, now, comment, datasets)
    storage.replace_json(accepted_name(run.name), asdict(acceptance))
    return acceptance


def accepted_name(run: str) -> str:
    """Name of a run's acceptance within the home."""
    return f"runs/{run}/accepted.json"


def find_acceptance(storage: Storage, run: str) -> Acceptance | None:
    """Return the acceptance of a run, or None.

    Raises:
        Damaged: if its record is not what an acceptance looks like.
    """
    value = storage.read_json(accepted_name(run))
    if value is None:
        return None
    try:
        return Acceptance(**value)
    except TypeError as error:
        raise Damaged(
            f"The record {accepted_name(run)} in {storage.url} is not an acceptance ({error}); "
            f"{REMEDY}"
        ) from error


def accepted_runs(storage: Storage, recipe_name: str | None = None) -> Iterator[Acceptance]:
    """Yield the accepted runs of a recipe, or of all, the latest acceptance first."""
    found = []
    for name, _, _ in storage.list("runs"):
        if name.endswith("/accepted.json") and name.count("/") == 2:
            acceptance = find_acceptance(storage, name.split("/")[1])
            if acceptance and recipe_name in (None, acceptance.recipe_name):
                found.append(acceptance)
    yield from sorted(found, key=lambda item: (item.at, item.run), reverse=True)


def baseline_of(storage: Storage, recipe_name: str) -> dict[str, str]:
    """Return the dataset of each step that was accepted last and still exists."""
    baseline: dict[str, str] = {}
    for acceptance in accepted_runs(storage, recipe_name):
        for step, dataset in acceptance.datasets.items():
            if step not in baseline and storage.exists(manifest_name(step, dataset)):
                baseline[step] = dataset
    return baseline


def baselines(storage: Storage) -> list[Acceptance]:
    """Return the acceptances that are the baseline of a recipe's step now, the latest first."""
    needed = []
    seen: set[tuple[str, str]] = set()
    for acceptance in accepted_runs(storage):
        steps = {(acceptance.recipe_name, step) for step in acceptance.datasets}
        if steps - seen:
            needed.append(acceptance)
            seen |= steps
    return needed
