"""One result as the page of validation results shows it: its contract, its rules, broken first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from catalog.contracts.history import FoundResult, RecipeHistory, RunChecks, dataset_name
from catalog.report.words import clipped, count, duration, moment, plural, visible
from data_contracts.results import CheckResult, RuleResult

MAX_CHARS = 400  # of a sample, or of what was observed
MAX_TEXT_CHARS = 1000  # of what a contract's author wrote
_RESULTS = ("broken", "skipped", "passed")
_NAMED_RUNS = 3


def result_view(
    found: FoundResult, history: RecipeHistory, is_latest: bool = True
) -> dict[str, Any]:
    """Return what the template shows of a result; ``history`` is of the recipe that it is told of.

    One that is missing or damaged has no more than its state and the runs that had it. Of one that
    is not the latest of its dataset, the rules that passed are told by their names alone.
    """
    steps = [(run, step) for run in history.runs for step, r in run.results.items() if r is found]
    runs, step = [run for run, _ in steps], steps[0][1]
    result = found.result
    view: dict[str, Any] = {
        "anchor": found.anchor,
        "state": found.state,
        "step": step,
        "dataset": dataset_name(step),
        "recipe": clipped(history.recipe_name, 80),
        "runs": [_run(run) for run in runs[:_NAMED_RUNS]],
        "num_other_runs": max(0, len(runs) - _NAMED_RUNS),
        "stored": found.name,
        "known": result is not None,
        "is_latest": is_latest,
    }
    return view if result is None else view | _known(result, history, runs[0])


def broken_first(result: CheckResult) -> list[RuleResult]:
    """Return the rules of a result: broken ones first, those that stop before all, then skipped."""
    order = {"stop": 0, "warn": 1}
    return sorted(
        result.rules,
        key=lambda rule: (
            _RESULTS.index(rule.state),
            order[rule.severity] if rule.state == "broken" else 0,
        ),
    )


def shown(text: str, max_chars: int = MAX_CHARS) -> str:
    """Return a text that is not ours, cut if it is long, with unseen characters spelt out."""
    return visible(clipped(text, max_chars))


def _known(result: CheckResult, history: RecipeHistory, run: RunChecks) -> dict[str, Any]:
    rules = {state: [r for r in broken_first(result) if r.state == state] for state in _RESULTS}
    return {
        "version": clipped(result.version, 40),
        "owner": clipped(result.owner, 120),
        "facts": list(_facts(result, history, run)),
        "broken": [_rule(rule) for rule in rules["broken"]],
        "skipped": _by_reason(rules["skipped"]),
        "num_skipped": len(rules["skipped"]),
        "passed": [_rule(rule) for rule in rules["passed"]],
        "num_rules": len(result.rules),
        "stale": _stale(result, run),
    }


def _facts(
    result: CheckResult, history: RecipeHistory, run: RunChecks
) -> Iterable[tuple[str, str]]:
    """Yield what is told of the check as a whole: names and values."""
    yield "contract", f"{clipped(result.name, 80)} {clipped(result.version, 40)}"
    yield "owner", clipped(result.owner, 120) or "not named"
    parts = plural(result.num_parts, "partition")
    yield "rows", f"{count(result.num_rows)} in {parts}"
    read = f"in {duration(result.seconds)}, {count(result.num_parts_checked)} of {parts} read anew"
    yield "checked", f"{moment(result.checked_at)}, {read}"
    yield "compared with", _baseline(result, history, run)
    yield "dataset", result.dataset[:12]


def _baseline(result: CheckResult, history: RecipeHistory, run: RunChecks) -> str:
    """Name the last accepted one before a run whose dataset was the baseline."""
    if result.baseline is None:
        return "nothing: no run had been accepted before"
    named = [
        old.run.name
        for old in history.runs[history.runs.index(run) + 1 :]
        if old.acceptance and old.acceptance.datasets.get(result.step) == result.baseline
    ]
    known = f"run {named[0]}, " if named else "an accepted run, "
    return f"{known}dataset {result.baseline[:12]}"


def _stale(result: CheckResult, run: RunChecks) -> str:
    """Say that the newest data were older than the contract promises when the run began."""
    try:
        late = result.stale_seconds(datetime.fromisoformat(run.run.started_at))
    except (TypeError, ValueError):  # a time that is none, or one without its zone
        return ""
    if late is None:
        return ""
    return (
        f"The newest data are of {moment(result.newest_at)}; the contract promises that they are "
        f"at most {_age(result.fresh_seconds)} old, and when run {run.run.name} began they were "
        f"{_age(late)} older than that."
    )


def _age(seconds: float | None) -> str:
    """Return an age in days where it has some: ``2.5 days``, ``3 h 0 min``."""
    if seconds is None or seconds < 2 * 86400:
        return duration(seconds)
    return f"{seconds / 86400:.1f} days".replace(".0 ", " ")


def _rule(rule: RuleResult) -> dict[str, Any]:
    is_fact = rule.num_checked < max(2, rule.num_broken) and rule.observed is not None
    return {
        "name": clipped(rule.rule, 120),
        "stops": rule.severity == "stop",
        "description": clipped(rule.description, MAX_TEXT_CHARS),
        "expectation": clipped(rule.expectation, MAX_TEXT_CHARS),
        "observed": clipped(rule.observed or "", MAX_CHARS),
        "checked": "as a whole" if is_fact else count(rule.num_checked),
        "broken": count(rule.num_broken),
        "samples": [clipped(sample, MAX_CHARS) for sample in rule.samples],
        "why": clipped(rule.why or "", MAX_TEXT_CHARS),
        "remedy": clipped(rule.remedy or "", MAX_TEXT_CHARS),
    }


def _by_reason(rules: Iterable[RuleResult]) -> list[dict[str, Any]]:
    """Put skipped rules together by why they were."""
    found: dict[str, list[dict[str, Any]]] = {}
    for rule in rules:
        found.setdefault(clipped(rule.why or "", MAX_TEXT_CHARS), []).append(_rule(rule))
    return [{"why": why, "rules": rules_} for why, rules_ in found.items()]


def _run(run: RunChecks) -> dict[str, Any]:
    return {"name": run.run.name, "has_report": run.has_report}
