"""Whether one rule asks for more than another: what `data_contracts.compatibility` stands on.

A check lets some data pass. One that lets only part of them pass is narrower, one that lets more
pass is wider; where neither can be shown (other SQL, another pattern), they are different.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from data_contracts.contract import Check, Count, Expect, Measure, Query
from data_contracts.limits import Limit

Relation = Literal["same", "narrower", "wider", "different"]

# an interval's end: -1 without one below, 1 without one above; the value; how little beyond it
_End: TypeAlias = tuple[int, Any, int]
_Interval: TypeAlias = tuple[_End, _End]

_IN_SET = "expect_column_values_to_be_in_set"
_NOT_IN_SET = "expect_column_values_to_not_be_in_set"
_BETWEEN = "expect_column_values_to_be_between"
_LOWEST, _HIGHEST = (-1, 0, 0), (1, 0, 0)
_NONE = (0, 0, 0)
_BOUNDS = ("min_value", "max_value", "strict_min", "strict_max")


def relation(old: Check, new: Check) -> Relation:
    """Return whether the new check is the same as the old one, narrower, wider or different."""
    if old == new:
        return "same"
    if isinstance(old, Expect) and isinstance(new, Expect) and old.type == new.type:
        return _of_expectations(old.type, old.kwargs, new.kwargs)
    if isinstance(old, Count) and isinstance(new, Count) and old.metric == new.metric:
        limits = of_limits(old.limit, new.limit, at_least_0=True)
        if old.arguments == new.arguments:
            return limits
        if limits == "same" and _is_of_few(old.limit):
            return _of_arguments(old.arguments, new.arguments)
    if isinstance(old, Query) and isinstance(new, Query) and _words(old.sql) == _words(new.sql):
        return of_limits(old.limit, new.limit)
    if isinstance(old, Measure) and isinstance(new, Measure):
        same = (old.name, old.arguments) == (new.name, new.arguments)
        return of_limits(old.limit, new.limit, at_least_0=True) if same else "different"
    return "different"


def of_limits(old: Limit, new: Limit, at_least_0: bool = False) -> Relation:
    """Compare the numbers that two limits allow, or of these only those from 0 on."""
    lowest = _NONE if at_least_0 else _LOWEST
    before, now = (list(_clipped(_allowed(limit), lowest)) for limit in (old, new))
    return _by_inclusion(_within(now, before), _within(before, now))


def joined(relations: Iterable[Relation]) -> Relation:
    """Return the relation of things that differ in several respects at once."""
    found = {one for one in relations if one != "same"}
    return "same" if not found else found.pop() if len(found) == 1 else "different"


def _of_expectations(type_: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Relation:
    own = {_IN_SET: ("value_set",), _NOT_IN_SET: ("value_set",), _BETWEEN: _BOUNDS}.get(type_, ())
    compared = (*own, "mostly")
    if {k: v for k, v in old.items() if k not in compared} != {
        k: v for k, v in new.items() if k not in compared
    }:
        return "different"
    mostly = of_limits(
        Limit("mustBeGreaterOrEqualTo", old.get("mostly", 1)),
        Limit("mustBeGreaterOrEqualTo", new.get("mostly", 1)),
    )
    if type_ == _IN_SET:
        return joined([mostly, _of_sets(old["value_set"], new["value_set"])])
    if type_ == _NOT_IN_SET:
        return joined([mostly, _of_sets(new["value_set"], old["value_set"])])
    if type_ == _BETWEEN:
        return joined([mostly, _of_ranges(old, new)])
    return mostly


def _of_sets(old: Iterable[Any], new: Iterable[Any]) -> Relation:
    before, now = ({_key(value) for value in values} for values in (old, new))
    return _by_inclusion(now <= before, before <= now)


def _key(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else repr(value)


def _of_ranges(old: Mapping[str, Any], new: Mapping[str, Any]) -> Relation:
    before, now = ([_range(kwargs)] for kwargs in (old, new))
    try:
        return _by_inclusion(_within(now, before), _within(before, now))
    except TypeError:  # a number and a date
        return "different"


def _range(kwargs: Mapping[str, Any]) -> _Interval:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    return (
        _LOWEST if low is None else (0, low, int(bool(kwargs.get("strict_min")))),
        _HIGHEST if high is None else (0, high, -int(bool(kwargs.get("strict_max")))),
    )


# arguments of a count of broken values -> whether a list that has more of them breaks more
_LISTS = {"validValues": False, "missingValues": True, "properties": False}


def _of_arguments(old: Mapping[str, Any], new: Mapping[str, Any]) -> Relation:
    """Compare the arguments of two counts whose limit says how few rows may break them."""
    return joined(_of_argument(name, old.get(name), new.get(name)) for name in {**old, **new})


def _of_argument(name: str, old: Any, new: Any) -> Relation:
    if old == new:
        return "same"
    if old is None or new is None:
        if name in ("missingValues", "properties"):
            return "different"
        return "narrower" if old is None else "wider"
    if name in _LISTS:
        return _of_sets(*((new, old) if _LISTS[name] else (old, new)))
    if name in ("minLength", "maxLength"):
        return "narrower" if (new > old) == (name == "minLength") else "wider"
    return "different"


def _allowed(limit: Limit) -> list[_Interval]:
    """Return the intervals of numbers that keep a limit, in order; no two of them touch."""
    low, high = limit.value if isinstance(limit.value, list | tuple) else (limit.value,) * 2
    below, above = (_LOWEST, (0, low, -1)), ((0, high, 1), _HIGHEST)
    from_low, to_high = (0, low, 0), (0, high, 0)
    return {
        "mustBe": [(from_low, to_high)],
        "mustBeBetween": [(from_low, to_high)],
        "mustNotBe": [below, above],
        "mustNotBeBetween": [below, above],
        "mustBeGreaterThan": [above],
        "mustBeGreaterOrEqualTo": [(from_low, _HIGHEST)],
        "mustBeLessThan": [below],
        "mustBeLessOrEqualTo": [(_LOWEST, to_high)],
    }[limit.operator]


def _is_of_few(limit: Limit) -> bool:
    """Return whether fewer rows keep a limit wherever more do."""
    intervals = list(_clipped(_allowed(limit), _NONE))
    return len(intervals) == 1 and intervals[0][0] == _NONE


def _clipped(intervals: Iterable[_Interval], lowest: _End) -> Iterator[_Interval]:
    for low, high in intervals:
        if high >= lowest:
            yield max(low, lowest), high


def _within(some: Iterable[_Interval], others: list[_Interval]) -> bool:
    return all(any(o[0] <= low and high <= o[1] for o in others) for low, high in some)


def _by_inclusion(new_in_old: bool, old_in_new: bool) -> Relation:
    if new_in_old and old_in_new:
        return "same"
    return "narrower" if new_in_old else "wider" if old_in_new else "different"


def _words(sql: str) -> str:
    return " ".join(sql.split())
