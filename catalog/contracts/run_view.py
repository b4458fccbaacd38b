"""A recipe's runs as the page of validation results shows them: a row each, a column per dataset.

Each cell says in a word what became of the dataset's contract in that run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from catalog.contracts.history import RecipeHistory, RunChecks, dataset_name
from catalog.contracts.standing import Standing
from catalog.report.words import clipped, moment, plural
from store.accepted import BY_CHECKS, Acceptance

_MAX_COMMENT_CHARS = 300


def recipe_view(
    history: RecipeHistory, now: Standing, shown_names: Collection[str]
) -> dict[str, Any]:
    """Return what the template shows of a recipe; ``shown_names`` are results with a section."""
    steps = history.steps
    return {
        "name": now.recipe_name,
        "state": now.state,
        "sentence": now.sentence,
        "todo": now.todo,
        "latest": _run(history.latest),
        "broken": [
            {"dataset": dataset_name(step), "anchor": found.anchor}
            for step, found in history.latest.results.items()
            if found.state != "passed" and found.name in shown_names
        ],
        "columns": [{"dataset": dataset_name(step), "step": step} for step in steps],
        "rows": [
            _run(run) | {"cells": [_cell(history, run, step, shown_names) for step in steps]}
            for run in history.runs
        ],
        "num_older": history.num_older,
        "baselines": list(_baselines(history)),
    }


def _run(run: RunChecks) -> dict[str, Any]:
    accepted = run.acceptance
    return {
        "name": run.run.name,
        "has_report": run.has_report,
        "began": moment(run.run.started_at),
        "state": run.run.state,
        "accepted": _accepted(accepted) if accepted else "",
        "comment": clipped(accepted.comment, _MAX_COMMENT_CHARS) if accepted else "",
    }


def _accepted(acceptance: Acceptance) -> str:
    by = "its checks" if acceptance.by == BY_CHECKS else clipped(acceptance.by, 80)
    return f"accepted by {by}"


def _cell(
    history: RecipeHistory, run: RunChecks, step: str, shown_names: Collection[str]
) -> dict[str, Any]:
    found = run.results.get(step)
    baseline = history.baselines.get(step)
    return {
        "state": _absent(run, step) if found is None else found.state,
        "anchor": found.anchor if found is not None and found.name in shown_names else "",
        "note": _note(run, step),
        "is_baseline": baseline is not None and baseline.run == run.run.name,
    }


def _absent(run: RunChecks, step: str) -> str:
    """Say why a run has no result of a step."""
    record = run.run.step(step)
    if record is not None and record.dataset is not None:
        return "unchecked"
    return "awaited" if run.run.state in ("running", "waiting") else "unreached"


def _note(run: RunChecks, step: str) -> str:
    found = run.results.get(step)
    broken = found.result.broken() if found and found.result else []
    return plural(len(broken), "rule") if broken else ""


def _baselines(history: RecipeHistory) -> Iterable[dict[str, Any]]:
    """Yield the runs that later ones are compared with, each with the datasets that it is for."""
    by_run: dict[str, list[str]] = {}
    for step in history.steps:
        if step in history.baselines:
            by_run.setdefault(history.baselines[step].run, []).append(dataset_name(step))
    accepted = {item.run: item for item in history.baselines.values()}
    for run, datasets in by_run.items():
        acceptance = accepted[run]
        yield {
            "run": run,
            "datasets": "all datasets" if len(datasets) == len(history.steps) else datasets,
            "accepted": _accepted(acceptance),
            "at": moment(acceptance.at),
            "comment": clipped(acceptance.comment, _MAX_COMMENT_CHARS),
        }
