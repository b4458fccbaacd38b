"""Rules that look at all rows: what they ask, how it is judged, what they have not to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from contract_tables import count, measure, query, subject

from catalog.contracts.asking import ask_whole
from catalog.contracts.subject import Subject
from catalog.contracts.tally import Tally
from catalog.contracts.whole import (
    fact_expectation,
    judge_totals,
    judge_whole,
    limit_of,
)
from data_contracts.contract import NotRun, Rule
from data_contracts.limits import Limit

ROWS = pa.table({"x": [1, 2, 2, None], "s": ["a", "b", "a", "b"]})
MORE = pa.table({"x": [1, 5], "s": ["a", "c"]})


def check_whole(of: Subject, rules: Sequence[Rule]) -> tuple[dict[str, Tally], dict[str, str]]:
    return judge_whole(of, rules, ask_whole(of, rules))


def checked(rule: Rule, *tables: pa.Table, **more: Any) -> Tally | str:
    """Return the tally of a rule, or why it was skipped."""
    tallies, skipped = check_whole(subject(*(tables or (ROWS, MORE)), **more), [rule])
    assert len(tallies) + len(skipped) == 1
    return tallies.get(rule.name) or skipped[rule.name]


def test_uniqueness_is_of_all_partitions_together():
    found = checked(count("duplicateValues"))
    assert found == Tally(1, 2, False, ("x=1, times=2", "x=2, times=2"), "2")
    assert checked(count("duplicateValues"), MORE) == Tally(1, 0, True, (), "0")
    together = count("duplicateValues", properties=["x", "s"])
    assert checked(together) == Tally(1, 1, False, ("x=1, s='a', times=2",), "1")


@pytest.mark.parametrize(
    ("limit", "kept"),
    [
        (Limit("mustBe", 6), True),
        (Limit("mustBe", 5), False),
        (Limit("mustNotBeBetween", [5, 7]), False),
        (Limit("mustNotBeBetween", [7, 9]), True),
        (Limit("mustBeGreaterThan", 5), True),
        (Limit("mustBeLessThan", 6), False),
    ],
)
def test_rows_are_counted(limit, kept):
    found = checked(count("rowCount", None, limit))
    assert found == Tally(1, 0 if kept else 1, kept, (), "6")


def test_a_number_that_must_be_none_says_how_many_rows_are_broken():
    bad = query("SELECT count(*) FROM rows WHERE s <> 'a'", examples="FROM rows WHERE s <> 'a'")
    found = checked(bad)
    assert isinstance(found, Tally)
    assert (found.num_broken, found.observed, len(found.samples)) == (3, "3", 3)
    assert found.samples[0] == "x=2, s='b', part='p0'"
    other = checked(query("SELECT 7", Limit("mustBeLessThan", 5)))
    assert other == Tally(1, 1, False, (), "7")


def test_examples_are_asked_of_broken_rules_only():
    wrong = "SELECT nothing FROM rows"
    assert checked(query("SELECT 0", examples=wrong)) == Tally(1, 0, True, (), "0")
    found = checked(query("SELECT 1", examples=wrong))
    assert isinstance(found, Tally)
    assert "examples cannot be asked" in found.samples[0]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT NULL",
        "SELECT 0 / 0",
        "SELECT count(*) / count(*) FROM rows WHERE false",
        "SELECT 'a'",
        "SELECT x FROM rows",
        "SELECT nothing FROM rows",
        "SELECT count(*) FROM nothing",
        "SELECT count(*) FROM read_csv('/etc/passwd')",
    ],
)
@pytest.mark.parametrize("operator", ["mustBe", "mustNotBe", "mustBeLessThan", "mustNotBeBetween"])
def test_what_gives_no_number_is_broken_under_any_limit(sql, operator):
    value = [3, 4] if operator == "mustNotBeBetween" else 3
    found = checked(query(sql, Limit(operator, value)))
    assert isinstance(found, Tally)
    assert (found.kept, found.num_broken) == (False, 1)
    assert found.problem


def test_numbers_beyond_64_bits_are_judged():
    assert checked(query("SELECT 2::HUGEINT ** 100", Limit("mustBeGreaterThan", 5))).kept
    assert not checked(query("SELECT sum(x) * 1e30 FROM rows", Limit("mustBeLessThan", 5))).kept
    assert not checked(query("SELECT 1 / 0", Limit("mustBeLessThan", 5))).kept


def test_rules_of_one_limit_are_judged_each_by_its_own_number():
    numbers = {"0": True, "0.5": False, "9007199254740993": False, "1e300": False, "0.0": True}
    rules = [replace(query(f"SELECT {number}"), name=number) for number in numbers]
    tallies, skipped = check_whole(subject(ROWS), rules)
    assert {name: tally.kept for name, tally in tallies.items()} == numbers
    assert skipped == {}


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT count(*) FROM baseline", "no run was accepted yet"),
        ("SELECT count(*) FROM Baseline", "no run was accepted yet"),
        ("SELECT count(*) FROM documents", "the dataset 'documents' is not here"),
        ("SELECT count(*) FROM quarantined", "the dataset 'quarantined' is not here"),
        ("SELECT count(*) FROM partitions", "the dataset 'partitions' is not here"),
        ("WITH baseline AS (FROM baseline) SELECT count(*) FROM baseline", "accepted"),
    ],
)
def test_what_is_not_there_yet_is_skipped_and_says_why(sql, why):
    found = checked(query(sql))
    assert isinstance(found, str)
    assert why in found


def test_views_are_the_dataset_by_two_names_the_others_and_the_baseline():
    def number(sql: str) -> Any:
        found = checked(
            query(sql, Limit("mustBe", -1)),
            baseline=MORE,
            others={"documents": MORE, "splits": ROWS},
        )
        return found.observed if isinstance(found, Tally) else found

    assert number("SELECT count(*) FROM rows") == number("SELECT count(*) FROM things") == "6"
    assert (
        number("SELECT count(*) FROM baseline") == number("SELECT count(*) FROM documents") == "2"
    )
    assert number("SELECT count(*) FROM rows WHERE part = 'p1'") == "2"
    assert number("SELECT count(*) FROM rows JOIN splits USING (s)") == "10"


def test_measures_are_judged_value_by_value():
    before, now = pa.table({"x": [0] * 50 + [1] * 50}), pa.table({"x": [0] * 90 + [1] * 10})
    limit = Limit("mustBeLessOrEqualTo", 0.25)
    rule = measure("drift", limit, of="x", min_rows=10)
    found = checked(rule, now, baseline=before)
    assert isinstance(found, Tally)
    assert (found.num_checked, found.num_broken, found.kept) == (1, 1, False)
    assert str(found.observed).startswith("x = 0.8")
    assert found.samples == (found.observed,)
    assert checked(rule, before, baseline=before) == Tally(1, 0, True, (), "x = 0 of 100 rows")
    assert checked(rule, now) == "no run was accepted yet"
    assert "too few" in str(checked(measure("drift", limit, of="x"), now, baseline=before))


def test_only_the_sources_beyond_the_limit_are_broken():
    ids = [f"d{n}" for n in range(30)]
    documents = pa.table({"doc_id": ids, "source": ["a"] * 10 + ["b"] * 10 + ["c"] * 10})
    keep = [True] * 10 + [True] * 5 + [False] * 5 + [False] * 10
    rows = pa.table({"doc_id": ids, "keep": keep, "reason": [None if k else "r" for k in keep]})
    rule = measure("drop_rate", Limit("mustBeLessThan", 0.5), min_rows=1)
    found = checked(rule, rows, others={"documents": documents})
    assert found == Tally(
        3, 2, False, ("c = 1 of 10 rows", "b = 0.5 of 10 rows"), "c = 1 of 10 rows"
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (measure("dift", of="x"), "did you mean 'drift'"),
        (measure("drift", of="nothing"), "cannot be measured"),
        (measure("drift", bins=3), "needs `of`"),
        (measure("drift", of="x", binz=3), "did you mean 'bins'"),
        (measure("drift", of="x); DROP VIEW rows; --"), "cannot be measured"),
        (measure("drop_rate", by=[]), "cannot be measured"),
        (measure("drop_rate", by=5), "a measure's `by` is 5"),
        (count("duplicateValues", "nothing"), "cannot be asked"),
        (count("duplicateValues", properties=["x", "z"]), "cannot be asked"),
    ],
)
def test_what_cannot_be_measured_is_broken(rule, said):
    found = checked(rule, baseline=ROWS, others={"documents": ROWS})
    assert isinstance(found, Tally)
    assert not found.kept
    assert said in str(found.problem)


def test_sums_over_partitions_are_judged_by_their_limit():
    rule = count("nullValues", limit=Limit("mustBeLessThan", 3))
    sums = {rule.name: Tally(100, 2, samples=("x=None",))}
    assert judge_totals([rule], sums) == {rule.name: Tally(100, 0, True, (), "2")}
    sums = {rule.name: Tally(100, 3, samples=("x=None",))}
    assert judge_totals([rule], sums) == {rule.name: Tally(100, 3, False, ("x=None",), "3")}
    problem = Tally(1, 1, False, problem="no column")
    assert judge_totals([rule], {rule.name: problem}) == {rule.name: problem}
    many = count("nullValues", limit=Limit("mustBeGreaterThan", 0))
    assert judge_totals([many], {many.name: Tally(9)})[many.name] == Tally(9, 1, False, (), "0")


def test_a_fact_is_asked_in_the_words_of_great_expectations():
    rule = count("rowCount", None, Limit("mustBeBetween", [1, 2]))
    assert str(fact_expectation(rule)) == (
        "expect_column_values_to_be_between(column='None.rowCount', min_value=1, max_value=2)"
    )
    assert limit_of(rule) == Limit("mustBeBetween", [1, 2])
    assert limit_of(Rule("t", "stop", "", NotRun("it is text"))) is None
