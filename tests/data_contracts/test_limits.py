"""Limits, held against Python's own comparisons and against Great Expectations."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.errors import ContractError
from data_contracts.gate import Expectation, judge
from data_contracts.limits import OPERATORS, Limit, limit_in

PLAIN = {
    "mustBe": lambda n, v: n == v,
    "mustNotBe": lambda n, v: n != v,
    "mustBeGreaterThan": lambda n, v: n > v,
    "mustBeGreaterOrEqualTo": lambda n, v: n >= v,
    "mustBeLessThan": lambda n, v: n < v,
    "mustBeLessOrEqualTo": lambda n, v: n <= v,
    "mustBeBetween": lambda n, v: v[0] <= n <= v[1],
    "mustNotBeBetween": lambda n, v: not v[0] <= n <= v[1],
}
# few different values, so that numbers meet limits; Great Expectations' limits are floats
FEW = (-1, 0, 1, 2, 0.5, 1.0, 2.5)
NUMBERS = st.one_of(st.sampled_from(FEW), st.sampled_from([-(2**53), 2**53 - 1, 1e300, 1e-300]))


@st.composite
def limits(draw: Any) -> Limit:
    operator = draw(st.sampled_from(OPERATORS))
    if operator.endswith("Between"):
        return Limit(
            operator, sorted(draw(st.tuples(NUMBERS, NUMBERS).filter(lambda p: p[0] != p[1])))
        )
    return Limit(operator, draw(NUMBERS))


def test_every_operator_of_the_standard_is_there():
    assert set(PLAIN) == set(OPERATORS)


def test_a_limit_is_kept_as_python_compares():
    seen: Counter[tuple[str, bool]] = Counter()

    @settings(max_examples=400)
    @given(limits(), st.one_of(NUMBERS, st.integers(), st.floats(allow_nan=False)))
    def check(limit: Limit, number: Any) -> None:
        expected = PLAIN[limit.operator](number, limit.value)
        assert limit.keeps(number) == expected
        seen[limit.operator, expected] += 1

    check()
    assert len(seen) > len(OPERATORS), seen


@pytest.mark.parametrize("numbers", [(-1, 0, 1, 2, 3), (-1.0, 0.5, 1.0, 2.5, 1e300, math.inf)])
def test_great_expectations_judges_a_limit_as_it_is_kept(numbers):
    """Each limit is a column of which each row holds a number; the rows that break it are named."""
    pairs = [list(pair) for pair in itertools.combinations((0, 0.5, 1, 2), 2)]
    limits = {
        f"{operator} {value}": Limit(operator, value)
        for operator in OPERATORS
        for value in (pairs if operator.endswith("Between") else (0, 0.5, 1, 2))
    }
    frame = {name: [limit.judged(n) for n in numbers] for name, limit in limits.items()}
    asked = [
        Expectation(name, limit.expectation()[0], {"column": name, **limit.expectation()[1]})
        for name, limit in limits.items()
    ]
    seen: Counter[tuple[str, bool]] = Counter()
    for found in judge(pa.table(frame), asked):
        limit = limits[found.rule]
        expected = [not PLAIN[limit.operator](number, limit.value) for number in numbers]
        assert found.problem is None
        assert [row in found.rows for row in range(len(numbers))] == expected
        assert [not limit.keeps(number) for number in numbers] == expected
        seen.update((limit.operator, is_broken) for is_broken in expected)
    assert len(seen) == 2 * len(OPERATORS)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("number", [None, math.nan])
def test_what_is_no_number_keeps_no_limit(operator, number):
    value = [0, 1] if operator.endswith("Between") else 0
    assert not Limit(operator, value).keeps(number)


@pytest.mark.parametrize("operator", OPERATORS)
def test_infinity_is_compared_like_any_number(operator):
    value = [0, 1] if operator.endswith("Between") else 0
    for number in (math.inf, -math.inf):
        assert Limit(operator, value).keeps(number) == PLAIN[operator](number, value)


def test_a_limit_is_said_in_words():
    assert str(Limit("mustBeBetween", [1, 2.5])) == "must be between 1 and 2.5"
    assert str(Limit("mustNotBe", 0)) == "must not be 0"
    assert len({str(Limit(o, [1, 2] if "tween" in o else 1)) for o in OPERATORS}) == len(OPERATORS)


def test_a_rule_has_just_one_limit():
    assert limit_in({"mustBe": 3, "metric": "rowCount"}) == Limit("mustBe", 3)
    assert limit_in({"metric": "rowCount"}) is None
    assert limit_in({"mustBe": 3, "mustBeLessThan": 4}) is None


@pytest.mark.parametrize(
    ("operator", "value", "said"),
    [
        ("mustBe", "5", "one finite number"),
        ("mustBe", None, "one finite number"),
        ("mustBe", [1], "one finite number"),
        ("mustBeLessThan", math.nan, "one finite number"),
        ("mustBeGreaterThan", math.inf, "one finite number"),
        ("mustBe", 2**63, "one finite number"),
        ("mustBeBetween", 5, "two finite numbers"),
        ("mustBeBetween", [1], "two finite numbers"),
        ("mustBeBetween", [1, 2, 3], "two finite numbers"),
        ("mustNotBeBetween", [math.nan, 1], "two finite numbers"),
        ("mustBeBetween", "12", "two finite numbers"),
        ("mustBeBetween", [5, 1], "smaller number first"),
        ("mustNotBeBetween", [5, 1], "smaller number first"),
    ],
)
def test_a_limit_that_nothing_could_be_held_against_is_refused(operator, value, said):
    with pytest.raises(ContractError, match=said):
        limit_in({operator: value})
