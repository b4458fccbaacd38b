"""The shipped contracts: what they declare is what steps write, a healthy run keeps every rule, and
no rule is vacuous: for each there is a defect that it finds, and no other rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import defects_decided
import defects_made
import defects_text
import pyarrow as pa
import pyarrow.types as at
import pytest
from declared import plant_types, plant_values, schema_rules, value_rules
from healthy_run import HealthyRun, make_run
from planting import DEFECTS, Defect, Healthy

from catalog.contracts.asking import views_of
from catalog.contracts.check import check_dataset
from catalog.contracts.subject import BASELINE, DATASETS, Subject, subject_of
from data_contracts.column_types import spelt
from data_contracts.contract import Contract, Measure, Query, Rule, shipped
from data_contracts.limits import ZERO
from data_contracts.read_contract import load_contract
from data_contracts.results import CheckResult
from pipelines import apply_policy, compute_signals, edit_texts, materialize, split
from pipelines.dedupe import (
    choose_kept,
    compare_candidates,
    compute_signatures,
    guard_heldout,
    link_duplicates,
)
from pipelines.ingest import ingest
from pipelines.labels import pack_labels
from pipelines.messages import pack_messages
from pipelines.signals.family import SignalsConfig
from pipelines.signals.registry import NEEDED, signals_schema
from pipelines.tokenizer import train_tokenizer
from pipelines.tokens import pack_tokens
from store.datasets import Dataset

MODULES = (
    ingest,
    edit_texts,
    compute_signals,
    apply_policy,
    compute_signatures,
    link_duplicates,
    compare_candidates,
    choose_kept,
    split,
    guard_heldout,
    materialize,
    train_tokenizer,
    pack_tokens,
    pack_messages,
    pack_labels,
)
SCHEMAS = {DATASETS[module.STEP.name]: module.STEP.schema for module in MODULES}
WRITTEN = {**SCHEMAS, "signals": signals_schema(SignalsConfig(families=NEEDED))}
NAMES = tuple(DATASETS.values())
VERSIONS = {
    "documents": "1.1.0",
    "messages": "1.0.1",
    "pairs": "2.0.0",
    "signals": "1.1.0",
    "tokens": "1.1.0",
}
UNITLESS = {"label", "bucket", "rule_version"}  # numbers that name something
FILES = (defects_text, defects_decided, defects_made)


@cache
def contract_of(name: str) -> Contract:
    return load_contract(name)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> HealthyRun:
    return make_run(tmp_path_factory.mktemp("healthy"))


@pytest.fixture(scope="module")
def healthy(run: HealthyRun) -> Healthy:
    return Healthy(run)


def check(subject: Subject, contract: Contract, rules: list[Rule]) -> CheckResult:
    """Hold a subject against some of a contract's rules, and forget nothing in a home."""
    return check_dataset(None, subject, replace(contract, rules=tuple(rules)))


def broken(result: CheckResult) -> set[str]:
    return {rule.rule for rule in result.broken()}


class TestWhatIsDeclared:
    def test_every_dataset_has_one_contract_of_its_name(self) -> None:
        assert set(shipped()) == set(NAMES) == set(SCHEMAS)
        assert {contract_of(name).dataset for name in NAMES} == set(NAMES)

    @pytest.mark.parametrize("name", NAMES)
    def test_identity_owner_and_description(self, name: str) -> None:
        contract = contract_of(name)
        plain = contract.plain
        assert (contract.id, contract.version, plain["status"]) == (
            f"millrace.{name}",
            VERSIONS.get(name, "1.0.0"),
            "active",
        )
        assert plain["apiVersion"] == "v3.1.0"
        assert contract.owner
        assert all(plain["description"][part] for part in ("purpose", "usage", "limitations"))

    @pytest.mark.parametrize("name", NAMES)
    def test_columns_are_those_that_the_step_writes(self, name: str) -> None:
        declared = [(c.name, c.type, c.required) for c in contract_of(name).columns]
        written = [(f.name, spelt(f.type), not f.nullable) for f in WRITTEN[name]]
        assert declared == written
        has_others = name in ("edited", "signals")  # edits and families add columns of their own
        assert ("and no others" in contract_of(name).rules[0].description) is not has_others

    @pytest.mark.parametrize("name", NAMES)
    def test_every_column_has_a_meaning_and_every_quantity_a_unit(self, name: str) -> None:
        for column, field in zip(contract_of(name).columns, WRITTEN[name], strict=True):
            assert column.description.endswith(".")
            if _is_quantity(field) and column.name not in UNITLESS:
                assert column.unit, column.name

    def test_signals_say_what_their_fields_say(self) -> None:
        columns = contract_of("signals").columns[1:]
        fields = [field.metadata for field in WRITTEN["signals"]][1:]
        assert [c.description for c in columns] == [m[b"description"].decode() for m in fields]
        assert [c.unit for c in columns] == [m[b"unit"].decode() for m in fields]
        assert len(columns) > 20

    @pytest.mark.parametrize("name", NAMES)
    def test_every_written_rule_says_what_to_do(self, name: str) -> None:
        written = list(_written(contract_of(name).plain))
        names = {entry["name"] for entry in written}
        rules = {rule.name.rpartition(".")[2]: rule for rule in contract_of(name).rules}
        for entry in written:
            assert entry["severity"] in ("stop", "warn")
            assert entry["dimension"]
            assert entry["description"].endswith(".")
            assert rules[entry["name"]].remedy
        assert names <= set(rules)
        assert names

    def test_rules_that_count_rows_show_some(self) -> None:
        checks = [rule.check for name in NAMES for rule in contract_of(name).rules]
        counting = [c for c in checks if isinstance(c, Query) and c.limit == ZERO]
        assert len(counting) > 40
        assert all(c.examples for c in counting)

    def test_drift_warns_before_it_stops(self) -> None:
        drifts = [
            (rule.severity, rule.check.arguments.get("rows", "all"), rule.check.limit.value)
            for rule in contract_of("signals").rules
            if isinstance(rule.check, Measure) and rule.check.name == "drift"
        ]
        levels = {
            ("warn", "all", 0.1),
            ("stop", "all", 0.25),
            ("warn", "new", 0.25),
            ("stop", "new", 2.0),
        }
        assert len(drifts) == 4 * len(levels)
        assert set(drifts) == levels


class TestAHealthyRun:
    @pytest.mark.parametrize("name", NAMES)
    def test_nothing_but_the_baseline_is_missing_in_a_first_run(
        self, run: HealthyRun, name: str
    ) -> None:
        result = _held(run, name, None)
        skipped = {rule.rule for rule in result.rules if rule.state == "skipped"}
        compared = {rule.name for rule in contract_of(name).rules if BASELINE in views_of(rule)}
        assert result.state == "passed"
        assert skipped == compared

    @pytest.mark.parametrize("name", NAMES)
    def test_it_is_like_itself(self, run: HealthyRun, name: str) -> None:
        assert _held(run, name, run.datasets[name]).state == "passed"

    @pytest.mark.parametrize("name", [name for name in NAMES if name != "choices"])
    def test_a_new_partition_is_like_the_others(self, run: HealthyRun, name: str) -> None:
        dataset = run.datasets[name]
        before = Dataset(dataset.step, dataset.parts[:-1]) if len(dataset.parts) > 1 else dataset
        result = _held(run, name, before)
        assert result.state == "passed"
        assert [rule.rule for rule in result.rules if rule.state == "skipped"] == []

    def test_steps_dropped_repeated_and_quarantined_something(self, run: HealthyRun) -> None:
        rows = {name: run.datasets[name].rows for name in NAMES}
        assert rows["documents"].quarantined == 6
        assert len(run.datasets["decisions"].reasons()) == 2
        assert len(run.datasets["choices"].reasons()) == 3
        assert rows["choices"].dropped - run.datasets["choices"].reasons()["duplicate.near"] > 20
        assert run.datasets["choices"].reasons()["duplicate.near"] > 5
        assert run.datasets["guarded"].reasons()["split.near_heldout"] > 5
        assert rows["tokens"].kept == rows["curated"].kept > 600


class TestNoRuleIsVacuous:
    def test_every_rule_has_a_defect(self) -> None:
        declared = {
            (name, rule.name)
            for name in NAMES
            for rule in (*schema_rules(contract_of(name)), *value_rules(contract_of(name)))
        }
        written = {(defect.dataset, defect.rule) for defect in DEFECTS}
        rules = {(name, rule.name) for name in NAMES for rule in contract_of(name).rules}
        assert declared | written == rules
        assert not declared & written
        assert len(rules) > 280
        assert {defect.plant.__module__ for defect in DEFECTS} == {f.__name__ for f in FILES}

    @pytest.mark.parametrize("half", [0, 1])
    @pytest.mark.parametrize("name", NAMES)
    def test_a_column_of_another_type_is_found(
        self, healthy: Healthy, tmp_path: Path, name: str, half: int
    ) -> None:
        rules = schema_rules(contract_of(name))
        planted = healthy.planted(name, tmp_path)
        plant_types(planted, rules[half::2])
        result = check(planted.subject(), contract_of(name), rules)
        assert broken(result) == {rule.name for rule in rules[half::2]}

    @pytest.mark.parametrize("name", NAMES)
    def test_a_value_that_is_not_as_declared_is_found_by_its_rule_alone(
        self, healthy: Healthy, tmp_path: Path, name: str
    ) -> None:
        rules = value_rules(contract_of(name))
        planted = healthy.planted(name, tmp_path)
        named = list(plant_values(planted, rules, contract_of(name).key[0]))
        result = check(planted.subject(), contract_of(name), rules)
        assert [rule.rule for rule in result.rules] == [rule.name for rule in rules]
        for rule, sample in zip(result.rules, named, strict=True):
            assert (rule.state, rule.num_broken) == ("broken", 1)
            assert sample in rule.samples[0]
        assert named

    @pytest.mark.parametrize("defect", DEFECTS, ids=str)
    def test_a_defect_is_found_by_its_rule(
        self, healthy: Healthy, tmp_path: Path, defect: Defect
    ) -> None:
        contract = contract_of(defect.dataset)
        planted = healthy.planted(defect.dataset, tmp_path)
        expected = defect.plant(planted)
        result = check(planted.subject(), contract, _beyond_declarations(contract))
        assert broken(result) == {defect.rule} | defect.also
        (found,) = [rule for rule in result.rules if rule.rule == defect.rule]
        assert found.why is None
        assert found.num_broken == defect.num_broken
        shown = "\n".join((*found.samples, found.observed or ""))
        assert [text for text in expected if text not in shown] == [], shown
        assert "cannot be asked" not in shown


def _is_quantity(field: pa.Field) -> bool:
    return at.is_integer(field.type) or at.is_floating(field.type) or at.is_timestamp(field.type)


def _written(plain: dict) -> Iterator[dict]:
    """Yield what stands under ``quality`` of a contract's dataset and columns."""
    (table,) = plain["schema"]
    for item in (table, *table["properties"]):
        yield from item.get("quality", [])


def _beyond_declarations(contract: Contract) -> list[Rule]:
    declared = {rule.name for rule in (*schema_rules(contract), *value_rules(contract))}
    return [rule for rule in contract.rules if rule.name not in declared]


def _held(run: HealthyRun, name: str, baseline: Dataset | None) -> CheckResult:
    subject = subject_of(run.storage, run.datasets[name], run.upstream(name), baseline)
    return check_dataset(run.storage, subject, contract_of(name))
