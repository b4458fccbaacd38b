"""The step that judges: rows, verdicts, facts, and what it refuses to compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from catalog.conservation import prove_step
from data_contracts.errors import InputError, UsageError
from data_contracts.labels import LABELLED, PREDICTIONS, SCORES
from store.graph import Graph, Node
from store.plan import plan_node
from store.runner import Runner
from store.step import Inputs, Output, Part, SourcePart, Step
from store.storage import Storage
from training.bootstrap import Resampled, resample_scores
from training.evaluate import Integers
from training.steps.evaluate import FEW_GROUPS, STEP, EvaluateConfig, evaluate, step_with

NUM_DOCUMENTS, NUM_CLASSES = 200, 4
SHARES = {"pretrained": 0.9, "scratch": 0.6, "tfidf": 0.88}
CONFIG = EvaluateConfig(num_resamples=300)


@dataclass
class TablePart:
    rows: pa.Table
    key: str = "all"

    @property
    def num_rows(self) -> int:
        return len(self.rows)

    def table(self, columns: list[str] | None = None) -> pa.Table:
        return self.rows if columns is None else self.rows.select(columns)

    def file(self, name: str, folder: Path) -> Path:
        raise AssertionError(name)


def predictions(arms: dict[str, int]) -> pa.Table:
    """Return predictions of arms with so many seeds, of dev and test documents."""
    draw = np.random.default_rng(0)
    labels = draw.integers(0, NUM_CLASSES, 2 * NUM_DOCUMENTS)
    rows = []
    for arm in SHARES:
        for seed in range(arms.get(arm, 0)):
            known = draw.random(len(labels)) < SHARES[arm]
            guesses = np.where(known, labels, draw.integers(0, NUM_CLASSES, len(labels)))
            for number, (label, guess) in enumerate(zip(labels, guesses, strict=True)):
                name = f"d{(number * 37) % 1000:03d}"
                part = "dev" if number < NUM_DOCUMENTS else "test"
                rows.append((arm, seed, part, name, int(label), int(guess), 0.5))
    columns = list(zip(*rows, strict=True))
    return pa.table(
        [pa.array(c, t) for c, t in zip(columns, PREDICTIONS.types, strict=True)],
        schema=PREDICTIONS,
    )


FINETUNED = predictions({"pretrained": 3, "scratch": 3, "tfidf": 1})
IS_BASELINE = pc.equal(FINETUNED["arm"], "tfidf")


def labelled(group_of: Callable[[str], str | None] = lambda doc_id: None) -> pa.Table:
    """Return the labelled documents that predictions are of, and one of train."""
    rows = [(r["doc_id"], r["partition"], r["label"]) for r in FINETUNED.to_pylist()]
    rows.append(("t000", "train", 0))
    columns = ("doc_id", "partition", "label")
    given = {"class_name": "", "text": "", "ids": []}
    made = [dict(zip(columns, row, strict=True)) | given for row in sorted(set(rows))]
    return pa.Table.from_pylist(
        [{**row, "group": group_of(row["doc_id"])} for row in made], LABELLED
    )


LABELS = labelled()


def on_test(arm: str, seed: int) -> tuple[list[int], list[int]]:
    """Return labels and predictions of test documents."""
    wanted = (arm, seed, "test")
    rows = [r for r in FINETUNED.to_pylist() if (r["arm"], r["seed"], r["partition"]) == wanted]
    return [row["label"] for row in rows], [row["predicted"] for row in rows]


def inputs_of(
    finetuned: list[pa.Table], baseline: list[pa.Table], labels: Sequence[pa.Table] = (LABELS,)
) -> Inputs:
    parts: dict[str, list[Part]] = {
        "finetuned": [TablePart(table) for table in finetuned],
        "baseline": [TablePart(table) for table in baseline],
        "labelled": [TablePart(table) for table in labels],
    }
    return Inputs("all", parts)


def judge(table: pa.Table, labels: pa.Table = LABELS) -> Output:
    mask = pc.equal(table["arm"], "tfidf")
    halves = [table.filter(pc.invert(mask))], [table.filter(mask)]
    return evaluate(inputs_of(*halves, [labels]), CONFIG)


@pytest.fixture(scope="module")
def output() -> Output:
    return judge(FINETUNED)


def test_each_arm_has_the_mean_of_its_seeds_on_test_documents(output: Output) -> None:
    assert isinstance(output.rows, pa.Table)
    assert output.rows.schema == SCORES
    rows = [row for row in output.rows.to_pylist() if row["against"] is None]
    assert [(row["arm"], row["metric"]) for row in rows] == [
        (arm, metric) for arm in SHARES for metric in ("accuracy", "macro_f1")
    ]
    for row in rows:
        num_seeds = 1 if row["arm"] == "tfidf" else 3
        pairs = [on_test(row["arm"], seed) for seed in range(num_seeds)]
        if row["metric"] == "accuracy":
            scores = [accuracy_score(*pair) for pair in pairs]
        else:
            scores = [f1_score(*pair, average="macro") for pair in pairs]
        assert row["value"] == pytest.approx(np.mean(scores))
        assert row["low"] < row["value"] < row["high"]
        assert row["num_seeds"] == num_seeds
        assert (row["num_documents"], row["verdict"]) == (NUM_DOCUMENTS, None)


def test_arms_are_compared_in_pairs(output: Output) -> None:
    assert isinstance(output.rows, pa.Table)
    rows = output.rows.to_pylist()
    alone = {(r["arm"], r["metric"]): r["value"] for r in rows if r["against"] is None}
    pairs = [row for row in rows if row["against"] is not None]
    assert [(row["arm"], row["against"], row["metric"], row["verdict"]) for row in pairs] == [
        ("pretrained", "scratch", "accuracy", "better"),
        ("pretrained", "scratch", "macro_f1", "better"),
        ("pretrained", "tfidf", "accuracy", "equal"),
        ("pretrained", "tfidf", "macro_f1", "equal"),
        ("scratch", "tfidf", "accuracy", "worse"),
        ("scratch", "tfidf", "macro_f1", "worse"),
    ]
    for row in pairs:
        difference = alone[row["arm"], row["metric"]] - alone[row["against"], row["metric"]]
        assert row["value"] == pytest.approx(difference)


def test_facts_count_what_was_taken_for_what(output: Output) -> None:
    assert output.facts["verdict"] == "better"
    assert (output.facts["num_classes"], output.facts["num_documents"]) == (4, NUM_DOCUMENTS)
    for arm in SHARES:
        seeds = [on_test(arm, seed) for seed in range(1 if arm == "tfidf" else 3)]
        expected = sum(confusion_matrix(*pair) for pair in seeds)
        assert expected.sum() == NUM_DOCUMENTS * len(seeds)
        assert output.facts["confusion"][arm] == expected.tolist()


def test_rows_do_not_depend_on_the_order_of_what_comes_in(output: Output) -> None:
    order = np.random.default_rng(1).permutation(len(FINETUNED))
    labels_order = np.random.default_rng(2).permutation(len(LABELS))
    again = judge(FINETUNED.take(order), LABELS.take(labels_order))
    assert again.rows.equals(output.rows)
    assert again.facts == output.facts
    mask = pc.equal(FINETUNED["seed"], 0)
    halves = [FINETUNED.filter(mask), FINETUNED.filter(pc.invert(mask))]
    labels = [LABELS.slice(0, 90), LABELS.slice(90)]
    assert evaluate(inputs_of(halves, [], labels), CONFIG).rows.equals(output.rows)


def test_an_arm_that_is_not_there_is_not_compared() -> None:
    output = judge(FINETUNED.filter(pc.not_equal(FINETUNED["arm"], "scratch")))
    assert isinstance(output.rows, pa.Table)
    rows = {(row["arm"], row["against"]) for row in output.rows.to_pylist()}
    assert rows == {("pretrained", None), ("tfidf", None), ("pretrained", "tfidf")}
    assert output.facts["verdict"] is None


def groups_given(monkeypatch: pytest.MonkeyPatch, labels: pa.Table) -> tuple[Integers, Output]:
    """Return the groups that the bootstrap gets, and what comes of them."""
    seen: list[Integers] = []

    def resample(
        labels_N: Integers, groups_N: Integers, *others: Any
    ) -> dict[str, dict[str, Resampled]]:
        seen.append(groups_N)
        return resample_scores(labels_N, groups_N, *others)

    monkeypatch.setattr("training.steps.evaluate.resample_scores", resample)
    output = judge(FINETUNED, labels)
    (groups_N,) = seen
    return groups_N, output


def test_documents_of_one_group_are_drawn_together(
    monkeypatch: pytest.MonkeyPatch, output: Output
) -> None:
    """Every third document has no group; one of these is called as a group is."""
    ids = sorted({r["doc_id"] for r in FINETUNED.to_pylist() if r["partition"] == "test"})
    names = {doc_id: None if at % 3 == 0 else ids[at % 24 // 4] for at, doc_id in enumerate(ids)}
    assert {name for name in names.values() if name} & {i for i in ids if names[i] is None}
    groups_N, found = groups_given(monkeypatch, labelled(names.get))
    own = [(name is None, name or doc_id) for doc_id, name in names.items()]
    same = [[a == b for b in own] for a in own]
    assert (groups_N[:, None] == groups_N[None]).tolist() == same
    assert sorted(set(groups_N.tolist())) == list(range(len(set(own))))
    assert found.facts["num_groups"] == len(set(own)) == 67 + 6
    assert isinstance(found.rows, pa.Table)
    assert isinstance(output.rows, pa.Table)
    unlike = [name for name in SCORES.names if found.rows[name] != output.rows[name]]
    assert set(unlike) - {"verdict"} == {"low", "high"}


def test_documents_without_groups_stand_alone(
    monkeypatch: pytest.MonkeyPatch, output: Output
) -> None:
    groups_N, found = groups_given(monkeypatch, LABELS)
    assert groups_N.tolist() == list(range(NUM_DOCUMENTS))
    assert found.facts == output.facts
    assert (output.facts["num_groups"], output.facts["note"]) == (NUM_DOCUMENTS, None)


@pytest.mark.parametrize("num_groups", [2, FEW_GROUPS - 1, FEW_GROUPS])
def test_few_groups_are_noted(num_groups: int) -> None:
    facts = judge(FINETUNED, labelled(lambda doc_id: str(int(doc_id[1:]) % num_groups))).facts
    assert facts["num_groups"] == num_groups
    if num_groups < FEW_GROUPS:
        assert f"of {num_groups} groups only" in facts["note"]
    else:
        assert facts["note"] is None


def test_one_group_says_nothing_of_others() -> None:
    with pytest.raises(InputError, match="the 200 test documents are all of one group"):
        judge(FINETUNED, labelled(lambda doc_id: "m"))


def test_a_document_that_is_not_labelled_is_refused() -> None:
    number = next(n for n, row in enumerate(LABELS.to_pylist()) if row["partition"] == "test")
    name = LABELS["doc_id"][number].as_py()
    less = pa.concat_tables([LABELS.slice(0, number), LABELS.slice(number + 1)])
    rows = LABELS.to_pylist()
    rows[number]["partition"] = "train"
    for labels in (less, pa.Table.from_pylist(rows, LABELLED)):
        with pytest.raises(InputError, match=f"1 of 200 predicted test documents .* {name} for"):
            judge(FINETUNED, labels)
    with pytest.raises(InputError, match="200 of 200 predicted"):
        evaluate(inputs_of([FINETUNED], [], []), CONFIG)


def changed(column: str, change: Callable[[dict], object], arm: str = "scratch") -> pa.Table:
    """Return the predictions with one test row of an arm's seed 1 changed."""
    rows = FINETUNED.to_pylist()
    row = next(r for r in rows if (r["arm"], r["seed"], r["partition"]) == (arm, 1, "test"))
    row[column] = change(row)
    return pa.Table.from_pylist(rows, PREDICTIONS)


def test_a_document_less_is_refused() -> None:
    table = changed("partition", lambda row: "dev")
    with pytest.raises(InputError, match=r"scratch, seed 1, predicts other test documents \(199\)"):
        judge(table)


def test_another_document_is_refused() -> None:
    with pytest.raises(InputError, match="predicts other test documents"):
        judge(changed("doc_id", lambda row: "e001"))


def test_another_label_is_refused() -> None:
    with pytest.raises(InputError, match="scratch, seed 1, predicts test documents under other"):
        judge(changed("label", lambda row: (row["label"] + 1) % NUM_CLASSES))


def test_a_document_twice_is_refused() -> None:
    with pytest.raises(InputError, match="pretrained, seed 0, predicts a test document twice"):
        judge(pa.concat_tables([FINETUNED, FINETUNED]))


def test_a_class_below_zero_is_refused() -> None:
    with pytest.raises(InputError, match="is -1, below 0"):
        judge(changed("predicted", lambda row: -1))


def test_nothing_to_judge_is_refused() -> None:
    only_dev = FINETUNED.filter(pc.equal(FINETUNED["partition"], "dev"))
    for given in (inputs_of([only_dev], []), inputs_of([], []), inputs_of([], [], [])):
        with pytest.raises(InputError, match="no predictions of test documents"):
            evaluate(given, CONFIG)


@pytest.mark.parametrize("wrong", [{"num_resamples": 99}, {"seed": -1}])
def test_impossible_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        EvaluateConfig(**wrong)


@dataclass(frozen=True)
class ArmsConfig:
    """Nothing to choose."""


def _source(name: str, table: pa.Table) -> Step:
    def give(inputs: Inputs, config: ArmsConfig) -> Output:
        return Output(table)

    def parts(config: ArmsConfig) -> list[SourcePart]:
        return [SourcePart("all", ())]

    return Step(name, 1, "source", give, ArmsConfig, table.schema, list_parts=parts, emits="model")


def test_in_a_store_it_runs_once_and_is_accounted_for(tmp_path: Path, output: Output) -> None:
    storage = Storage(str(tmp_path / "home"))
    wires = {"finetuned": "finetune", "baseline": "score_baseline", "labelled": "pack_labels"}
    graph = Graph(
        [
            Node(_source("finetune", FINETUNED.filter(pc.invert(IS_BASELINE))), ArmsConfig()),
            Node(_source("score_baseline", FINETUNED.filter(IS_BASELINE)), ArmsConfig()),
            Node(_source("pack_labels", LABELS), ArmsConfig()),
            Node(STEP, CONFIG, wires),
        ]
    )
    for num_computed in (1, 0):
        plans, datasets = {}, {}
        with Runner(storage) as runner:
            for node in graph:
                plan = plan_node(storage, node, plans)
                result = runner.run(plan)
                datasets[node.name] = result.dataset
                plans[node.name] = plan.completed(result.dataset)
        assert result.num_computed == num_computed
    inputs = {name: datasets[step] for name, step in graph["evaluate"].inputs.items()}
    assert not prove_step(storage, graph["evaluate"], datasets["evaluate"], inputs).checked
    (receipt,) = datasets["evaluate"].parts
    assert (receipt.rows.num_in, receipt.num_rows) == (0, 12)
    assert receipt.facts == output.facts


def test_further_pre_trainings_stand_in_the_same_table_under_their_names(output: Output) -> None:
    """What is judged does not change with what stands beside it; a twin of its own is compared."""
    mask = pc.equal(FINETUNED["arm"], "tfidf")
    first, baseline = FINETUNED.filter(pc.invert(mask)), FINETUNED.filter(mask)
    alone = first.filter(pc.equal(first["arm"], "pretrained"))
    given = inputs_of([first], [baseline])
    further = {"finetuned_masked": [TablePart(first)], "finetuned_labels": [TablePart(alone)]}
    found = evaluate(Inputs("all", {**given.parts, **further}), CONFIG)
    assert isinstance(found.rows, pa.Table)
    rows = found.rows.to_pylist()
    arms = [row["arm"] for row in rows if row["against"] is None and row["metric"] == "accuracy"]
    assert arms == ["pretrained", "scratch", "tfidf", "labels", "masked", "scratch_masked"]
    pairs = [(r["arm"], r["against"]) for r in rows if r["against"] and r["metric"] == "accuracy"]
    assert pairs[3:] == [
        ("labels", "scratch"),
        ("labels", "tfidf"),
        ("pretrained", "labels"),
        ("masked", "scratch_masked"),
        ("masked", "tfidf"),
        ("pretrained", "masked"),
    ]
    values = {(r["arm"], r["against"], r["metric"]): r["value"] for r in rows}
    for metric in ("accuracy", "macro_f1"):
        assert values["masked", None, metric] == values["pretrained", None, metric]
        assert values["pretrained", "masked", metric] == 0
    assert isinstance(output.rows, pa.Table)
    for row in output.rows.to_pylist():
        assert values[row["arm"], row["against"], row["metric"]] == row["value"]
    assert found.facts["verdict"] == output.facts["verdict"]
    assert set(step_with(["a"]).inputs) == {*STEP.inputs, "finetuned_a"}
