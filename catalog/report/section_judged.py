"""The comparison as the page shows it: scores with intervals, differences, trials, confusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from catalog.report import words
from catalog.report.charts import Interval, interval_chart
from catalog.report.count_charts import heat_map
from catalog.report.facts import Comparison, ReportFacts, Score, Task
from catalog.report.section_tuned import plain_settings, tones, tuned_view
from catalog.report.verdict import METRIC_NAMES, arm_name, metric_name

ARMS = ("pretrained", "scratch", "tfidf")
LEFT_OUT = {
    "no_label": "have no label",
    "other_class": "of a class that is not asked for",
    "wrong_split": "drawn for dev or test, but pre-trained on, or the other way round",
    "small_class": "of a class with too few train documents",
    "over_the_limit": "more than the recipe takes",
    "same_text": "equal to a text of test or dev",
}
_OF_FILES = ("path", "text_field", "label_field", "group_field", "max_record_bytes")


def task_view(task: Task | None) -> dict[str, Any] | None:
    """Return what the template shows of the labelled documents."""
    if task is None:
        return None
    totals = [sum(getattr(row, part) for row in task.classes) for part in ("train", "dev", "test")]
    return {
        "classes": task.classes,
        "totals": totals,
        "num_documents": sum(totals),
        "num_groups": task.num_groups,
        "left_out": [(LEFT_OUT.get(why, why), words.count(n)) for why, n in task.left_out.items()],
        "settings": plain_settings(_told(task.settings)),
        "done": _done(task.facts),
    }


def _told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that say something: not the classes, which the table names."""
    left_out = {"classes"} if settings.get("kind") == "files" else {"classes", *_OF_FILES}
    return {name: value for name, value in settings.items() if name not in left_out}


def _done(facts: Mapping[str, Any]) -> str:
    """Return in a sentence what was done to the texts."""
    masked, cut, most = (
        facts.get(name) for name in ("masked_words", "cut_documents", "max_tokens")
    )
    told = []
    if words.is_number(masked):
        told.append(f"{words.plural(masked, 'word')} that would name the class masked")
    if words.is_number(cut) and words.is_number(most):
        told.append(f"{words.plural(cut, 'document')} cut to {words.plural(most, 'token')}")
    return f"All arms read the same texts: {', '.join(told)}." if told else ""


def comparison_view(facts: ReportFacts) -> dict[str, Any] | None:
    """Return what the template shows of the comparison."""
    found = facts.comparison
    if found is None:
        return None
    arms = [row for row in in_order(found.scores) if row.against is None]
    pairs = [row for row in in_order(found.scores) if row.against is not None]
    return {
        "scores": _score_chart(arms),
        "differences": _difference_chart(pairs),
        "arms": [_score_row(row) for row in arms],
        "pairs": [_score_row(row) for row in pairs],
        "num_documents": max((row.num_documents for row in arms), default=0),
        "seeds": {arm_name(row.arm): row.num_seeds for row in arms},
        "confusions": _confusions(found),
        "resampled": _resampled(found.judging),
        "note": str(found.judging.get("note") or ""),
        "tuned": tuned_view(found),
    }


def _resampled(judging: Mapping[str, Any]) -> str:
    """Return what the intervals were drawn from, "" if it is not known."""
    groups = judging.get("num_groups")
    return f", drawn from {words.plural(groups, 'group')}" if words.is_number(groups) else ""


def in_order(scores: Sequence[Score]) -> list[Score]:
    """Return scores by measure, then arm, in the order in which a reader expects them."""
    metrics, arms = list(METRIC_NAMES), list(ARMS)

    def place(row: Score) -> tuple[Any, ...]:
        metric = metrics.index(row.metric) if row.metric in metrics else len(metrics)
        first, second = (
            arms.index(arm) if arm in arms else len(arms) for arm in (row.arm, row.against)
        )
        return metric, row.metric, first, row.arm, second, row.against or ""

    return sorted(scores, key=place)


def _score_chart(rows: Sequence[Score]) -> str:
    tone = tones(row.arm for row in rows)
    intervals = [
        Interval(
            metric_name(row.metric),
            arm_name(row.arm),
            row.value,
            row.low,
            row.high,
            words.score(row.value),
            tone[row.arm],
        )
        for row in rows
    ]
    told = ", ".join(f"{item.name} {item.shown} ({item.group})" for item in intervals)
    return interval_chart(f"Scores on test documents with 95 % intervals: {told}", intervals)


def _difference_chart(rows: Sequence[Score]) -> str:
    intervals = [
        Interval(
            metric_name(row.metric),
            f"{arm_name(row.arm)} − {arm_name(row.against or '')}",
            row.value,
            row.low,
            row.high,
            words.signed(row.value),
            {"better": "good", "worse": "bad"}.get(row.verdict or "", "even"),
        )
        for row in rows
    ]
    told = ", ".join(f"{item.name} {item.shown} ({item.group})" for item in intervals)
    title = f"Differences on the same documents with 95 % intervals: {told}"
    return interval_chart(title, intervals, zero=("worse", "better"))


def _score_row(row: Score) -> dict[str, str]:
    form = words.score if row.against is None else words.signed
    return {
        "arm": arm_name(row.arm),
        "against": arm_name(row.against or ""),
        "metric": metric_name(row.metric),
        "value": form(row.value),
        "low": form(row.low),
        "high": form(row.high),
        "verdict": row.verdict or "",
    }


def _confusions(found: Comparison) -> list[dict[str, Any]]:
    order = {arm: number for number, arm in enumerate(ARMS)}
    sorted_ = sorted(found.confusions, key=lambda item: (order.get(item.arm, 9), item.arm))
    title = "Test documents by their class and the class that was predicted"
    return [
        {
            "arm": arm_name(item.arm),
            "chart": heat_map(f"{title}: {arm_name(item.arm)}", item.classes, item.counts),
        }
        for item in sorted_
    ]
