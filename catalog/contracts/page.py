"""The page of validation results: what every run's contracts came to, as one static HTML text.

It lies in the home at ``checks/index.html`` and links to the reports of runs; like those it opens
offline, runs no script and loads nothing. Samples are text of the corpus: all that was not written
here is escaped, and characters that are not seen are spelt out. Equal records give an equal page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from catalog.contracts.history import FoundResult, RecipeHistory, read_records
from catalog.contracts.result_view import broken_first, result_view, shown
from catalog.contracts.run_view import recipe_view
from catalog.contracts.standing import headline, standing
from catalog.report.page import environment, style
from data_contracts.results import CheckResult
from store.storage import Storage

MAX_RESULTS = 200  # that have a section of their own
_TEMPLATE, _STYLE = "checks.html.j2", "checks.css"
_MAX_TABLE_CHARS = 2000  # of a cell


def write_checks_page(storage: Storage) -> str:
    """Return the page of all runs' validation results as HTML; equal records give an equal page.

    Raises:
        StoreError: if the home cannot be read; a damaged record is told in its place instead.
    """
    records = read_records(storage)
    histories = records.recipes
    standings = [standing(history) for history in histories]
    ordered = sorted(zip(standings, histories, strict=True), key=lambda pair: pair[0].rank)
    groups, num_left_out = _grouped([history for _, history in ordered])
    shown_names = {found.name for results in groups.values() for found, _ in results}
    return _template().render(
        style=Markup(style() + _text(_STYLE)),  # noqa: S704 (files of ours)
        headline=headline(standings),
        recipes=[recipe_view(history, now, shown_names) for now, history in ordered],
        groups={
            name: [result_view(*pair, is_latest=name != "older") for pair in results]
            for name, results in groups.items()
        },
        num_left_out=num_left_out,
        num_unreadable=records.num_unreadable,
    )


def checks_table(result: CheckResult) -> list[dict[str, str | int]]:
    """Return a result as rows of a table, a rule each: broken, then passed, then skipped.

    Columns: rule, severity, result, broken (how many), observed (or why it was not checked),
    samples, what must hold, and last, being long, the expectation. Unseen characters are spelt out.
    """
    order = {"broken": 0, "passed": 1, "skipped": 2}
    return [
        {
            "rule": shown(rule.rule),
            "severity": rule.severity,
            "result": rule.state,
            "broken": rule.num_broken,
            "observed": shown(rule.observed or rule.why or ""),
            "samples": shown("\n".join(rule.samples), _MAX_TABLE_CHARS),
            "what must hold": shown(rule.description, _MAX_TABLE_CHARS),
            "expectation": shown(rule.expectation, _MAX_TABLE_CHARS),
        }
        for rule in sorted(broken_first(result), key=lambda rule: order[rule.state])
    ]


Chosen = list[tuple[FoundResult, RecipeHistory]]


def _grouped(histories: Sequence[RecipeHistory]) -> tuple[dict[str, Chosen], int]:
    """Choose the results that have a section, by the headings that they stand under.

    The latest of each dataset always have one; of the older that stopped or warned the newest do,
    until there are `MAX_RESULTS`. Also returns how many were left out.
    """
    latest = _distinct(
        (_latest(history, s), history) for history in histories for s in history.steps
    )
    broken_before = _distinct((found, history) for _, _, found, history in _broken(histories))
    older = [pair for name, pair in broken_before.items() if name not in latest]
    room = max(0, MAX_RESULTS - len(latest))
    broken = [pair for pair in latest.values() if pair[0].state != "passed"]
    groups = {
        "broken": sorted(broken, key=lambda pair: _SEVERITY.index(pair[0].state)),
        "older": older[:room],
        "passed": [pair for pair in latest.values() if pair[0].state == "passed"],
    }
    return groups, max(0, len(older) - room)


_SEVERITY = ("stopped", "damaged", "missing", "warned")


def _distinct(pairs: Iterable[tuple[FoundResult, RecipeHistory]]) -> dict[str, Any]:
    """Return the first pair of each result by its name; recipes may share results."""
    found: dict[str, tuple[FoundResult, RecipeHistory]] = {}
    for pair in pairs:
        found.setdefault(pair[0].name, pair)
    return found


def _latest(history: RecipeHistory, step: str) -> FoundResult:
    return next(run.results[step] for run in history.runs if step in run.results)


def _broken(
    histories: Sequence[RecipeHistory],
) -> list[tuple[str, str, FoundResult, RecipeHistory]]:
    """Return the results that stopped or warned after when their runs began, the newest first."""
    found = [
        (run.run.started_at, result.name, result, history)
        for history in histories
        for run in history.runs
        for result in run.results.values()
        if result.state in ("stopped", "warned")
    ]
    return sorted(found, key=lambda item: item[:2], reverse=True)


@cache
def _template() -> Any:
    return environment().from_string(_text(_TEMPLATE))


def _text(name: str) -> str:
    return files("catalog.contracts").joinpath(name).read_text(encoding="utf-8")
