"""Holding a dataset against its contract, and remembering what it came to.

A result lies under ``checks/contracts``, by what it depends on: the dataset, the contract, the
baseline and the other datasets that its rules read. The second time nothing is asked and Great
Expectations is not even imported.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from catalog.contracts.asking import views_of
from catalog.contracts.findings import RULES_VERSION, Findings, find, keep
from catalog.contracts.partition import expectation_of, is_of_partitions
from catalog.contracts.subject import BASELINE, Subject
from catalog.contracts.tally import Tally
from catalog.contracts.whole import fact_expectation, limit_of
from data_contracts.contract import Contract, HasColumns, HasType, NotRun, Rule
from data_contracts.errors import Damaged
from data_contracts.gate import library_version
from data_contracts.results import CheckResult, RuleResult, from_plain
from store.datasets import unsealed
from store.identity import fingerprint
from store.storage import Storage

FOLDER = "checks/contracts"


def check_dataset(storage: Storage | None, subject: Subject, contract: Contract) -> CheckResult:
    """Hold a dataset against a contract; with a home, what was found before is taken from there.

    Raises:
        ContractError: if a rule of the contract cannot be made sense of.
        Damaged: if a partition cannot be read.
        StoreError: if there is no memory or room for it now; of that nothing is remembered.
    """
    name = result_name(subject, contract)
    if storage is not None and (known := _known(storage, name)) is not None:
        return known
    started = time.perf_counter()
    found = _find_all(storage, subject, contract)
    rules = tuple(_result(rule, found.tallies, found.skipped) for rule in contract.rules)
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
        num_parts_checked=found.num_parts_checked,
        seconds=round(time.perf_counter() - started, 4),
        checked_at=datetime.now(UTC).isoformat(timespec="seconds"),
        newest_at=subject.newest_at,
        fresh_seconds=contract.freshness_seconds,
    )
    if storage is not None:
        keep(storage, name, result.plain())
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
        "owner": contract.owner,
        "why_no_baseline": subject.why_no_baseline,
        "fresh_seconds": contract.freshness_seconds,
        "others": {view: found for view, found in subject.identity.items() if view in needed},
    }
    return f"{FOLDER}/{subject.step}/{fingerprint(made_from)}.json"


def read_result(storage: Storage, name: str) -> CheckResult | None:
    """Return a result by its name within the home, None if it is not there.

    Raises:
        Damaged: if it is not what was written.
    """
    value = storage.read_json(name)
    if value is None:
        return None
    return from_plain(unsealed(value, f"The result {name} in {storage.url}", "run again."))


def _known(storage: Storage, name: str) -> CheckResult | None:
    """Return what was found before; a damaged record is as none, and written anew."""
    try:
        return read_result(storage, name)
    except Damaged:
        return None


def _find_all(storage: Storage | None, subject: Subject, contract: Contract) -> Findings:
    """Find what there is to find of all rules, those about the baseline apart from the others."""
    not_run = {r.name: r.check.why for r in contract.rules if isinstance(r.check, NotRun)}
    run = [rule for rule in contract.rules if rule.name not in not_run]
    compared = [rule for rule in run if BASELINE in views_of(rule)]
    why = _nothing_to_compare(subject)
    groups = [[rule for rule in run if rule not in compared], compared if why is None else []]
    own, drifted = find(storage, subject, groups, contract.key)
    if why is not None:
        drifted = Findings(skipped={rule.name: why for rule in compared})
    return Findings(
        {**own.tallies, **drifted.tallies},
        {**not_run, **own.skipped, **drifted.skipped},
        own.num_parts_checked + drifted.num_parts_checked,
    )


def _nothing_to_compare(subject: Subject) -> str | None:
    """Say why a dataset has no baseline other than itself; None if it has one."""
    if subject.baseline is None:
        if subject.why_no_baseline:
            return subject.why_no_baseline
        return "no run was accepted yet" if subject.step else "no baseline was named"
    return (
        "it is the baseline itself" if subject.identity.get(BASELINE) == subject.dataset else None
    )


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
        compares=not isinstance(rule.check, NotRun) and BASELINE in views_of(rule),
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
