"""Holding a dataset against its contract, and remembering what it came to.

A result lies under ``checks/contracts``, by what it depends on: the dataset, the contract, the
baseline and the other datasets that its rules read. Those of single partitions lie under
``checks/partitions``, so that a night checks the rows of new partitions only. The second time
nothing is asked and Great Expectations is not even imported.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from catalog.contracts.partition import check_part, expectation_of, is_of_partitions
from catalog.contracts.subject import CheckedPart, Subject
from catalog.contracts.tally import Tally, tally_from_plain, total
from catalog.contracts.whole import check_whole, fact_expectation, judge_totals, limit_of, views_of
from data_contracts.contract import Contract, HasColumns, HasType, NotRun, Rule
from data_contracts.gate import library_version
from data_contracts.results import CheckResult, RuleResult, from_plain
from store.identity import fingerprint
from store.storage import Storage

RULES_VERSION = 1  # of how rules are evaluated: a higher one checks everything again
FOLDER = "checks/contracts"
PARTITIONS_FOLDER = "checks/partitions"


def check_dataset(storage: Storage | None, subject: Subject, contract: Contract) -> CheckResult:
    """Hold a dataset against a contract; with a home, what was found before is taken from there.

    Raises:
        ContractError: if a rule of the contract cannot be made sense of.
        Damaged: if a partition cannot be read.
    """
    name = result_name(subject, contract)
    if storage is not None and (found := read_result(storage, name)) is not None:
        return found
    started = time.perf_counter()
    tallies, skipped, num_checked = _check(storage, subject, contract)
    rules = tuple(_result(rule, tallies, skipped) for rule in contract.rules)
    result = CheckResult(
        name=subject.name,
        step=subject.step,
        dataset=subject.dataset,
        version=contract.version,
        contract=contract.digest,
        owner=contract.owner,
        baseline=subject.identity.get("baseline"),
        rules=rules,
        num_rows=sum(part.rows.count_rows() for part in subject.parts),
        num_parts=len(subject.parts),
        num_parts_checked=num_checked,
        seconds=round(time.perf_counter() - started, 4),
        checked_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    if storage is not None:
        storage.create_json(name, result.plain())
    return result


def result_name(subject: Subject, contract: Contract) -> str:
    """Return the name within the home under which a check's result lies."""
    needed = {view for rule in contract.rules for view in views_of(rule)}
    made_from = {
        "rules": RULES_VERSION,
        "library": library_version(),
        "dataset": subject.dataset,
        "contract": contract.digest,
        "version": contract.version,
        "others": {view: found for view, found in subject.identity.items() if view in needed},
    }
    return f"{FOLDER}/{subject.step}/{fingerprint(made_from)}.json"


def read_result(storage: Storage, name: str) -> CheckResult | None:
    """Return a result by its name within the home, or None."""
    value = storage.read_json(name)
    return None if value is None else from_plain(value)


def _check(
    storage: Storage | None, subject: Subject, contract: Contract
) -> tuple[dict[str, Tally], dict[str, str], int]:
    """Return what was found of each rule, why others were skipped, and how many parts were read."""
    run = [rule for rule in contract.rules if not isinstance(rule.check, NotRun)]
    skipped = {r.name: r.check.why for r in contract.rules if isinstance(r.check, NotRun)}
    of_parts = [rule for rule in run if is_of_partitions(rule)]
    found, num_checked = [], 0
    for part in subject.parts:
        tallies, is_new = _check_part(storage, subject, part, of_parts, contract)
        found.append(tallies)
        num_checked += is_new
    totals = {rule.name: total(tallies[rule.name] for tallies in found) for rule in of_parts}
    limited = [rule for rule in of_parts if limit_of(rule) is not None]
    whole, absent = check_whole(subject, [rule for rule in run if rule not in of_parts])
    return {**totals, **judge_totals(limited, totals), **whole}, {**skipped, **absent}, num_checked


def _check_part(
    storage: Storage | None,
    subject: Subject,
    part: CheckedPart,
    rules: Sequence[Rule],
    contract: Contract,
) -> tuple[dict[str, Tally], bool]:
    """Check a partition, or take what was found of its content before."""
    if storage is None or part.stored is None:
        return check_part(part, rules, contract.key), True
    name = _part_name(subject, part, rules, contract)
    value = storage.read_json(name)
    if value is not None:
        return {rule: tally_from_plain(tally) for rule, tally in value["rules"].items()}, False
    tallies = check_part(part, rules, contract.key)
    plain = {rule: tally.plain() for rule, tally in tallies.items()}
    record = {"step": subject.step, "part": part.stored.receipt.fingerprint, "rules": plain}
    storage.create_json(name, record)
    return tallies, True


def _part_name(
    subject: Subject, part: CheckedPart, rules: Sequence[Rule], contract: Contract
) -> str:
    asked = [[rule.name, rule.column, str(rule.check)] for rule in rules]
    made_from: Mapping[str, Any] = {
        "rules": RULES_VERSION,
        "library": library_version(),
        "part": part.digest,
        "asked": asked,
        "key": list(contract.key),
    }
    return f"{PARTITIONS_FOLDER}/{subject.step}/{fingerprint(made_from)}.json"


def _result(rule: Rule, tallies: Mapping[str, Tally], skipped: Mapping[str, str]) -> RuleResult:
    """Put a rule and what was found of it together."""
    result = RuleResult(
        rule=rule.name,
        severity=rule.severity,
        description=rule.description,
        expectation=_expectation(rule),
        state="skipped",
        why=skipped.get(rule.name),
        remedy=rule.remedy,
    )
    tally = tallies.get(rule.name)
    if tally is None:
        return result
    return replace(
        result,
        state="passed" if tally.kept else "broken",
        num_checked=tally.num_checked,
        num_broken=tally.num_broken,
        observed=tally.observed,
        samples=tally.samples,
        why=tally.problem,
    )


def _expectation(rule: Rule) -> str:
    """Return what was expected, in Great Expectations' words."""
    if isinstance(rule.check, NotRun):
        return ""
    if limit_of(rule) is not None:
        return str(fact_expectation(rule))
    if isinstance(rule.check, HasColumns | HasType) or is_of_partitions(rule):
        return str(expectation_of(rule))
    return ""
