"""evaluate: predictions of all arms on the test documents -> scores, intervals and verdicts.

The arms are a pre-trained model, its twin from scratch, a baseline, and those of other
pre-trainings under their own names. Each arm's score is the mean over its seeds. Two arms are
compared on the same documents, and "better" or "worse" is said only where the 95% interval of the
difference leaves zero out. Intervals are of other groups of documents, as labels divide them; a
document without a group stands alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import InputError, UsageError
from data_contracts.labels import LABELLED, PREDICTIONS, SCORES
from store.step import Inputs, Output, Step
from training.bootstrap import Resampled, resample_scores, verdict
from training.evaluate import METRICS, Integers, confusion

VERSION = 2

ARMS = ("pretrained", "scratch", "tfidf")
PAIRS = (("pretrained", "scratch"), ("pretrained", "tfidf"), ("scratch", "tfidf"))
FINETUNED = "finetuned"  # this input's arms keep their names; those of finetuned_NAME take NAME
HEADLINE = ("pretrained", "scratch", "macro_f1")

FEW_GROUPS = 10  # fewer are said to be few: their intervals are too narrow

_REMEDY = "run finetune and score_baseline again, on the same labels"
_GROUPED = ["doc_id", "partition", "group"]

Resamples = Mapping[str, Mapping[str, Resampled]]


@dataclass(frozen=True)
class EvaluateConfig:
    """How many bootstrap resamples the intervals are read from, and the seed that draws them.

    Raises:
        UsageError: if a value is out of range.
    """

    num_resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 100 <= self.num_resamples <= 1_000_000:
            raise UsageError(
                f"num_resamples is {self.num_resamples}; give a number from 100 to 1,000,000"
            )
        if self.seed < 0:
            raise UsageError(f"seed is {self.seed}; give 0 or more")


@dataclass(frozen=True)
class Judged:
    """What all arms said of the same test documents, in the order of their ids.

    ``labels_N``: int [N]; ``groups_N``: int [N], groups numbered from 0; ``arms``: predictions
    int [S, N] of each arm, by its name, `ARMS` first; ``num_classes`` is above every label and
    prediction.
    """

    labels_N: Integers
    groups_N: Integers
    arms: dict[str, Integers]
    num_classes: int

    @property
    def num_groups(self) -> int:
        """Groups of the test documents."""
        return int(self.groups_N.max()) + 1


def evaluate(inputs: Inputs, config: EvaluateConfig) -> Output:
    """Score each arm and compare them in pairs, on documents of the test partition.

    Raises:
        InputError: if there is nothing to judge, arms do not predict the same documents, one of
            these is not labelled, or all are of one group.
    """
    predictions = predictions_of(inputs)
    labelled = [part.table(_GROUPED) for part in inputs.parts["labelled"]]
    judged = judged_of(
        pa.concat_tables([PREDICTIONS.empty_table(), *predictions]),
        pa.concat_tables([LABELLED.empty_table().select(_GROUPED), *labelled]),
    )
    scores = resample_scores(
        judged.labels_N,
        judged.groups_N,
        judged.arms,
        judged.num_classes,
        config.num_resamples,
        config.seed,
    )
    pairs = [pair for pair in pairs_of(judged.arms) if judged.arms.keys() >= set(pair)]
    rows = [_row(judged, arm, None, metric, scores) for arm in scores for metric in METRICS]
    rows += [_row(judged, *pair, metric, scores) for pair in pairs for metric in METRICS]
    return Output(pa.Table.from_pylist(rows, SCORES), facts=_facts(judged, rows))


def predictions_of(inputs: Inputs) -> list[pa.Table]:
    """Return what all arms said, each under the name by which it is judged."""
    found = [part.table(PREDICTIONS.names) for part in inputs.parts["baseline"]]
    for name, parts in inputs.parts.items():
        if name.startswith(FINETUNED):
            variant = name.removeprefix(FINETUNED).removeprefix("_")
            found += [renamed(part.table(PREDICTIONS.names), variant) for part in parts]
    return found


def renamed(predictions: pa.Table, variant: str) -> pa.Table:
    """Return predictions with the arms of a further pre-training under their own names."""
    if not variant:
        return predictions
    names = {"pretrained": variant, "scratch": scratch_of(variant)}
    arms = [names[arm] for arm in predictions["arm"].to_pylist()]
    place = predictions.schema.get_field_index("arm")
    return predictions.set_column(place, PREDICTIONS.field("arm"), pa.array(arms, pa.string()))


def step_with(variants: Collection[str]) -> Step:
    """Return the step that also reads further pre-trainings, as inputs ``finetuned_NAME``."""
    further = dict.fromkeys((f"{FINETUNED}_{name}" for name in variants), STEP.inputs[FINETUNED])
    return replace(STEP, inputs={**STEP.inputs, **further})


def scratch_of(variant: str) -> str:
    """Return the name of the twin from scratch of a further pre-training, if it has its own."""
    return f"scratch_{variant}"


def pairs_of(arms: Collection[str]) -> list[tuple[str, str]]:
    """Return which arms are compared: each pre-training with its twin, the baseline, the first."""
    further = [arm for arm in arms if arm not in ARMS and not arm.startswith(scratch_of(""))]
    pairs = list(PAIRS)
    for arm in further:
        twin = scratch_of(arm) if scratch_of(arm) in arms else "scratch"
        pairs += [(arm, twin), (arm, "tfidf"), ("pretrained", arm)]
    return pairs


def judged_of(predictions: pa.Table, labelled: pa.Table) -> Judged:
    """Line up the predictions of all arms and seeds on the test documents, and find their groups.

    Raises:
        InputError: if there are none, two arms or seeds differ in documents or labels, a document
            is not among the labelled ones of test, or all are of one group.
    """
    test = predictions.filter(pc.equal(predictions["partition"], "test"))
    if not len(test):
        raise InputError(
            "there are no predictions of test documents to evaluate; label more documents, or give "
            "the test partition a larger share."
        )
    test = test.sort_by([("doc_id", "ascending")])
    ids: pa.ChunkedArray | None = None
    labels_N = np.empty(0, np.int64)
    arms: dict[str, Integers] = {}
    for arm in _in_order(test["arm"].unique().to_pylist()):
        of_arm = test.filter(pc.equal(test["arm"], arm))
        predicted = []
        for seed in sorted(of_arm["seed"].unique().to_pylist()):
            of_seed = of_arm.filter(pc.equal(of_arm["seed"], seed))
            if ids is None:
                ids, labels_N = _documents(of_seed, arm, seed), of_seed["label"].to_numpy()
            _check_same(of_seed, arm, seed, ids, labels_N)
            predicted.append(of_seed["predicted"].to_numpy())
        arms[arm] = np.stack(predicted)
    groups_N = _groups_of(ids, labelled.filter(pc.equal(labelled["partition"], "test")))
    return Judged(labels_N, groups_N, arms, _num_classes(labels_N, *arms.values()))


def _num_classes(*classes: Integers) -> int:
    least = min(numbers.min() for numbers in classes)
    if least < 0:
        raise InputError(f"a label or a predicted class is {least}, below 0; {_REMEDY}.")
    return int(max(numbers.max() for numbers in classes)) + 1


def _groups_of(ids: pa.ChunkedArray, labelled: pa.Table) -> Integers:
    """Number the groups of documents, [N], in the order in which they first stand among the ids."""
    rows = pc.index_in(ids, value_set=labelled["doc_id"].combine_chunks())
    missing = ids.filter(pc.is_null(rows))
    if len(missing):
        raise InputError(
            f"{len(missing):,} of {len(ids):,} predicted test documents are not labelled ones of "
            f"test, {missing[0]} for one; {_REMEDY}."
        )
    named = pc.binary_join_element_wise("group", labelled["group"].take(rows), ":")
    alone = pc.binary_join_element_wise("document", ids, ":")
    groups = pc.coalesce(named, alone).combine_chunks().dictionary_encode()
    if len(groups.dictionary) < 2:
        raise InputError(
            f"the {len(ids):,} test documents are all of one group, so how scores vary cannot be "
            "known; label documents of more groups, or give the test partition a larger share."
        )
    return groups.indices.to_numpy()


def _in_order(arms: list[str]) -> list[str]:
    return sorted(arms, key=lambda arm: (ARMS.index(arm) if arm in ARMS else len(ARMS), arm))


def _documents(of_seed: pa.Table, arm: str, seed: int) -> pa.ChunkedArray:
    """Return the ids, each once."""
    ids = of_seed["doc_id"]
    if pc.count_distinct(ids).as_py() != len(ids):
        raise InputError(f"{arm}, seed {seed}, predicts a test document twice; {_REMEDY}.")
    return ids


def _check_same(
    of_seed: pa.Table, arm: str, seed: int, ids: pa.ChunkedArray, labels_N: Integers
) -> None:
    what = None
    if not of_seed["doc_id"].equals(ids):
        what = f"other test documents ({len(of_seed):,}) than the first arm ({len(ids):,})"
    elif not np.array_equal(of_seed["label"].to_numpy(), labels_N):
        what = "test documents under other labels than the first arm"
    if what:
        raise InputError(f"{arm}, seed {seed}, predicts {what}; {_REMEDY}.")


def _row(
    judged: Judged, arm: str, against: str | None, metric: str, scores: Resamples
) -> dict[str, Any]:
    score = scores[arm][metric]
    if against is not None:
        score = score - scores[against][metric]
    low, high = score.interval()
    return {
        "arm": arm,
        "against": against,
        "metric": metric,
        "value": score.value,
        "low": low,
        "high": high,
        "num_documents": len(judged.labels_N),
        "num_seeds": len(judged.arms[arm]),
        "verdict": None if against is None else verdict(low, high),
    }


def _facts(judged: Judged, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a report shows besides the rows.

    ``confusion`` counts test documents by label (rows) and prediction (columns), summed over the
    seeds of an arm. ``verdict`` is of `HEADLINE`, None if one of its arms is missing. ``note`` is a
    sentence for a person, None if there is nothing to note.
    """
    found = {(row["arm"], row["against"], row["metric"]): row["verdict"] for row in rows}
    counts = {
        arm: confusion(
            np.tile(judged.labels_N, len(predicted_SN)), predicted_SN.ravel(), judged.num_classes
        ).tolist()
        for arm, predicted_SN in judged.arms.items()
    }
    return {
        "verdict": found.get(HEADLINE),
        "num_classes": judged.num_classes,
        "num_documents": len(judged.labels_N),
        "num_groups": judged.num_groups,
        "note": _note(judged.num_groups),
        "confusion": counts,
    }


def _note(num_groups: int) -> str | None:
    if num_groups >= FEW_GROUPS:
        return None
    return (
        f"The test documents are of {num_groups} groups only; intervals from fewer than "
        f"{FEW_GROUPS} groups are too narrow."
    )


STEP = Step(
    name="evaluate",
    version=VERSION,
    kind="whole",
    run=evaluate,
    config=EvaluateConfig,
    schema=SCORES,
    inputs={"finetuned": "all", "baseline": "all", "labelled": "all"},
    libraries=("numpy",),
    emits="model",  # scores are no documents, so there are none to account for
)
