"""Checking a dataset as a whole: facts that DuckDB computes, judged as one-row frames.

Uniqueness, SQL rules and Millrace's measures look at all rows at once, and at other datasets. What
has nothing to look at (a first run has no baseline, a folder no upstream) is skipped and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from catalog.contracts.counts import duplicates_sql
from catalog.contracts.measured import Skipped, Value
from catalog.contracts.measures import MEASURES, views_needed
from catalog.contracts.queries import ask_examples, ask_number, tables_of
from catalog.contracts.subject import BASELINE, PARTITIONS, QUARANTINED, STEPS, Subject
from catalog.contracts.tally import Tally
from catalog.relations import connect
from data_contracts.contract import Count, Measure, Query, Rule
from data_contracts.errors import ContractError
from data_contracts.gate import Expectation, judge
from data_contracts.limits import Limit
from data_contracts.results import MAX_SAMPLES
from store.hints import nearest
from store.home import first_line


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


def check_whole(subject: Subject, rules: Sequence[Rule]) -> tuple[dict[str, Tally], dict[str, str]]:
    """Check the rules that look at all rows; return their tallies, and why others were skipped."""
    views = subject.views()
    skipped = {rule.name: why for rule in rules if (why := _absent(rule, views))}
    asked = [rule for rule in rules if rule.name not in skipped]
    tallies: dict[str, Tally] = {}
    with connect(views) as connection:
        for rule in asked:
            if isinstance(rule.check, Measure):
                found = _measured(connection, subject, rule, rule.check)
                if isinstance(found, Skipped):
                    skipped[rule.name] = found.why
                else:
                    tallies[rule.name] = found
        tallies |= _judge_facts(connection, [r for r in asked if not isinstance(r.check, Measure)])
    return tallies, skipped


def limit_of(rule: Rule) -> Limit | None:
    """Return the limit of a rule that has one."""
    return getattr(rule.check, "limit", None)


def fact_expectation(rule: Rule) -> Expectation:
    """Return what Great Expectations is asked of a frame of facts, whose column is the rule."""
    limit = limit_of(rule)
    assert limit is not None
    type_, kwargs = limit.expectation()
    return Expectation(rule.name, type_, {"column": rule.name, **kwargs})


def judge_totals(rules: Sequence[Rule], totals: Mapping[str, Tally]) -> dict[str, Tally]:
    """Judge sums over partitions of rules that have a limit; the tallies with what was found."""
    found = {}
    for rule in rules:
        tally = totals[rule.name]
        if tally.problem is None:
            (kept,) = _kept([tally.num_broken], rule)
            tally = Tally(
                tally.num_checked,
                0 if kept else max(1, tally.num_broken),
                kept,
                () if kept else tally.samples,
                f"{tally.num_broken:,}",
            )
        found[rule.name] = tally
    return found


def _absent(rule: Rule, views: Mapping[str, Any]) -> str | None:
    """Say why a rule has nothing to look at, if it has not."""
    for name in sorted(views_of(rule) - set(views)):
        if name == BASELINE:
            return "no run was accepted yet"
        if name in STEPS or name in (PARTITIONS, QUARANTINED):
            return f"the dataset {name!r} is not here"
    return None


def _kept(values: Sequence[Any], rule: Rule) -> list[bool]:
    """Let Great Expectations judge the values of a rule's fact, one frame for all of them."""
    limit = limit_of(rule)
    assert limit is not None
    frame = pa.table({rule.name: [limit.judged(value) for value in values]})
    (judgement,) = judge(frame, [fact_expectation(rule)])
    if judgement.problem is not None:
        raise ContractError(f"the limit of {rule.name} does not fit: {judgement.problem}")
    if judgement.kept:
        return [True] * len(values)
    return [limit.keeps(value) for value in values]


def _measured(
    connection: duckdb.DuckDBPyConnection, subject: Subject, rule: Rule, check: Measure
) -> Tally | Skipped:
    """Measure, and judge each value by the limit."""
    if check.name not in MEASURES:
        problem = f"there is no measure {check.name!r}; {nearest(check.name, MEASURES)}"
        return Tally(1, 1, kept=False, problem=problem)
    try:
        values = MEASURES[check.name](connection, subject, check.arguments)
    except (duckdb.Error, ContractError) as error:
        return Tally(1, 1, kept=False, problem=f"it cannot be measured: {first_line(error)}")
    if isinstance(values, Skipped):
        return values
    kept = _kept([value.value for value in values], rule)
    broken = [value for value, is_kept in zip(values, kept, strict=True) if not is_kept]
    return Tally(
        num_checked=len(values),
        num_broken=len(broken),
        kept=not broken,
        samples=tuple(map(_label, broken[:MAX_SAMPLES])),
        observed=_label(max(values, key=lambda value: value.value)),
    )


def _label(value: Value) -> str:
    return f"{value.label} = {value.value:.4g} of {value.num_rows:,} rows"


def _judge_facts(connection: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> dict[str, Tally]:
    """Ask each rule's number and judge it; only a broken one is asked for examples."""
    tallies = {}
    for rule in rules:
        sql, examples = _sql(rule)
        number = ask_number(connection, sql)
        if isinstance(number, str):
            tallies[rule.name] = Tally(1, 1, kept=False, problem=number)
            continue
        (kept,) = _kept([number], rule)
        samples = ask_examples(connection, examples) if examples and not kept else ()
        # A count of rows that must be none says itself how many are broken.
        counted = isinstance(number, int) and limit_of(rule) == Limit("mustBe", 0)
        num_broken = 0 if kept else max(1, abs(int(number))) if counted else 1
        tallies[rule.name] = Tally(1, num_broken, kept, samples, f"{number:,}")
    return tallies


def _sql(rule: Rule) -> tuple[str, str | None]:
    """Return the SQL of a rule's number and, if there is any, of examples."""
    check = rule.check
    if isinstance(check, Query):
        return check.sql, check.examples
    assert isinstance(check, Count)
    if check.metric == "rowCount":
        return "SELECT count(*) FROM rows", None
    columns = check.arguments.get("properties") or [rule.column]
    return duplicates_sql([str(column) for column in columns])
