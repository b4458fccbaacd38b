"""What a measure of a dataset gives: values with labels, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data_contracts.errors import ContractError
from store.hints import nearest

MIN_ROWS = 200  # below it a share or a distribution says little


@dataclass(frozen=True)
class Value:
    """One value of a measure: of what, how much, from how many rows."""

    label: str
    value: float
    num_rows: int


@dataclass(frozen=True)
class Skipped:
    """Why there is nothing to measure."""

    why: str


def check_arguments(measure: str, arguments: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise ContractError if a measure is given an argument that it does not take."""
    for name in arguments:
        if name not in known:
            hint = nearest(name, known) if known else "it takes none."
            raise ContractError(f"the measure {measure} takes no `{name}`; {hint}")


def whole_number(name: str, value: Any, at_least: int = 1) -> int:
    """Return an argument that must be a whole number, or raise ContractError."""
    if type(value) is not int or value < at_least:
        raise ContractError(
            f"a measure's `{name}` is {value!r}; give a whole number, at least {at_least}."
        )
    return value


def check_known(name: str, values: Sequence[Any], known: Sequence[str]) -> None:
    """Raise ContractError if an argument of a measure is none of those it may be."""
    for value in values:
        if value not in known:
            raise ContractError(f"a measure's `{name}` is {value!r}; {nearest(str(value), known)}")
