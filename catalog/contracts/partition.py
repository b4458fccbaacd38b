"""Checking one partition: its columns and types, expectations on its rows, values counted.

What is found here adds up over partitions, so that a partition is checked once for a contract,
however many runs have it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import pyarrow as pa

from catalog.contracts.counts import count_in_part
from catalog.contracts.measures import OF_FILES, PART_MEASURES
from catalog.contracts.stand_ins import rules_that_hold
from catalog.contracts.subject import CheckedPart
from catalog.contracts.tally import Tally, shown, shown_row
from data_contracts.column_types import spelt
from data_contracts.contract import Count, Expect, HasColumns, HasType, Measure, Rule
from data_contracts.errors import ContractError
from data_contracts.gate import Expectation, Judgement, check_expectations, judge

_IN_SET = "expect_column_values_to_be_in_set"
_ADDITIVE = ("nullValues", "missingValues", "invalidValues")


def is_of_partitions(rule: Rule) -> bool:
    """Return whether a rule's result is the sum of its results in the partitions."""
    check = rule.check
    if isinstance(check, Count):
        return check.metric in _ADDITIVE
    if isinstance(check, Measure):
        return check.name in PART_MEASURES
    return isinstance(check, HasColumns | HasType | Expect)


def needs_files(rule: Rule) -> bool:
    """Return whether a rule looks into the files beside the rows, which a folder has not."""
    return isinstance(rule.check, Measure) and rule.check.name in OF_FILES


def check_parts(
    parts: Sequence[CheckedPart], rules: Sequence[Rule], key: Sequence[str]
) -> Iterator[dict[str, Tally]]:
    """Check partitions, in their order: several at once are counted and measured, the gate judges.

    Great Expectations runs on the calling thread alone, as it does not say that it may do else.
    """
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="count") as pool:
        counted = pool.map(lambda part: _count(part, rules, key), parts)
        held = rules_that_hold(pool, parts, rules)
        others = [rule for rule in rules if rule.name not in held]
        for part, counts in zip(parts, counted, strict=True):
            holding = dict.fromkeys(held, Tally(part.num_rows() if held else 0))
            yield {**counts, **holding, **check_part(part, others, key)}


def _count(part: CheckedPart, rules: Sequence[Rule], key: Sequence[str]) -> dict[str, Tally]:
    """Count and measure what of a partition breaks rules which do that."""
    counts = [rule for rule in rules if isinstance(rule.check, Count)]
    names = [name for name in key if name in part.schema.names]
    tallies = count_in_part(counts, part.rows, part.schema, names) if counts else {}
    for rule in rules:
        if isinstance(rule.check, Measure):
            try:
                measure = PART_MEASURES[rule.check.name]
                tallies[rule.name] = measure(part, rule.check.arguments)
            except ContractError as error:
                tallies[rule.name] = Tally(1, 1, False, problem=f"it cannot be measured: {error}")
    return tallies


def check_part(part: CheckedPart, rules: Sequence[Rule], key: Sequence[str]) -> dict[str, Tally]:
    """Check one partition against the rules that Great Expectations judges on it.

    Returns a tally for each; ``key`` names the columns by which broken rows are shown.
    """
    key = [name for name in key if name in part.schema.names]
    of_schema = [rule for rule in rules if isinstance(rule.check, HasColumns | HasType)]
    expected = [rule for rule in rules if isinstance(rule.check, Expect)]
    types = tuple((field.name, spelt(field.type)) for field in part.schema)
    tallies = dict(_check_schema(tuple(of_schema), types)) if of_schema else {}
    if expected:
        tallies |= _check_rows(part, expected, key)
    return tallies


def expectation_of(rule: Rule) -> Expectation:
    """Return what Great Expectations is asked for a rule that is of partitions."""
    check = rule.check
    if isinstance(check, HasColumns):
        kwargs = {"column_set": list(check.columns), "exact_match": check.exact}
        return Expectation(rule.name, "expect_table_columns_to_match_set", kwargs)
    if isinstance(check, HasType):
        kwargs = {"column": rule.column, "value_set": [check.type]}
        return Expectation(rule.name, "expect_column_values_to_be_in_set", kwargs)
    assert isinstance(check, Expect)
    return Expectation(rule.name, check.type, check.kwargs)


@lru_cache(maxsize=64)
def _check_schema(
    rules: tuple[Rule, ...], types: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, Tally], ...]:
    """Judge a frame of one row that holds the names of the columns' types; once per schema."""
    names = [name for name, _ in types]
    tallies = {
        rule.name: Tally(1, 1, kept=False, problem=f"there is no column {rule.column!r}")
        for rule in rules
        if isinstance(rule.check, HasType) and rule.column not in names
    }
    asked = [rule for rule in rules if rule.name not in tallies]
    frame = pa.table({name: [type_] for name, type_ in types})
    of_types = [rule for rule in asked if isinstance(rule.check, HasType)]
    if _types_are_declared(of_types, dict(types)):
        tallies |= {rule.name: Tally(1) for rule in of_types}
        asked = [rule for rule in asked if rule.name not in tallies]
    for judgement in judge(frame, [expectation_of(rule) for rule in asked]):
        tallies[judgement.rule] = _tally(judgement, [shown(value) for value in judgement.values])
    return tuple(tallies.items())


def _types_are_declared(rules: Sequence[Rule], types: Mapping[str, str]) -> bool:
    """Let all types be judged at once: an expectation takes 30 ms, however little it looks at."""
    if not rules:
        return True
    declared = [f"{r.column}: {r.check.type}" for r in rules if isinstance(r.check, HasType)]
    frame = pa.table({"type": [f"{rule.column}: {types[rule.column or '']}" for rule in rules]})
    kwargs = {"column": "type", "value_set": declared}
    (judgement,) = judge(frame, [Expectation("types", _IN_SET, kwargs)])
    return judgement.kept


def _check_rows(part: CheckedPart, rules: Sequence[Rule], key: Sequence[str]) -> dict[str, Tally]:
    """Judge the rows, in a frame of just the columns that the expectations name."""
    asked = [expectation_of(rule) for rule in rules]
    wanted = [name for name in part.schema.names if any(_names(e, name) for e in asked)]
    frame = part.read(wanted or part.schema.names[:1])
    if not len(frame):
        return _check_no_rows(part, asked)
    judgements = judge(frame, asked)
    positions = sorted({row for judgement in judgements for row in judgement.rows})
    keys = part.read(key).take(positions).to_pylist() if positions and key else []
    named = dict(zip(positions, keys, strict=False))
    return {
        found.rule: _tally(found, list(_samples(found, rule, named)))
        for found, rule in zip(judgements, rules, strict=True)
    }


def _check_no_rows(part: CheckedPart, asked: Sequence[Expectation]) -> dict[str, Tally]:
    """Judge what is not of rows; all else holds of none, if it could be asked of some."""
    check_expectations(asked)
    frame = part.read(part.schema.names)
    of_table = [e for e in asked if _is_of_table(e)]
    tallies = {e.rule: Tally() for e in asked}
    for found in judge(frame, of_table):
        tallies[found.rule] = _tally(found, ())
    for e in asked:
        absent = [name for name in _columns_of(e) if name not in part.schema.names]
        if absent and e not in of_table:
            problem = f"there is no column {absent[0]!r}"
            tallies[e.rule] = Tally(0, 0, kept=False, problem=problem)
    return tallies


def _is_of_table(expectation: Expectation) -> bool:
    return expectation.type.startswith("expect_table_")


def _columns_of(expectation: Expectation) -> list[str]:
    """Return the names of columns that an expectation's arguments give."""
    kwargs = expectation.kwargs
    named = [kwargs.get(name) for name in ("column", "column_A", "column_B")]
    return [*filter(None, named), *(kwargs.get("column_list") or ())]


def _names(expectation: Expectation, column: str) -> bool:
    """Return whether an expectation looks at a column."""
    if expectation.type.startswith("expect_table_column"):
        return True  # how many there are, and in which order
    condition = str(expectation.kwargs.get("row_condition", ""))
    return column in _columns_of(expectation) or column in condition


def _samples(found: Judgement, rule: Rule, named: dict[int, dict[str, object]]) -> Iterator[str]:
    """Yield the broken rows by their keys, each with its value; the values alone without rows."""
    if not found.rows:
        yield from map(shown, found.values)
        return
    values = [*found.values, *[None] * len(found.rows)]
    for position, value in zip(found.rows, values, strict=False):
        row = {**named.get(position, {}), rule.column or "value": value}
        yield shown_row(row)


def _tally(found: Judgement, samples: Sequence[str]) -> Tally:
    return Tally(
        num_checked=found.num_checked,
        num_broken=found.num_broken if not found.kept or found.values else 0,
        kept=found.kept,
        samples=tuple(samples) if not found.kept else (),
        observed=None if found.observed is None else shown(found.observed),
        problem=found.problem,
    )
