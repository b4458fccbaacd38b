"""Holding stored datasets against contracts: what is remembered, and that it changes nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from contract_tables import contract

from catalog import relations
from catalog.contracts.check import FOLDER, check_dataset, read_result, result_name
from catalog.contracts.findings import FOLDER as FINDINGS_FOLDER
from catalog.contracts.findings import PARTITIONS_FOLDER
from catalog.contracts.subject import subject_of
from data_contracts.contract import Contract
from data_contracts.errors import ContractError, Damaged, StoreError
from data_contracts.results import CheckResult, from_plain
from store.datasets import Dataset, StoredPart
from store.storage import Storage

COLUMNS = [
    {"name": "doc_id", "physicalType": "string", "required": True, "unique": True},
    {"name": "source", "physicalType": "string", "enum": [{"value": "fake"}]},
    {"name": "text", "physicalType": "string", "logicalTypeOptions": {"minLength": 1}},
]
OTHER_VALUES = {**COLUMNS[1], "enum": [{"value": "x"}]}
RULES = [
    {"name": "few", "metric": "rowCount", "mustBeGreaterThan": 10},
    {
        "name": "conserved",
        "type": "sql",
        "query": "SELECT sum(num_in) - sum(kept) - sum(quarantined) FROM partitions",
        "mustBe": 0,
    },
    {
        "name": "upper",
        "type": "sql",
        "severity": "warn",
        "query": "SELECT count(*) FROM ${table} WHERE text = upper(text)",
        "mustBe": 0,
        "customProperties": [
            {"property": "examples", "value": "SELECT text FROM rows WHERE text = upper(text)"}
        ],
    },
    {"name": "read", "type": "text", "description": "Somebody reads some."},
    {
        "name": "moved",
        "type": "custom",
        "engine": "millrace",
        "implementation": {
            "measure": "drift",
            "of": "length(text)",
            "min_rows": 5,
            "mustBeLessThan": 1,
        },
    },
]


@pytest.fixture
def home(finished: Any, tmp_path: Path) -> tuple[Storage, dict[str, Dataset]]:
    """A copy of the finished home, without results, and its datasets."""
    shutil.copytree(finished.storage.url, tmp_path / "home")
    return Storage(str(tmp_path / "home")), finished.datasets()


def terms(columns: Any = COLUMNS, rules: Any = RULES, **more: Any) -> Contract:
    return contract(columns, rules, **more)


def held(
    home: tuple[Storage, dict[str, Dataset]],
    to: Contract | None = None,
    dataset: Dataset | None = None,
    baseline: Dataset | None = None,
    remember: bool = True,
) -> CheckResult:
    storage, datasets = home
    subject = subject_of(storage, dataset or datasets["ingest"], {}, baseline)
    return check_dataset(storage if remember else None, subject, to or terms())


def said(result: CheckResult) -> list[Any]:
    return [replace(rule) for rule in result.rules]


def spoil(home: tuple[Storage, dict[str, Dataset]], part: int) -> None:
    """Write other bytes into a partition's file, of the same size."""
    storage, datasets = home
    path = Path(storage.url) / datasets["ingest"].parts[part].data_name()
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 8 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 8)
    path.write_bytes(bytes(data))


def remove_rows(home: tuple[Storage, dict[str, Dataset]]) -> None:
    for file in (Path(home[0].url) / "parts").rglob("*.parquet"):
        file.unlink()


def test_a_result_says_what_became_of_every_rule(home):
    result = held(home)
    assert {rule.rule: rule.state for rule in result.rules} == {
        "columns": "passed",
        "doc_id.type": "passed",
        "doc_id.not_null": "passed",
        "doc_id.unique": "passed",
        "source.type": "passed",
        "source.values": "passed",
        "text.type": "passed",
        "text.length": "passed",
        "few": "passed",
        "conserved": "passed",
        "upper": "broken",
        "read": "skipped",
        "moved": "skipped",
    }
    upper = next(rule for rule in result.rules if rule.rule == "upper")
    assert upper.num_broken > 3
    assert all(sample.startswith("text='") for sample in upper.samples)
    assert (result.state, result.num_rows, result.num_parts) == ("warned", 150, 3)
    assert (result.num_parts_checked, result.step, result.name) == (3, "ingest", "documents")
    assert all(rule.why for rule in result.rules if rule.state == "skipped")
    assert all(rule.expectation for rule in result.rules if rule.state != "skipped")


def test_the_second_time_nothing_is_read(home):
    first = held(home)
    storage, datasets = home
    name = result_name(subject_of(storage, datasets["ingest"], {}), terms())
    assert name.startswith(f"{FOLDER}/ingest/")
    assert read_result(storage, name) == first
    assert read_result(storage, name.replace(".json", "0.json")) is None
    subject = subject_of(storage, datasets["ingest"], {})
    remove_rows(home)
    assert check_dataset(storage, subject, terms()) == first


@pytest.mark.parametrize(
    "to",
    [
        terms(description={"purpose": "Another text."}),
        terms(team={"name": "others"}),
        terms([{**COLUMNS[0], "description": "The id.", "tags": ["a"]}, *COLUMNS[1:]]),
    ],
    ids=["purpose", "team", "description"],
)
def test_what_a_contract_says_besides_does_not_check_again(home, to):
    first = held(home)
    storage, datasets = home
    subject = subject_of(storage, datasets["ingest"], {})
    remove_rows(home)
    assert said(check_dataset(storage, subject, to)) == said(first)


@pytest.mark.parametrize(
    ("to", "num_read", "broken"),
    [
        (terms(rules=[{**RULES[0], "mustBeGreaterThan": 1000}, *RULES[1:]]), 0, "few"),
        (terms(rules=[RULES[0], {**RULES[1], "mustBe": 1}, *RULES[2:]]), 0, "conserved"),
        (terms(version="1.0.1"), 0, None),
        (terms(rules=[*RULES[:2], {**RULES[2], "severity": "stop"}, *RULES[3:]]), 0, None),
        (terms([COLUMNS[0], OTHER_VALUES, COLUMNS[2]]), 3, "source.values"),
        (terms([*COLUMNS[:2], {**COLUMNS[2], "physicalType": "int32"}]), 3, "text.type"),
    ],
    ids=["limit", "limit of sql", "version", "severity", "values", "type"],
)
def test_a_changed_rule_is_checked_again_and_only_what_it_needs(home, to, num_read, broken):
    first = held(home)
    again = held(home, to)
    assert again.num_parts_checked == num_read
    changed = {
        new.rule
        for old, new in zip(first.rules, again.rules, strict=True)
        if (old.state, old.num_broken) != (new.state, new.num_broken)
    }
    assert changed == ({broken} if broken else set())
    assert said(again) == said(held(home, to, remember=False))


def test_one_new_partition_is_the_only_one_that_is_read(home):
    whole = home[1]["ingest"]
    of_rows = terms(COLUMNS[1:], [])
    assert held(home, of_rows, dataset=Dataset("ingest", whole.parts[:2])).num_parts_checked == 2
    spoil(home, 0)  # so that reading one of them again would be noticed
    spoil(home, 1)
    result = held(home, of_rows)
    assert (result.num_parts_checked, result.num_rows, result.state) == (1, 150, "passed")
    with pytest.raises(Damaged):
        held(home, terms())  # uniqueness looks at all rows


def test_results_of_partitions_are_shared_between_datasets(home):
    whole = home[1]["ingest"]
    held(home, dataset=Dataset("ingest", whole.parts[:2]))
    assert held(home, dataset=whole).num_parts_checked == 1
    assert held(home, dataset=Dataset("ingest", whole.parts[1:])).num_parts_checked == 0


def test_a_partition_of_other_content_is_checked_again_though_its_name_is_the_same(home, fake):
    storage, whole = home[0], home[1]["ingest"]
    of_rows = terms(COLUMNS[1:], [])
    assert held(home, of_rows).state == "passed"
    old = whole.parts[1]
    rows = StoredPart(storage, old, old.key).table()
    wrong = rows.set_column(rows.column_names.index("source"), "source", [["x"] * len(rows)])
    changed = fake.rewrite(storage, old, wrong)
    result = held(home, of_rows, Dataset("ingest", (whole.parts[0], changed, whole.parts[2])))
    assert (result.num_parts_checked, result.state) == (1, "stopped")
    (values,) = [rule for rule in result.rules if rule.state == "broken"]
    assert (values.rule, values.num_checked, values.num_broken) == ("source.values", 150, 50)


def test_results_are_the_same_whatever_was_checked_before(home, tmp_path):
    whole = home[1]["ingest"]
    alone = said(held(home, remember=False))
    for number, order in enumerate([(2, 1, 0), (1, 0, 2)]):
        shutil.copytree(home[0].url, tmp_path / f"home-{number}")
        copy = (Storage(str(tmp_path / f"home-{number}")), home[1])
        for part in order:
            held(copy, dataset=Dataset("ingest", (whole.parts[part],)))
        result = held(copy)
        assert result.num_parts_checked == 0
        assert said(result) == alone


def test_the_order_of_rules_changes_no_result(home):
    forward = {rule.rule: rule for rule in held(home).rules}
    backward = held(home, terms(COLUMNS[::-1], RULES[::-1]))
    same = {rule.rule: rule for rule in backward.rules}
    ignored = {"columns"}  # which lists the columns in their order
    assert {k: v for k, v in same.items() if k not in ignored} == {
        k: v for k, v in forward.items() if k not in ignored
    }


def test_another_baseline_is_compared_with_again(home):
    whole = home[1]["ingest"]
    moved = terms(rules=RULES[-1:])
    first = held(home, moved)
    assert first.rules[-1].why == "no run was accepted yet"
    one = held(home, moved, baseline=Dataset("ingest", whole.parts[:1]))
    other = held(home, moved, baseline=Dataset("ingest", whole.parts[1:]))
    assert one.rules[-1].state == other.rules[-1].state == "passed"
    assert one.rules[-1].observed != other.rules[-1].observed
    without = terms(rules=RULES[:1])
    held(home, without)
    assert held(home, without, baseline=whole).num_parts_checked == 0
    names = {
        result_name(subject_of(home[0], whole, {}, before), without)
        for before in (None, whole, Dataset("ingest", whole.parts[:1]))
    }
    assert len(names) == 1  # no rule reads the baseline


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_damaged_partition_is_named_and_nothing_is_remembered_of_it(home, part):
    spoil(home, part)
    with pytest.raises(Damaged, match="verify --repair"):
        held(home)
    assert list(home[0].list(FOLDER)) == []
    assert len(list(home[0].list(PARTITIONS_FOLDER))) == part


def test_a_missing_partition_is_damage(home):
    storage, datasets = home
    subject = subject_of(storage, datasets["ingest"], {})
    (Path(storage.url) / datasets["ingest"].parts[1].data_name()).unlink()
    with pytest.raises(Damaged, match="verify --repair"):
        check_dataset(storage, subject, terms())


@pytest.mark.parametrize(
    ("rule", "said_of_it"),
    [
        ({"type": "sql", "query": "DROP VIEW rows", "mustBe": 0}, "one SELECT"),
        ({"type": "sql", "query": "SELECT 1; SELECT 2", "mustBe": 0}, "one SELECT"),
    ],
)
def test_a_rule_that_makes_no_sense_ends_the_check(home, rule, said_of_it):
    with pytest.raises(ContractError, match=said_of_it):
        held(home, terms(rules=[{"name": "bad", **rule}]))


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "sql", "query": "SELECT NULL", "mustNotBe": 0},
        {"type": "sql", "query": "SELECT 0 / 0", "mustNotBe": 0},
        {"type": "sql", "query": "SELECT count(*) FROM no_such_view", "mustBe": 0},
        {"metric": "duplicateValues", "arguments": {"properties": ["no"]}, "mustBe": 0},
        {"type": "custom", "engine": "millrace", "implementation": {"measure": "no", "mustBe": 0}},
        {
            "type": "custom",
            "engine": "greatExpectations",
            "implementation": {
                "type": "expect_column_values_to_not_be_null",
                "kwargs": {"column": "no"},
            },
        },
    ],
)
def test_a_rule_that_cannot_be_evaluated_is_broken_and_stays_so(home, rule):
    to = terms(rules=[{"name": "bad", **rule}])
    result = held(home, to)
    (bad,) = [one for one in result.rules if one.rule == "bad"]
    assert (bad.state, result.state) == ("broken", "stopped")
    assert bad.why
    assert bad.why in bad.sentence()
    assert held(home, to) == result


@pytest.mark.parametrize(
    ("step", "column", "rule"),
    [
        (
            "ingest",
            {"name": "text"},
            {"type": "sql", "query": "SELECT count(DISTINCT text) FROM rows", "mustNotBe": 0},
        ),
        ("ingest", {"name": "doc_id", "unique": True}, None),
        ("ingest", {"name": "text", "logicalTypeOptions": {"minLength": 1}}, None),
        (
            "apply_policy",
            {"name": "reason"},
            {
                "type": "custom",
                "engine": "millrace",
                "implementation": {
                    "measure": "drop_rate",
                    "by": ["reason"],
                    "min_rows": 1,
                    "mustBeLessThan": 2,
                },
            },
        ),
    ],
    ids=["sql", "unique", "values", "measure"],
)
def test_a_machine_without_memory_or_room_breaks_no_rule(
    home, step, column, rule, tmp_path, monkeypatch
):
    to = terms([column], [{"name": "asked", **rule}] if rule else [])
    dataset = home[1][step]
    full = tmp_path / "full"
    full.write_text("no folder")
    with monkeypatch.context() as disturbed:
        disturbed.setattr(relations, "_spill_folder", lambda: str(full))
        disturbed.setattr(relations, "MEMORY_LIMIT", "20KB")
        with pytest.raises(StoreError, match=r"20KB of memory.*full.*run again"):
            held(home, to, dataset)
        for folder in (FOLDER, FINDINGS_FOLDER):
            assert list(home[0].list(folder)) == []
    result = held(home, to, dataset)
    assert {found.state for found in result.rules} == {"passed"}


def test_results_are_plain_json(home):
    result = held(home)
    assert from_plain(json.loads(json.dumps(result.plain()))) == result
    stored = list((Path(home[0].url) / "checks").rglob("*.json"))
    assert len(stored) == 5
    assert all(json.loads(path.read_text()) for path in stored)


def test_an_empty_dataset_has_nothing_broken_but_what_asks_for_rows(home):
    result = held(home, dataset=Dataset("ingest", ()))
    states = {rule.rule: rule.state for rule in result.rules if rule.state == "broken"}
    # a sum of nothing is no number, and without partitions nobody knows of a column `text`
    assert states == dict.fromkeys(("few", "conserved", "upper"), "broken")
