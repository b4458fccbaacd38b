"""Asking a dataset as a whole: numbers of SQL rules, values of measures. Nothing is judged here.

Uniqueness, SQL rules and Millrace's measures look at all rows at once, and at other datasets. What
has nothing to look at (a first run has no baseline, a folder no upstream) is skipped and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import duckdb

from catalog.contracts.counts import duplicates_sql, num_repeated
from catalog.contracts.measured import Skipped, Value
from catalog.contracts.measures import MEASURES, views_needed
from catalog.contracts.queries import ask_number, tables_of
from catalog.contracts.subject import BASELINE, PARTITIONS, QUARANTINED, STEPS, Subject
from catalog.relations import connect
from data_contracts.contract import Count, Measure, Query, Rule
from data_contracts.errors import ContractError
from store.hints import nearest
from store.home import first_line

Measured: TypeAlias = "list[Value] | Skipped | str"


@dataclass(frozen=True)
class Answers:
    """What was found of the rules that look at all rows, each under its rule's name.

    ``numbers`` are of SQL, ``measured`` the values of measures; a text says why there is none.
    ``skipped`` says why a rule had nothing to look at.
    """

    numbers: dict[str, float | int | str]
    measured: dict[str, Measured]
    skipped: dict[str, str]


def views_of(rule: Rule) -> frozenset[str]:
    """Return the names of the views that a rule reads.

    Raises:
        ContractError: if its SQL is not one SELECT.
    """
    if isinstance(rule.check, Query):
        examples = rule.check.examples
        return tables_of(rule.check.sql) | (tables_of(examples) if examples else frozenset())
    if isinstance(rule.check, Measure):
        return views_needed(rule.check.name, rule.check.arguments)
    return frozenset()


def ask_whole(subject: Subject, rules: Sequence[Rule]) -> Answers:
    """Ask what each rule is judged by; numbers and measures at the same time."""
    views = subject.views()
    skipped = {rule.name: why for rule in rules if (why := _absent(rule, views))}
    asked = [rule for rule in rules if rule.name not in skipped]
    of_measures = [rule for rule in asked if isinstance(rule.check, Measure)]
    of_numbers = [rule for rule in asked if not isinstance(rule.check, Measure)]
    with ThreadPoolExecutor(1, thread_name_prefix="measure") as pool:
        measuring = pool.submit(_measure_all, subject, of_measures, views)
        numbers = _ask_numbers(of_numbers, views)
        measured = measuring.result()
    not_measured = {n: found.why for n, found in measured.items() if isinstance(found, Skipped)}
    return Answers(numbers, measured, {**skipped, **not_measured})


def sql_of(rule: Rule) -> tuple[str, str | None]:
    """Return the SQL of a rule's number and, if there is any, of examples."""
    check = rule.check
    if isinstance(check, Query):
        return check.sql, check.examples
    assert isinstance(check, Count)
    if check.metric == "rowCount":
        return "SELECT count(*) FROM rows", None
    return duplicates_sql(_columns(rule, check))


def _columns(rule: Rule, check: Count) -> list[str]:
    return [str(column) for column in check.arguments.get("properties") or [rule.column]]


def _absent(rule: Rule, views: Mapping[str, Any]) -> str | None:
    """Say why a rule has nothing to look at, if it has not."""
    for name in sorted(views_of(rule) - set(views)):
        if name == BASELINE:
            return "no run was accepted yet"
        if name in STEPS or name in (PARTITIONS, QUARANTINED):
            return f"the dataset {name!r} is not here"
    return None


def _ask_numbers(rules: Sequence[Rule], views: Mapping[str, Any]) -> dict[str, float | int | str]:
    """Return each rule's number, or the sentence of why it has none."""
    if not rules:
        return {}
    with connect(views) as connection:
        return {rule.name: _ask_number(connection, rule) for rule in rules}


def _ask_number(connection: duckdb.DuckDBPyConnection, rule: Rule) -> float | int | str:
    if isinstance(rule.check, Count) and rule.check.metric != "rowCount":
        return num_repeated(connection, _columns(rule, rule.check))
    return ask_number(connection, sql_of(rule)[0])


def _measure_all(
    subject: Subject, rules: Sequence[Rule], views: Mapping[str, Any]
) -> dict[str, Measured]:
    """Return what each rule's measure gives; what two rules have different limits for, once."""
    if not rules:
        return {}
    known: dict[str, Measured] = {}
    found: dict[str, Measured] = {}
    with connect(views) as connection:
        for rule in rules:
            assert isinstance(rule.check, Measure)
            asked_for = f"{rule.check.name} {rule.check.arguments}"
            if asked_for not in known:
                known[asked_for] = _measure(connection, subject, rule.check)
            found[rule.name] = known[asked_for]
    return found


def _measure(connection: duckdb.DuckDBPyConnection, subject: Subject, check: Measure) -> Measured:
    """Return the values of a measure, why there are none, or (a text) why it cannot be measured."""
    if check.name not in MEASURES:
        return f"there is no measure {check.name!r}; {nearest(check.name, MEASURES)}"
    try:
        return MEASURES[check.name](connection, subject, check.arguments)
    except (duckdb.Error, ContractError) as error:
        return f"it cannot be measured: {first_line(error)}"
