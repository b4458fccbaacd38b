"""What the report says, held against the rows themselves, counted another way."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from catalog.opened import OpenedRun
from catalog.report import ReportFacts, report_facts, write_page
from data_contracts.errors import Damaged
from data_contracts.tokenizer import tokenizer_of
from store.storage import Storage


@pytest.fixture(scope="session")
def facts(whole: OpenedRun) -> ReportFacts:
    return report_facts(whole)


def rows(opened: OpenedRun, step: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = opened.table(step).to_pylist()
    return found


def test_the_funnel_is_that_of_the_rows(whole: OpenedRun, facts: ReportFacts) -> None:
    assert facts.data is not None
    stages = {stage.step: stage for stage in facts.data.stages}
    assert list(stages) == ["ingest", "apply_policy", "choose_kept", "materialize"]
    reasons = Counter(row["reason"] for row in rows(whole, "apply_policy") if not row["keep"])
    assert stages["apply_policy"].reasons == dict(reasons)
    assert sum(reasons.values()) > 0
    assert stages["materialize"].num_documents == len(rows(whole, "materialize"))
    size = {row["doc_id"]: len(row["text"].encode()) for row in rows(whole, "ingest")}
    assert stages["ingest"].num_bytes == sum(size.values())
    dropped = Counter[str]()
    for row in rows(whole, "apply_policy"):
        dropped[row["reason"]] += size[row["doc_id"]]
    del dropped[None]  # type: ignore[arg-type]
    assert stages["apply_policy"].reason_bytes == dict(dropped)


def test_sides_and_sources_are_those_of_the_curated_rows(
    whole: OpenedRun, facts: ReportFacts
) -> None:
    assert facts.data is not None
    curated = rows(whole, "materialize")
    sides = {side.split: side for side in facts.data.sides}
    packed = rows(whole, "pack_tokens")
    for split in ("train", "heldout"):
        mine = [row for row in packed if row["split"] == split]
        assert len(mine) > 0
        assert sides[split].num_documents == len(mine)
        assert sides[split].num_tokens == sum(row["num_tokens"] for row in mine)
        assert sides[split].num_bytes == sum(row["num_bytes"] for row in mine)
    packages = Counter(dict(row["labels"])["package"] for row in curated)
    assert {s.name: s.num_curated for s in facts.data.sources} == dict(packages)
    assert facts.data.grouped_by == "package"
    assert sorted(facts.data.lengths) == sorted(row["num_tokens"] for row in packed)


def test_bits_per_byte_are_those_of_the_documents(whole: OpenedRun, facts: ReportFacts) -> None:
    assert facts.pretraining is not None
    heldout = facts.pretraining.heldout
    assert heldout is not None
    package = {row["doc_id"]: dict(row["labels"])["package"] for row in rows(whole, "materialize")}
    scored = rows(whole, "score_heldout")
    for group in heldout.groups:
        mine = [row for row in scored if package[row["doc_id"]] == group.name]
        bits = (
            sum(row["nats"] for row in mine) / math.log(2) / sum(row["num_bytes"] for row in mine)
        )
        assert group.num_documents == len(mine)
        assert group.bits_per_byte == pytest.approx(bits)
    assert sum(group.num_documents for group in heldout.groups) == len(scored) > 0
    bits = sum(row["nats"] for row in scored) / math.log(2)
    assert heldout.bits_per_byte == pytest.approx(bits / sum(row["num_bytes"] for row in scored))


def test_the_task_counts_classes_by_partition(whole: OpenedRun, facts: ReportFacts) -> None:
    assert facts.task is not None
    labelled = rows(whole, "pack_labels")
    for row in facts.task.classes:
        for partition in ("train", "dev", "test"):
            expected = [
                r for r in labelled if (r["class_name"], r["partition"]) == (row.name, partition)
            ]
            assert getattr(row, partition) == len(expected)
    assert facts.task.num_groups == len({row["group"] for row in labelled})
    assert facts.task.left_out == {"no_label": 12, "<why>": 3}


def test_the_comparison_is_as_recorded(facts: ReportFacts, invented: SimpleNamespace) -> None:
    found = facts.comparison
    assert found is not None
    assert [tuple(vars(row).values()) for row in found.scores] == invented.SCORE_ROWS
    assert list(found.trials) == invented.TRIALS
    expected = [{"arm": arm, **p} for arm, points in invented.CURVES.items() for p in points]
    assert sorted(map(str, found.curves)) == sorted(map(str, expected))
    assert {item.arm: [list(row) for row in item.counts] for item in found.confusions} == (
        invented.CONFUSION
    )
    assert found.confusions[0].classes == invented.PACKAGES


def test_pieces_spell_the_text(whole: OpenedRun, facts: ReportFacts) -> None:
    assert facts.tokenizer is not None
    spelt = "".join(facts.tokenizer.pieces).replace("▁", " ")
    text = next(row["text"] for row in rows(whole, "materialize") if row["text"].startswith(spelt))
    assert len(spelt) > 50
    assert text
    longest = [len(piece) for piece in facts.tokenizer.longest]
    assert longest == sorted(longest, reverse=True)


def test_pieces_are_counted_by_source_and_language(whole: OpenedRun, facts: ReportFacts) -> None:
    tokenizer = tokenizer_of(whole.table("train_tokenizer"))
    packed = {row["doc_id"]: row for row in rows(whole, "pack_tokens")}
    language = {row["doc_id"]: row["language"] for row in rows(whole, "compute_signals")}
    groups = defaultdict[tuple[str, str | None], list[dict[str, Any]]](list)
    for row in rows(whole, "materialize"):
        if row["split"] == "heldout":
            package = dict(row["labels"])["package"]
            groups[package, language[row["doc_id"]]].append(row)
    pieces = [tokenizer.piece(number) for number in range(tokenizer.vocabulary.vocab_size)]
    special = {f"<0x{byte:02X}>" for byte in range(256)} | {"<unk>", *tokenizer.control_ids}
    assert facts.tokenizer is not None
    assert len(facts.tokenizer.use) == len(groups) > 2
    for use in facts.tokenizer.use:
        mine = groups[use.source, use.language]
        ids = [tokenizer.encode(row["text"]) for row in mine]
        used = {pieces[number] for row in ids for number in row.tolist()}
        assert use.num_documents == len(mine)
        assert use.num_tokens == sum(map(len, ids))
        assert use.num_bytes == sum(packed[row["doc_id"]]["num_bytes"] for row in mine)
        assert use.num_unused == len(set(pieces) - used - special)
    sizes = [use.num_bytes for use in facts.tokenizer.use]
    assert sizes == sorted(sizes, reverse=True)
    assert len({use.language for use in facts.tokenizer.use}) > 1


def test_json_holds_every_fact(facts: ReportFacts) -> None:
    value = json.loads(json.dumps(facts.to_json(), allow_nan=False))
    assert value["run"]["name"] == "whole"
    assert value["pretraining"]["facts"]["num_parameters"] == 3_210_496
    assert len(value["comparison"]["scores"]) == 12
    diverged = replace(facts.run, seconds=float("nan"))
    assert replace(facts, run=diverged).to_json()["run"]["seconds"] is None


def test_a_run_that_is_only_curated_has_only_data(fake: SimpleNamespace, finished: Any) -> None:
    facts = report_facts(OpenedRun(finished.storage, finished.run))
    assert (facts.task, facts.comparison, facts.pretraining, facts.tokenizer) == (None,) * 4
    assert facts.data is not None
    assert facts.data.grouped_by == "source"
    assert facts.data.length_unit == "words"
    assert facts.data.quarantine_errors == {"not UTF-8: byte 0xff": 3}
    assert facts.data.passed_over == {"fake.blank": 6}
    assert '<th scope="row">fake.blank</th><td>6</td>' in write_page(facts)
    assert [side.num_tokens for side in facts.data.sides] == [None, None]
    assert all(stage.num_bytes is None for stage in facts.data.stages)


def test_a_run_without_steps_has_no_facts(whole: OpenedRun) -> None:
    empty = OpenedRun(whole.storage, replace(whole.run, steps=()))
    facts = report_facts(empty)
    assert (facts.data, facts.tokenizer, facts.steps) == (None, None, ())
    assert facts.run.last_step is None


@pytest.mark.parametrize("number", [9, 11, 15])
def test_a_run_may_end_after_any_step(whole: OpenedRun, number: int) -> None:
    steps = whole.run.steps[:number]
    facts = report_facts(OpenedRun(whole.storage, replace(whole.run, steps=steps)))
    names = {step.step for step in steps}
    assert (facts.tokenizer is not None) == ("train_tokenizer" in names)
    assert (facts.pretraining is not None) == ("pretrain" in names)
    assert (facts.task is not None) == ("pack_labels" in names)


def test_text_is_measured_before_it_is_packed(whole: OpenedRun, facts: ReportFacts) -> None:
    names = [record.step for record in whole.run.steps]
    steps = whole.run.steps[: names.index("train_tokenizer")]
    before = report_facts(OpenedRun(whole.storage, replace(whole.run, steps=steps)))
    assert before.data is not None
    assert facts.data is not None
    assert [side.num_tokens for side in before.data.sides] == [None, None]
    sizes = [side.num_bytes for side in before.data.sides]
    assert sizes == [side.num_bytes for side in facts.data.sides]


def test_many_packages_are_pooled(
    fake: SimpleNamespace, many_packages: Callable[[], OpenedRun]
) -> None:
    facts = report_facts(many_packages())
    assert facts.data is not None
    sources = facts.data.sources
    assert len(sources) == 24
    assert sources[-1].name == "all others"
    assert sum(source.num_read for source in sources) == 150
    curated = sum(side.num_documents for side in facts.data.sides)
    assert sum(source.num_curated for source in sources) == curated > 0


def test_a_damaged_file_beside_the_rows_is_told(whole: OpenedRun, tmp_path: Any) -> None:
    import shutil

    shutil.copytree(whole.storage.url, tmp_path / "home")
    storage = Storage(str(tmp_path / "home"))
    part = whole.dataset("finetune").parts[0]
    storage.replace(part.extra_name("trials.json"), b"[]")
    with pytest.raises(Damaged, match=r"trials\.json"):
        report_facts(OpenedRun(storage, whole.run))
