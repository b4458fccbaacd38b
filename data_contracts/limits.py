"""Limits: the standard's comparison operators (``mustBe``, ``mustBeLessThan``, …) as values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data_contracts.errors import ContractError

# operator -> (Great Expectations' expectation, its arguments from the operator's value)
_BETWEEN = "expect_column_values_to_be_between"
_OPERATORS: dict[str, Any] = {
    "mustBe": lambda value: ("expect_column_values_to_be_in_set", {"value_set": [value]}),
    "mustNotBe": lambda value: ("expect_column_values_to_not_be_in_set", {"value_set": [value]}),
    "mustBeGreaterThan": lambda value: (_BETWEEN, {"min_value": value, "strict_min": True}),
    "mustBeGreaterOrEqualTo": lambda value: (_BETWEEN, {"min_value": value}),
    "mustBeLessThan": lambda value: (_BETWEEN, {"max_value": value, "strict_max": True}),
    "mustBeLessOrEqualTo": lambda value: (_BETWEEN, {"max_value": value}),
    "mustBeBetween": lambda value: (_BETWEEN, {"min_value": value[0], "max_value": value[1]}),
    "mustNotBeBetween": lambda _: ("expect_column_values_to_be_in_set", {"value_set": [False]}),
}
_WORDS = {
    "mustBe": "must be {}",
    "mustNotBe": "must not be {}",
    "mustBeGreaterThan": "must be greater than {}",
    "mustBeGreaterOrEqualTo": "must be at least {}",
    "mustBeLessThan": "must be less than {}",
    "mustBeLessOrEqualTo": "must be at most {}",
    "mustBeBetween": "must be between {} and {}",
    "mustNotBeBetween": "must not be between {} and {}",
}
OPERATORS = tuple(_OPERATORS)


@dataclass(frozen=True)
class Limit:
    """What a number must be: one of `OPERATORS` and its value (a pair for the ``…Between``)."""

    operator: str
    value: Any

    def __str__(self) -> str:
        values = self.value if isinstance(self.value, list | tuple) else (self.value,)
        return _WORDS[self.operator].format(*values)

    def expectation(self) -> tuple[str, dict[str, Any]]:
        """Return the expectation that holds of `judged` where the limit is kept."""
        type_, kwargs = _OPERATORS[self.operator](self.value)
        return type_, dict(kwargs)

    def judged(self, number: Any) -> Any:
        """Return what the expectation looks at: the number, or whether it is in a forbidden range.

        Great Expectations has no expectation that values lie *outside* a range.
        """
        if self.operator == "mustNotBeBetween" and number is not None:
            low, high = self.value
            return bool(low <= number <= high)
        return number

    def keeps(self, number: Any) -> bool:
        """Return whether a number keeps the limit; None and NaN never do."""
        if number is None or math.isnan(number):
            return False
        type_, kwargs = self.expectation()
        value = self.judged(number)
        if type_ == _BETWEEN:
            low, high = kwargs.get("min_value"), kwargs.get("max_value")
            above = low is None or (value > low if kwargs.get("strict_min") else value >= low)
            below = high is None or (value < high if kwargs.get("strict_max") else value <= high)
            return above and below
        return (value in kwargs["value_set"]) == (type_ == "expect_column_values_to_be_in_set")


ZERO = Limit("mustBe", 0)


def limit_in(values: Mapping[str, Any]) -> Limit | None:
    """Return the limit among the keys of a rule, or None if there is not exactly one.

    Raises:
        ContractError: if its value is not a number, or not two in ascending order.
    """
    found = [Limit(operator, values[operator]) for operator in OPERATORS if operator in values]
    if len(found) != 1:
        return None
    (limit,) = found
    pair = limit.operator.endswith("Between")
    numbers = limit.value if pair else [limit.value]
    if not isinstance(numbers, list) or len(numbers) != 1 + pair or not all(map(_fits, numbers)):
        what = "two finite numbers" if pair else "one finite number"
        raise ContractError(f"{limit.operator} is {limit.value!r}; give {what}.")
    if pair and numbers[0] > numbers[1]:
        raise ContractError(f"{limit.operator} is {limit.value!r}; give the smaller number first.")
    return limit


def _fits(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and abs(value) < 2**63
