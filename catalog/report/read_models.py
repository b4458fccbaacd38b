"""The models' part of the report: pre-training, what it wrote, the task and the comparison."""

from __future__ import annotations

import math
from typing import Any

from catalog.opened import CURATED, OpenedRun
from catalog.report.facts import (
    ClassCount,
    Comparison,
    Confusion,
    Group,
    Heldout,
    Pretraining,
    Sample,
    Score,
    Task,
    Variant,
)
from catalog.report.read_data import MAX_GROUPS, OTHERS, asking, group_sql, grouped_by
from catalog.report.read_run import PRETRAIN, facts_of, has, json_file
from data_contracts.labels import PARTITIONS, SCORES
from data_contracts.models import CURVE, DESCRIPTION

HELDOUT = "score_heldout"
SAMPLES = "sample_texts"
LABELS = "pack_labels"
FINETUNE = "finetune"
BASELINE = "score_baseline"
EVALUATE = "evaluate"
TRIALS, CURVES = "trials.json", "curves.json"
MAX_SAMPLES = 24
MAX_POINTS = 4000  # of a curve


def read_pretraining(opened: OpenedRun) -> Pretraining | None:
    """Return what is known of the trained model, or None if none was trained."""
    if not has(opened, PRETRAIN):
        return None
    facts = facts_of(opened, PRETRAIN)
    causal = facts.get("objective", "causal") == "causal"
    return Pretraining(
        facts=facts,
        description=_object(json_file(opened, PRETRAIN, DESCRIPTION)),
        curve=curve_of(opened, PRETRAIN),
        heldout=_heldout(opened) if causal else None,
        samples=_samples(opened),
        scored=facts_of(opened, HELDOUT),
        variants=_variants(opened),
    )


def _variants(opened: OpenedRun) -> tuple[Variant, ...]:
    """Return the further pre-trainings that the run came to."""
    steps = [(name, f"{PRETRAIN}_{name}") for name in variant_names(opened)]
    return tuple(
        Variant(name, facts_of(opened, step), curve_of(opened, step))
        for name, step in steps
        if has(opened, step)
    )


def variant_names(opened: OpenedRun) -> list[str]:
    """Return the names of the recipe's further pre-trainings, in its order."""
    pairs = opened.run.recipe.get("variants") or ()
    return [str(name) for name, _ in (pairs.items() if isinstance(pairs, dict) else pairs)]


def curve_of(opened: OpenedRun, step: str) -> dict[str, tuple[float | None, ...]]:
    """Return the curve that a training step wrote, by column; of a long one a part of the rows."""
    table = opened.table(step)
    every = max(1, math.ceil(len(table) / MAX_POINTS))
    last = len(table) - 1
    rows = [row for row in range(len(table)) if row % every == 0 or row == last]
    known = [name for name in CURVE.names if name in table.column_names]
    return {name: tuple(table[name].take(rows).to_pylist()) for name in known}


def _heldout(opened: OpenedRun) -> Heldout | None:
    """Return bits per byte of held-out text, by package or source; empty texts do not count."""
    if not (has(opened, HELDOUT) and has(opened, CURATED)):
        return None
    with asking(opened) as ask:
        by = grouped_by(ask, CURATED)
        rows = ask(
            f"""
            SELECT name, count(*) AS num_documents, sum(num_bytes)::BIGINT AS num_bytes,
                sum(nats) AS nats
            FROM {HELDOUT}
            JOIN (SELECT doc_id, {group_sql(by)} AS name FROM {CURATED}) USING (doc_id)
            WHERE num_bytes > 0 GROUP BY ALL ORDER BY num_bytes DESC, name
            """
        )
    if not rows:
        return None
    total = _group("", rows)
    shown = rows if len(rows) <= MAX_GROUPS else rows[: MAX_GROUPS - 1]
    groups = [_group(row["name"], [row]) for row in shown]
    if len(rows) > len(shown):
        groups.append(_group(OTHERS, rows[len(shown) :]))
    return Heldout(total.num_documents, total.num_bytes, total.bits_per_byte, by, tuple(groups))


def _group(name: str, rows: list[dict[str, Any]]) -> Group:
    num_bytes = sum(row["num_bytes"] for row in rows)
    bits = math.fsum(row["nats"] for row in rows) / math.log(2)
    num_documents = sum(row["num_documents"] for row in rows)
    return Group(name, num_documents, num_bytes, bits / num_bytes)


def _samples(opened: OpenedRun) -> tuple[Sample, ...]:
    if not has(opened, SAMPLES):
        return ()
    rows = opened.table(SAMPLES).slice(0, MAX_SAMPLES).to_pylist()
    return tuple(Sample(r["prompt"], r["text"], r["temperature"], r["seed"]) for r in rows)


def read_task(opened: OpenedRun) -> Task | None:
    """Return what the classifiers learn, or None if no documents were labelled."""
    if not has(opened, LABELS):
        return None
    counts = ", ".join(f"count(*) FILTER (partition = '{name}') AS {name}" for name in PARTITIONS)
    with asking(opened) as ask:
        rows = ask(
            f"""
            SELECT any_value(class_name) AS name, {counts} FROM {LABELS}
            GROUP BY label ORDER BY label
            """
        )
        (groups,) = ask(f'SELECT count(DISTINCT coalesce("group", doc_id)) AS n FROM {LABELS}')
    facts = facts_of(opened, LABELS)
    return Task(
        classes=tuple(ClassCount(r["name"], *(r[p] for p in PARTITIONS)) for r in rows),
        num_groups=groups["n"],
        left_out=_left_out(opened, facts),
        settings=dict(opened.run.recipe.get("labels") or {}),
        facts=facts,
    )


def _left_out(opened: OpenedRun, facts: dict[str, Any]) -> dict[str, int]:
    """Return why documents are not used: the receipt's reasons, else the fact ``left_out``."""
    reasons = opened.dataset(LABELS).reasons()
    told = facts.get("left_out")
    if reasons or not isinstance(told, dict):
        return reasons
    counts = [(str(why), n) for why, n in told.items() if isinstance(n, int) and n]
    return dict(sorted(counts, key=lambda item: (-item[1], item[0])))


def read_comparison(opened: OpenedRun) -> Comparison | None:
    """Return what was compared and how, or None if no classifier was trained or scored."""
    if not any(has(opened, step) for step in (EVALUATE, FINETUNE, BASELINE)):
        return None
    return Comparison(
        scores=_scores(opened),
        confusions=_confusions(opened),
        trials=_trials(opened),
        curves=_all_curves(opened),
        settings=dict(opened.run.recipe.get(FINETUNE) or {}),
        facts=facts_of(opened, FINETUNE),
        baseline=facts_of(opened, BASELINE),
        judging=facts_of(opened, EVALUATE),
    )


def _trials(opened: OpenedRun) -> tuple[dict[str, Any], ...]:
    """Return the trials of all arms, those of further pre-trainings under their own names."""
    found = list(_objects(json_file(opened, FINETUNE, TRIALS)))
    for name in variant_names(opened):
        trials = _objects(json_file(opened, f"{FINETUNE}_{name}", TRIALS))
        found += [{**trial, "arm": arm_of_variant(str(trial.get("arm")), name)} for trial in trials]
    return tuple(found)


def _all_curves(opened: OpenedRun) -> tuple[dict[str, Any], ...]:
    """Return the curves of all arms, those of further pre-trainings under their own names."""
    found = list(_curves(json_file(opened, FINETUNE, CURVES)))
    for name in variant_names(opened):
        points = _curves(json_file(opened, f"{FINETUNE}_{name}", CURVES))
        found += [{**point, "arm": arm_of_variant(str(point["arm"]), name)} for point in points]
    return tuple(found)


def arm_of_variant(arm: str, variant: str) -> str:
    """Return under which name evaluate judges an arm of a further pre-training."""
    return variant if arm == "pretrained" else f"{arm}_{variant}"


def _scores(opened: OpenedRun) -> tuple[Score, ...]:
    if not has(opened, EVALUATE):
        return ()
    return tuple(Score(**row) for row in opened.table(EVALUATE, SCORES.names).to_pylist())


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _curves(value: Any) -> tuple[dict[str, Any], ...]:
    """Return the points of all arms' curves, each with the name of its arm."""
    return tuple(
        {"arm": str(arm), **point}
        for arm, points in _object(value).items()
        for point in _objects(points)
    )


def _objects(value: Any) -> tuple[dict[str, Any], ...]:
    """Return the objects of a JSON list; anything else is nothing that can be shown."""
    items = value if isinstance(value, list) else []
    return tuple(item for item in items if isinstance(item, dict))


def _confusions(opened: OpenedRun) -> tuple[Confusion, ...]:
    """Return the counts that evaluate recorded for each arm, with the names of the classes."""
    told = facts_of(opened, EVALUATE).get("confusion")
    names = _class_names(opened)
    found = []
    for arm, counts in told.items() if isinstance(told, dict) else ():
        named = [*names, *(f"class {number}" for number in range(len(names), len(counts)))]
        rows = tuple(tuple(int(number) for number in row) for row in counts)
        found.append(Confusion(str(arm), tuple(named[: len(counts)]), rows))
    return tuple(found)


def _class_names(opened: OpenedRun) -> list[str]:
    if not has(opened, LABELS):
        return []
    sql = f"SELECT label, any_value(class_name) AS name FROM {LABELS} GROUP BY label ORDER BY label"
    with asking(opened) as ask:
        return [row["name"] for row in ask(sql)]
