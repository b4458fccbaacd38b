"""How classifiers were trained, as the page shows it: trials of the search, curves, settings.

What the steps record of it is shown as far as it is known here: a list of plain objects becomes a
table whatever its names, and a chart where it has the names below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from catalog.report import words
from catalog.report.charts import Series, line_chart
from catalog.report.facts import Comparison
from catalog.report.verdict import arm_name

TONES = {"pretrained": "a", "scratch": "b", "tfidf": "c"}
FURTHER_TONES = "defg"
MAX_TRIALS = 60
RATE, REACHED = "learning_rate", "macro_f1"  # of a trial; the score is on dev


def tones(arms: Iterable[str]) -> dict[str, str]:
    """Return the colour class of each arm; those of further pre-trainings follow by name."""
    others = sorted(set(arms) - set(TONES))
    return {**TONES, **{arm: FURTHER_TONES[n % len(FURTHER_TONES)] for n, arm in enumerate(others)}}


def baseline_view(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the baseline's step recorded: its trials, and what gives each class away."""
    features, chosen = facts.get("top_features"), facts.get("chosen")
    trials = facts.get("trials")
    if not isinstance(chosen, dict):
        return None
    return {
        "num_trials": len(trials) if isinstance(trials, list) else 0,
        "chosen": [(name.replace("_", " "), value) for name, value in plain_settings(chosen)],
        "features": {str(name): _spaced(found) for name, found in _items(features)},
    }


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    return value.items() if isinstance(value, dict) else ()


def _spaced(features: Any) -> list[str]:
    """Return features with their spaces to be seen: `` th`` is another than ``th``."""
    found = features if isinstance(features, list) else []
    return [str(feature).replace(" ", "·") for feature in found]


def tuned_view(found: Comparison) -> dict[str, Any] | None:
    """Return what the template shows of how classifiers were trained, None if nothing is known."""
    view = {
        "trials": trials_table(found.trials),
        "trials_chart": trials_chart(found.trials),
        "curves": curves_chart(found.curves),
        "chosen": [_chosen(trial) for trial in found.trials if trial.get("chosen") is True],
        "edges": _edges(found.facts),
        "settings": plain_settings({**found.settings, **_scalars(found.facts)}),
        "baseline": baseline_view(found.baseline),
    }
    return view if any(view.values()) else None


def _chosen(trial: Mapping[str, Any]) -> str:
    told = [
        f"{name.replace('_', ' ')} {_in_words(trial[name])}"
        for name in ("learning_rate", "epochs")
        if name in trial
    ]
    return f"{arm_name(str(trial.get('arm', '')))} with {', '.join(told)}"


def _edges(facts: Mapping[str, Any]) -> list[str]:
    """Return in what the chosen schedule of an arm lies at the edge of the grid."""
    found = facts.get("at_edge_of_grid")
    return [
        f"{arm_name(str(arm))} ({_in_words(edges).replace('_', ' ')})"
        for arm, edges in _items(found)
        if edges
    ]


def trials_table(trials: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the trials of the search as a table of all their plain values."""
    names = list(dict.fromkeys(name for trial in trials for name in trial))
    plain = [name for name in names if all(_is_plain(trial.get(name)) for trial in trials)]
    told = [name for name in plain if any(trial.get(name) is not None for trial in trials)]
    rows = [
        {
            "cells": [_cell(trial.get(name)) for name in told],
            "chosen": trial.get("chosen") is True,
        }
        for trial in trials[:MAX_TRIALS]
    ]
    left_out = max(0, len(trials) - MAX_TRIALS)
    return {"names": told, "rows": rows, "left_out": left_out} if rows else None


def trials_chart(trials: Sequence[Mapping[str, Any]]) -> str:
    """Draw the dev macro-F1 that each learning rate reached, a line per arm and number of epochs.

    Chosen trials have a ring; the most epochs have a whole line.
    """
    series = []
    by_arm = _by_arm(trials)
    tone = tones(by_arm)
    for arm, mine in by_arm.items():
        counts = sorted({trial["epochs"] for trial in mine if _has_numbers(trial, "epochs")})
        for epochs in counts:
            kept = [t for t in mine if t.get("epochs") == epochs and _has_numbers(t, RATE, REACHED)]
            points = sorted((t[RATE], t[REACHED]) for t in kept)
            ringed = [(t[RATE], t[REACHED]) for t in kept if t.get("chosen") is True]
            name = f"{arm_name(arm)}, {words.plural(epochs, 'epoch')}"
            dashed = epochs != counts[-1]
            series.append(Series(name, points, tone[arm], True, True, dashed, ringed))
    series = [line for line in series if line.points]
    title = "Trials of the search: macro-F1 on dev by learning rate"
    return line_chart(title, series, "learning rate", log_x=True, height=240)


def curves_chart(curves: Sequence[Mapping[str, Any]]) -> str:
    """Draw the dev macro-F1 of each arm by step."""
    by_arm = _by_arm(curves)
    tone = tones(by_arm)
    series = [
        Series(arm_name(arm), [(p["step"], p[REACHED]) for p in kept], tone[arm], marked=True)
        for arm, mine in by_arm.items()
        if (kept := [point for point in mine if _has_numbers(point, "step", REACHED)])
    ]
    title = "Macro-F1 on dev by step of fine-tuning"
    return line_chart(title, series, "step of fine-tuning", height=240)


def _by_arm(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(str(row.get("arm", "")), []).append(row)
    return dict(sorted(found.items(), key=lambda item: (TONES.get(item[0], "z"), item[0])))


def _has_numbers(row: Mapping[str, Any], *names: str) -> bool:
    return all(words.is_number(row.get(name)) for name in names)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _cell(value: Any) -> str:
    return words.NOT_KNOWN if value is None else _in_words(value)


def _scalars(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if _is_plain(value)}


def plain_settings(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return settings as names and values in words, in their order; what is empty is left out."""
    empty: tuple[Any, ...] = (None, "", [], (), {})
    return [(name, _in_words(value)) for name, value in settings.items() if value not in empty]


def _in_words(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_in_words(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} = {_in_words(item)}" for name, item in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
