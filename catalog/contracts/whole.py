"""Checking a dataset as a whole: facts that DuckDB computes, judged as one-row frames.

Uniqueness, SQL rules and Millrace's measures look at all rows at once, and at other datasets. What
has nothing to look at (a first run has no baseline, a folder no upstream) is skipped and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

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
    with connect(views) as connection:
        measured = _measured(connection, subject, asked)
        not_measured = {n: found.why for n, found in measured.items() if isinstance(found, Skipped)}
        tallies = _judge_measured([rule for rule in asked if rule.name in measured], measured)
        tallies |= _judge_facts(connection, [r for r in asked if not isinstance(r.check, Measure)])
    return tallies, {**skipped, **not_measured}


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
    asked = [rule for rule in rules if totals[rule.name].problem is None]
    kept = _kept([(rule, totals[rule.name].num_broken) for rule in asked])
    judged = {
        rule.name: _judged_total(totals[rule.name], is_kept)
        for rule, is_kept in zip(asked, kept, strict=True)
    }
    return {rule.name: judged.get(rule.name, totals[rule.name]) for rule in rules}


def _judged_total(tally: Tally, is_kept: bool) -> Tally:
    return Tally(
        num_checked=tally.num_checked,
        num_broken=0 if is_kept else max(1, tally.num_broken),
        kept=is_kept,
        samples=() if is_kept else tally.samples,
        observed=f"{tally.num_broken:,}",
    )


def _absent(rule: Rule, views: Mapping[str, Any]) -> str | None:
    """Say why a rule has nothing to look at, if it has not."""
    for name in sorted(views_of(rule) - set(views)):
        if name == BASELINE:
            return "no run was accepted yet"
        if name in STEPS or name in (PARTITIONS, QUARANTINED):
            return f"the dataset {name!r} is not here"
    return None


def _kept(facts: Sequence[tuple[Rule, Any]]) -> list[bool]:
    """Let Great Expectations judge numbers by their rules' limits; those of one limit in one frame.

    Integers and floats stand apart, since Arrow takes no large integer into a column of floats.
    """
    by_limit: dict[str, list[int]] = {}
    for position, (rule, number) in enumerate(facts):
        of = f"{limit_of(rule)}, {type(number).__name__}"
        by_limit.setdefault(of, []).append(position)
    kept = [False] * len(facts)
    for positions in by_limit.values():
        rule = facts[positions[0]][0]
        judged = _values_kept([facts[position][1] for position in positions], rule)
        for position, is_kept in zip(positions, judged, strict=True):
            kept[position] = is_kept
    return kept


def _values_kept(values: Sequence[Any], rule: Rule) -> list[bool]:
    """Let Great Expectations judge values by a rule's limit, as one column of a frame."""
    limit = limit_of(rule)
    assert limit is not None
    frame = pa.table({rule.name: [limit.judged(value) for value in values]})
    (judgement,) = judge(frame, [fact_expectation(rule)])
    if judgement.problem is not None:
        raise ContractError(f"the limit of {rule.name} does not fit: {judgement.problem}")
    if judgement.num_broken > len(judgement.rows):  # it names the first ten alone
        return [limit.keeps(value) for value in values]
    return [position not in judgement.rows for position in range(len(values))]


_Measured: TypeAlias = "list[Value] | Skipped | str"


def _measured(
    connection: duckdb.DuckDBPyConnection, subject: Subject, rules: Sequence[Rule]
) -> dict[str, _Measured]:
    """Return what each rule's measure gives; what two rules have different limits for, once."""
    known: dict[str, _Measured] = {}
    found: dict[str, _Measured] = {}
    for rule in rules:
        if isinstance(rule.check, Measure):
            asked_for = f"{rule.check.name} {rule.check.arguments}"
            if asked_for not in known:
                known[asked_for] = _measure(connection, subject, rule.check)
            found[rule.name] = known[asked_for]
    return found


def _measure(connection: duckdb.DuckDBPyConnection, subject: Subject, check: Measure) -> _Measured:
    """Return the values of a measure, why there are none, or (a text) why it cannot be measured."""
    if check.name not in MEASURES:
        return f"there is no measure {check.name!r}; {nearest(check.name, MEASURES)}"
    try:
        return MEASURES[check.name](connection, subject, check.arguments)
    except (duckdb.Error, ContractError) as error:
        return f"it cannot be measured: {first_line(error)}"


def _judge_measured(rules: Sequence[Rule], measured: Mapping[str, _Measured]) -> dict[str, Tally]:
    """Judge each value of the rules' measures by its limit."""
    tallies: dict[str, Tally] = {}
    facts: list[tuple[Rule, Value]] = []
    for rule in rules:
        values = measured[rule.name]
        if isinstance(values, str):
            tallies[rule.name] = Tally(1, 1, kept=False, problem=values)
        elif not isinstance(values, Skipped):
            facts += [(rule, value) for value in values]
    kept = _kept([(rule, value.value) for rule, value in facts])
    for rule in rules:
        of_rule = [
            (value, is_kept)
            for (of, value), is_kept in zip(facts, kept, strict=True)
            if of.name == rule.name
        ]
        if of_rule:
            tallies[rule.name] = _tally_of_values(of_rule)
    return tallies


def _tally_of_values(judged: Sequence[tuple[Value, bool]]) -> Tally:
    broken = [value for value, is_kept in judged if not is_kept]
    return Tally(
        num_checked=len(judged),
        num_broken=len(broken),
        kept=not broken,
        samples=tuple(map(_label, broken[:MAX_SAMPLES])),
        observed=_label(max((value for value, _ in judged), key=lambda value: value.value)),
    )


def _label(value: Value) -> str:
    return f"{value.label} = {value.value:.4g} of {value.num_rows:,} rows"


def _judge_facts(connection: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> dict[str, Tally]:
    """Ask each rule's number, judge all of them; only a broken one is asked for examples."""
    found = [(rule, ask_number(connection, _sql(rule)[0])) for rule in rules]
    tallies = {
        rule.name: Tally(1, 1, kept=False, problem=number)
        for rule, number in found
        if isinstance(number, str)
    }
    numbers = [(rule, number) for rule, number in found if not isinstance(number, str)]
    kept = _kept(numbers)
    for (rule, number), is_kept in zip(numbers, kept, strict=True):
        examples = _sql(rule)[1]
        samples = ask_examples(connection, examples) if examples and not is_kept else ()
        # A count of rows that must be none says itself how many are broken.
        counted = isinstance(number, int) and limit_of(rule) == Limit("mustBe", 0)
        num_broken = 0 if is_kept else max(1, abs(int(number))) if counted else 1
        tallies[rule.name] = Tally(1, num_broken, is_kept, samples, f"{number:,}")
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
