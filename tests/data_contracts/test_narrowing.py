"""Whether a check asks for more than another, held against the data that each lets pass."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.contract import Count, Expect, HasType, Measure, Query
from data_contracts.limits import OPERATORS, ZERO, Limit
from data_contracts.narrowing import joined, of_limits, relation

# numbers between and beyond the bounds of limits, so that every interval has one of them in it
BOUNDS = (-1, 0, 1, 2, 3)
NUMBERS = [n / 4 for n in range(-12, 21)]


@st.composite
def limits(draw: Any) -> Limit:
    operator = draw(st.sampled_from(OPERATORS))
    low, high = sorted(draw(st.tuples(*[st.sampled_from(BOUNDS)] * 2)))
    return Limit(operator, [low, high] if operator.endswith("Between") else low)


def by_trial(before: set[Any], now: set[Any]) -> str:
    if before == now:
        return "same"
    return "narrower" if now < before else "wider" if before < now else "different"


def test_limits_are_compared_by_the_numbers_that_they_allow():
    seen: Counter[str] = Counter()

    @settings(max_examples=500)
    @given(limits(), limits(), st.booleans())
    def check(old: Limit, new: Limit, at_least_0: bool) -> None:
        numbers = [n for n in NUMBERS if n >= 0 or not at_least_0]
        before, now = ({n for n in numbers if limit.keeps(n)} for limit in (old, new))
        found = of_limits(old, new, at_least_0)
        assert found == by_trial(before, now)
        seen[found] += 1

    check()
    assert min(seen.values()) > 10
    assert len(seen) == 4


VALUES = st.lists(st.sampled_from(["a", "b", "c", 1, None]), unique=True)


def test_sets_of_values_are_compared_as_sets():
    seen: Counter[str] = Counter()

    @settings(max_examples=200)
    @given(VALUES, VALUES)
    def check(old: list[Any], new: list[Any]) -> None:
        allowed = [
            Expect("expect_column_values_to_be_in_set", {"value_set": v}) for v in (old, new)
        ]
        found = relation(*allowed)
        assert found == by_trial(set(old), set(new))
        forbidden = [
            Expect("expect_column_values_to_not_be_in_set", {"value_set": v}) for v in (new, old)
        ]
        assert relation(*forbidden) == found
        counts = [Count("invalidValues", {"validValues": v}, ZERO) for v in (old, new)]
        assert relation(*counts) == found
        missing = [Count("missingValues", {"missingValues": v}, ZERO) for v in (new, old)]
        assert relation(*missing) == found
        seen[found] += 1

    check()
    assert len(seen) == 4


def test_ranges_are_compared_by_the_numbers_in_them():
    seen: Counter[str] = Counter()
    bound = st.none() | st.sampled_from(BOUNDS)

    def expects(
        low: Any, high: Any, strict_low: bool, strict_high: bool
    ) -> tuple[Expect, set[float]]:
        kwargs = {
            "min_value": low,
            "max_value": high,
            "strict_min": strict_low,
            "strict_max": strict_high,
        }
        inside = {
            n
            for n in NUMBERS
            if (low is None or n > low or (n == low and not strict_low))
            and (high is None or n < high or (n == high and not strict_high))
        }
        given_only = {key: value for key, value in kwargs.items() if value is not None}
        return Expect("expect_column_values_to_be_between", given_only), inside

    ranges = st.tuples(bound, bound, st.booleans(), st.booleans()).filter(
        lambda r: r[0] is None or r[1] is None or r[0] < r[1]
    )

    @settings(max_examples=400)
    @given(ranges, ranges)
    def check(old: Any, new: Any) -> None:
        (one, before), (other, now) = expects(*old), expects(*new)
        found = relation(one, other)
        assert found == by_trial(before, now)
        seen[found] += 1

    check()
    assert len(seen) == 4


def between(low: Any, high: Any, **more: Any) -> Expect:
    return Expect(
        "expect_column_values_to_be_between", {"min_value": low, "max_value": high, **more}
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (between(0, 1), between(0, 1, mostly=0.9), "wider"),
        (between(0, 1, mostly=0.9), between(0, 1), "narrower"),
        (between(0, 1, mostly=0.9), between(0, 2), "different"),
        (between("2020-01-01", "2021-01-01"), between("2019-01-01", "2021-01-01"), "wider"),
        (between(0, 1), between("0", "1"), "different"),
        (between(0, 1), between(0, 1, row_condition="a > 1"), "different"),
        (
            Expect("expect_column_to_exist", {}),
            Expect("expect_column_mean_to_be_between", {}),
            "different",
        ),
        (Expect("expect_x", {"a": 1}), Expect("expect_x", {"a": 2}), "different"),
        (Expect("expect_x", {"a": 1}), Expect("expect_x", {"a": 1, "mostly": 0.5}), "wider"),
        (
            Count("invalidValues", {"pattern": "a"}, ZERO),
            Count("invalidValues", {"pattern": "a|b"}, ZERO),
            "different",
        ),
        (
            Count("invalidValues", {"minLength": 1}, ZERO),
            Count("invalidValues", {"minLength": 1, "maxLength": 9}, ZERO),
            "narrower",
        ),
        (
            Count("invalidValues", {"minLength": 1, "maxLength": 9}, ZERO),
            Count("invalidValues", {"minLength": 0, "maxLength": 10}, ZERO),
            "wider",
        ),
        (
            Count("invalidValues", {"minLength": 1, "maxLength": 9}, ZERO),
            Count("invalidValues", {"minLength": 2, "maxLength": 10}, ZERO),
            "different",
        ),
        (
            Count("invalidValues", {"minLength": 1}, Limit("mustBeGreaterThan", 3)),
            Count("invalidValues", {"minLength": 2}, Limit("mustBeGreaterThan", 3)),
            "different",
        ),
        (
            Count("invalidValues", {"minLength": 1}, ZERO),
            Count("invalidValues", {"minLength": 2}, Limit("mustBeLessThan", 3)),
            "different",
        ),
        (
            Count("duplicateValues", {"properties": ["a"]}, ZERO),
            Count("duplicateValues", {"properties": ["a", "b"]}, ZERO),
            "wider",
        ),
        (
            Count("nullValues", {}, ZERO),
            Count("nullValues", {}, Limit("mustBeLessOrEqualTo", 0)),
            "same",
        ),
        (
            Count("nullValues", {}, ZERO),
            Count("nullValues", {}, Limit("mustBeLessThan", 5)),
            "wider",
        ),
        (Count("nullValues", {}, ZERO), Count("duplicateValues", {}, ZERO), "different"),
        (Query("SELECT  1", None, ZERO), Query("SELECT\n1", "SELECT 2", ZERO), "same"),
        (Query("SELECT 1", None, ZERO), Query("SELECT 2", None, ZERO), "different"),
        (
            Query("SELECT 1", None, ZERO),
            Query("SELECT 1", None, Limit("mustBeLessThan", 0)),
            "different",
        ),
        (
            Measure("drift", {"of": "x"}, Limit("mustBeLessThan", 0.2)),
            Measure("drift", {"of": "x"}, Limit("mustBeLessThan", 0.1)),
            "narrower",
        ),
        (
            Measure("drift", {"of": "x"}, Limit("mustBeLessThan", 0.2)),
            Measure("drift", {"of": "x", "bins": 5}, Limit("mustBeLessThan", 0.2)),
            "different",
        ),
        (HasType("int32"), HasType("int64"), "different"),
        (Count("nullValues", {}, ZERO), Query("SELECT 1", None, ZERO), "different"),
    ],
)
def test_relations_of_checks(old, new, expected):
    back = {"narrower": "wider", "wider": "narrower"}.get(expected, expected)
    assert (relation(old, new), relation(new, old)) == (expected, back)
    assert relation(old, old) == relation(new, new) == "same"


def test_several_respects_are_joined():
    assert joined([]) == joined(["same", "same"]) == "same"
    assert joined(["same", "wider", "wider"]) == "wider"
    assert joined(["narrower", "wider"]) == joined(["different", "wider"]) == "different"
