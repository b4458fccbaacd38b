"""Data contracts: YAML files of the Open Data Contract Standard, read into columns and rules.

One file speaks of one dataset: its columns with types, units and meaning, and the rules that hold
of it. What a rule asks is a small value (`Expect`, `Count`, `Query`, `Measure`, …);
`catalog.contracts` finds the numbers, `data_contracts.gate` judges them with Great Expectations.

Source: Bitol, Open Data Contract Standard v3 (its JSON schema comes with the package
``open-data-contract-standard``). Rules that the standard leaves to an ``engine`` are those of
``greatExpectations`` and of ``millrace``, whose measures `catalog.contracts.measures` lists.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from data_contracts.limits import Limit

SUITES = Path(__file__).parent / "suites"

Severity = Literal["stop", "warn"]
Metric = Literal["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"]


@dataclass(frozen=True)
class HasColumns:
    """The declared columns are there; with ``exact``, no others."""

    columns: tuple[str, ...]
    exact: bool


@dataclass(frozen=True)
class HasType:
    """A column has an Arrow type, spelt as `data_contracts.column_types.spelt` does."""

    type: str


@dataclass(frozen=True)
class Expect:
    """An expectation of Great Expectations on the rows, partition by partition."""

    type: str
    kwargs: dict[str, Any]


@dataclass(frozen=True)
class Count:
    """A metric of the standard's library: how many values are null, invalid, repeated, …

    ``arguments``: ``validValues``, ``pattern``, ``minLength``, ``maxLength``, ``missingValues``,
    ``properties`` (columns that are unique together).
    """

    metric: Metric
    arguments: dict[str, Any]
    limit: Limit


@dataclass(frozen=True)
class Query:
    """One SELECT over the dataset that gives one number; ``examples`` is one that gives rows."""

    sql: str
    examples: str | None
    limit: Limit


@dataclass(frozen=True)
class Measure:
    """One of Millrace's own measures (drop rate, drift, …), by name, with its arguments."""

    name: str
    arguments: dict[str, Any]
    limit: Limit


@dataclass(frozen=True)
class NotRun:
    """A rule that is for people or for another engine; ``why`` says which."""

    why: str


Check: TypeAlias = HasColumns | HasType | Expect | Count | Query | Measure | NotRun


@dataclass(frozen=True)
class Rule:
    """What must hold of a dataset. ``name`` is unique in the contract; ``remedy`` is advice."""

    name: str
    severity: Severity
    description: str
    check: Check
    column: str | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class Column:
    """A column as the contract declares it; ``type`` is None where none is given."""

    name: str
    type: str | None
    required: bool
    unique: bool
    description: str
    unit: str | None = None


@dataclass(frozen=True)
class Contract:
    """One dataset's contract. ``digest`` is of what is checked, so that a comment changes nothing.

    ``freshness_seconds``: the newest data may be this old; None where nothing is promised.
    """

    dataset: str
    id: str
    version: str
    owner: str
    description: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    freshness_seconds: float | None = None
    path: str = ""
    digest: str = ""
    plain: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns by which a broken row is named: the unique ones, else the first."""
        unique = tuple(column.name for column in self.columns if column.unique)
        return unique[:1] or tuple(column.name for column in self.columns[:1])

    def column(self, name: str) -> Column | None:
        """Return a declared column, or None."""
        return next((column for column in self.columns if column.name == name), None)


def shipped() -> dict[str, Path]:
    """Return the contracts that come with Millrace: their files by dataset."""
    return {path.stem: path for path in sorted(SUITES.glob("*.yaml"))}
