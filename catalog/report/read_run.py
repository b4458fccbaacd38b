"""The run's own record, as the report tells it: when, where, by what, in which steps."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from typing import Any

from catalog.opened import OpenedRun
from catalog.report.facts import RunFacts, StepFacts
from store.datasets import damaged_part
from store.hints import counted
from store.identity import digest_bytes

PRETRAIN = "pretrain"


def has(opened: OpenedRun, step: str) -> bool:
    """Tell whether a run has an output of a step with at least one partition."""
    return step in opened.steps() and bool(opened.dataset(step).parts)


def facts_of(opened: OpenedRun, step: str) -> dict[str, Any]:
    """Return the facts that the first partition of a step recorded; none if there is none."""
    return dict(opened.dataset(step).parts[0].facts) if has(opened, step) else {}


def summed_facts(opened: OpenedRun, step: str) -> dict[str, int]:
    """Return the facts of a step that are whole numbers, summed over its partitions."""
    totals: dict[str, int] = {}
    for part in opened.dataset(step).parts if has(opened, step) else ():
        for name, value in part.facts.items():
            if isinstance(value, int) and not isinstance(value, bool):
                totals[name] = totals.get(name, 0) + value
    return totals


def json_file(opened: OpenedRun, step: str, name: str) -> Any:
    """Return a JSON file that lies beside the rows of a step's first partition, or None.

    Raises:
        Damaged: if it is missing, or not what was written.
    """
    if not has(opened, step):
        return None
    part = opened.dataset(step).parts[0]
    if name not in part.files:
        return None
    stored = part.extra_name(name)
    try:
        data = opened.storage.read(stored)
        if digest_bytes(data) != part.files[name].digest:
            raise ValueError("it is not as it was written")
        return json.loads(data)
    except (FileNotFoundError, ValueError) as error:
        raise damaged_part(opened.storage, stored, error) from error


def read_run(opened: OpenedRun) -> RunFacts:
    """Return the run's record for the report."""
    run = opened.run
    steps = opened.steps()
    return RunFacts(
        name=run.name,
        recipe_name=run.recipe_name,
        description=str(run.recipe.get("description") or ""),
        state=run.state,
        error=run.error,
        started_at=run.started_at,
        finished_at=run.finished_at,
        seconds=_seconds(opened),
        machine=_machine(opened),
        previous=run.previous,
        last_step=steps[-1] if steps else None,
        recipe=run.recipe,
        versions=_versions(opened),
    )


def read_steps(opened: OpenedRun) -> tuple[StepFacts, ...]:
    """Return a row for every step that the run came to, in running order."""
    names = [item.name for item in fields(StepFacts)]
    return tuple(
        StepFacts(**{name: getattr(record, name) for name in names}) for record in opened.run.steps
    )


def _seconds(opened: OpenedRun) -> float:
    """Return the wall time of a run, of its steps alone while it has not ended."""
    run = opened.run
    try:
        started, ended = datetime.fromisoformat(run.started_at), run.finished_at
        return (datetime.fromisoformat(ended or "") - started).total_seconds()
    except (ValueError, TypeError):
        return sum(record.seconds for record in run.steps)


def _machine(opened: OpenedRun) -> str:
    """Return the processor, threads and device that trained, and the host's name."""
    facts = facts_of(opened, PRETRAIN)
    told = [str(facts[name]) for name in ("processor",) if facts.get(name)]
    if isinstance(facts.get("num_threads"), int):
        told.append(counted(facts["num_threads"], "thread"))
    if facts.get("device") not in (None, "cpu"):
        told.append(str(facts["device"]))
    return ", ".join([*told, f"host {opened.run.host}"] if opened.run.host else told)


def _versions(opened: OpenedRun) -> dict[str, str]:
    """Return the versions of libraries that the run and the receipts of its steps name."""
    found = {str(name): str(value) for name, value in opened.run.versions.items()}
    for step in opened.steps():
        for part in opened.dataset(step).parts[:1]:
            libraries = part.made_from.get("libraries") or {}
            found |= {str(name): str(version) for name, version in libraries.items()}
    torch = facts_of(opened, PRETRAIN).get("torch")
    return dict(sorted((found | ({"torch": str(torch)} if torch else {})).items()))
