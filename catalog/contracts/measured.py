"""What a measure of a dataset gives: values with labels, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
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


def check_known(name: str, values: Sequence[Any], known: Sequence[str]) -> None:
    """Raise ContractError if an argument of a measure is none of those it may be."""
    for value in values:
        if value not in known:
            raise ContractError(f"a measure's `{name}` is {value!r}; {nearest(str(value), known)}")
