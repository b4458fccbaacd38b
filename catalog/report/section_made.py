"""How the run was made, as the page shows it: steps, recipe, versions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from catalog.report import words
from catalog.report.charts import Bar, bar_chart
from catalog.report.facts import ReportFacts, StepFacts

_BARE = re.compile(r"[A-Za-z0-9_-]+")

MIN_SHARE = 0.01  # of the run's seconds, below which a step has no bar of its own


def made_view(facts: ReportFacts) -> dict[str, Any]:
    """Return what the template shows of how the run was made."""
    return {
        "steps": [_step(step) for step in facts.steps],
        "times": _time_chart(facts),
        "recipe": recipe_text(facts.run.recipe),
        "versions": facts.run.versions,
    }


def _step(step: StepFacts) -> dict[str, str]:
    return {
        "name": step.step,
        "state": step.state,
        "why": step.why,
        "rows_in": words.count(step.rows_in),
        "kept": words.count(step.rows_kept),
        "dropped": words.count(step.rows_dropped + step.rows_quarantined),
        "computed": f"{step.partitions_computed:,} of {step.partitions:,}",
        "seconds": words.duration(step.seconds),
        "size": words.size(step.size_bytes),
        "dataset": step.dataset or "",
    }


def _time_chart(facts: ReportFacts) -> str:
    """Draw the seconds of each step in running order, short ones together."""
    total = sum(step.seconds for step in facts.steps)
    if total <= 0:
        return ""
    shown = [step for step in facts.steps if step.seconds >= MIN_SHARE * total]
    bars = [_time_bar(step.step, step.seconds, total) for step in shown]
    rest = [step for step in facts.steps if step not in shown]
    if rest:
        seconds = sum(step.seconds for step in rest)
        bars.append(_time_bar(words.plural(len(rest), "other step"), seconds, total))
    return bar_chart("Time of each step", bars)


def _time_bar(name: str, seconds: float, total: float) -> Bar:
    return Bar(name, seconds, words.duration(seconds), words.share(seconds / total))


def recipe_text(recipe: Mapping[str, Any]) -> str:
    """Return a resolved recipe as TOML reads, for a person: values first, then its tables."""
    lines = [_line(name, value) for name, value in recipe.items() if not isinstance(value, dict)]
    for name, value in recipe.items():
        if isinstance(value, dict):
            lines += ["", *_table(_key(name), value)]
    return "\n".join(lines).strip()


def _table(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    yield f"[{name}]"
    inner = [(key, value) for key, value in table.items() if isinstance(value, dict)]
    for key, value in table.items():
        if not isinstance(value, dict):
            yield _line(key, value)
    for key, value in inner:
        yield from ["", *_table(f"{name}.{_key(key)}", value)]


def _line(name: str, value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(item, list) for item in value):
        rows = "".join(f"    {_json(item)},\n" for item in value)
        return f"{_key(name)} = [\n{rows}]"
    return f"{_key(name)} = {_json(value)}" if value is not None else f"# {name} is not set"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _json(name)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
