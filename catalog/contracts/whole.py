"""Judging a dataset as a whole: facts that DuckDB computed, as frames of few rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from catalog.contracts.asking import Answers, Measured, sql_of
from catalog.contracts.measured import Skipped, Value
from catalog.contracts.queries import ask_examples
from catalog.contracts.subject import Subject
from catalog.contracts.tally import Tally
from catalog.relations import connect
from data_contracts.contract import Rule
from data_contracts.errors import ContractError
from data_contracts.gate import Expectation, judge
from data_contracts.limits import Limit
from data_contracts.results import MAX_SAMPLES


def judge_whole(
    subject: Subject, rules: Sequence[Rule], answers: Answers
) -> tuple[dict[str, Tally], dict[str, str]]:
    """Judge what was found of rules; return their tallies, and why others were skipped."""
    of_measures = [rule for rule in rules if rule.name in answers.measured]
    of_numbers = [rule for rule in rules if rule.name in answers.numbers]
    tallies = _judge_measured(of_measures, answers.measured)
    tallies |= _judge_numbers(subject, of_numbers, answers.numbers)
    return tallies, answers.skipped


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


def _judge_measured(rules: Sequence[Rule], measured: Mapping[str, Measured]) -> dict[str, Tally]:
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


def _judge_numbers(
    subject: Subject, rules: Sequence[Rule], found: Mapping[str, float | int | str]
) -> dict[str, Tally]:
    """Judge each rule's number; only for a broken one are examples asked."""
    tallies: dict[str, Tally] = {}
    numbers: list[tuple[Rule, float | int]] = []
    for rule in rules:
        number = found[rule.name]
        if isinstance(number, str):
            tallies[rule.name] = Tally(1, 1, kept=False, problem=number)
        else:
            numbers.append((rule, number))
    for (rule, number), is_kept in zip(numbers, _kept(numbers), strict=True):
        # A count of rows that must be none says itself how many are broken.
        counted = isinstance(number, int) and limit_of(rule) == Limit("mustBe", 0)
        num_broken = 0 if is_kept else max(1, abs(int(number))) if counted else 1
        samples = () if is_kept else _examples(subject, rule)
        tallies[rule.name] = Tally(1, num_broken, is_kept, samples, f"{number:,}")
    return tallies


def _examples(subject: Subject, rule: Rule) -> tuple[str, ...]:
    """Return examples of what breaks a rule, if its contract says how to ask for them."""
    sql = sql_of(rule)[1]
    if not sql:
        return ()
    with connect(subject.views()) as connection:
        return ask_examples(connection, sql)
