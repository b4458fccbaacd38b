"""The measure ``drift``: how far a distribution has moved from that of the baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.types as at

from catalog.contracts.measured import (
    MIN_ROWS,
    Skipped,
    Value,
    check_arguments,
    check_known,
    whole_number,
)
from catalog.contracts.subject import BASELINE, ROWS, Subject
from catalog.relations import ask
from data_contracts.errors import ContractError

_TOP_VALUES = 20

Sample: TypeAlias = "np.ndarray | Counter[str]"


def drift(
    connection: duckdb.DuckDBPyConnection, subject: Subject, arguments: Mapping[str, Any]
) -> list[Value] | Skipped:
    """Return the population stability index of ``of`` (SQL over the rows) against the baseline.

    ``rows``: "all", or "new" for the partitions alone that the baseline has not, in which one bad
    file shows that would drown in the whole. Numbers are put in ``bins`` (10) of equally many rows
    of the baseline (a value that would fill one alone has its own), other values are compared one
    by one, the rare ones together. Nothing is measured with fewer than ``min_rows`` rows on a side,
    or where the rows or the baseline lack one of the columns ``needs``.

    Source: Siddiqi 2006, Credit Risk Scorecards, chapter 6: below 0.1 no change to speak of, above
    0.25 a major one. Half a row is added to each bin, so that an empty one gives a number.
    """
    check_arguments("drift", arguments, ("of", "rows", "bins", "min_rows", "needs"))
    which = arguments.get("rows", "all")
    check_known("rows", [which], ("all", "new"))
    if "of" not in arguments:
        raise ContractError("the measure drift needs `of`: a column, or SQL over the rows.")
    if which == "new" and not subject.new_parts:
        return Skipped("no partition is new since the baseline")
    for column in _listed(arguments.get("needs", [])):
        if column not in subject.rows.schema.names:
            return Skipped(f"{column} was not measured: the recipe does not ask for it")
        if subject.baseline is not None and column not in subject.baseline.schema.names:
            return Skipped(f"{column} was not measured of the baseline")
    min_rows = whole_number("min_rows", arguments.get("min_rows", MIN_ROWS))
    num_bins = whole_number("bins", arguments.get("bins", 10), at_least=2)
    parts = sorted(subject.new_parts) if which == "new" else None
    before = _values(connection, BASELINE, str(arguments["of"]), None)
    now = _values(connection, ROWS, str(arguments["of"]), parts)
    sizes = _size(before), _size(now)
    if min(sizes) < min_rows:
        return Skipped(f"{sizes[1]} rows against {sizes[0]}: too few to compare ({min_rows})")
    index = stability_index(before, now, num_bins)
    return [Value(str(arguments["of"]), index, sizes[1])]


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def stability_index(before: Sample, now: Sample, num_bins: int = 10) -> float:
    """Return the population stability index of two samples, numbers or objects, in [0, inf)."""
    expected, found = (
        _binned(before, now, num_bins)
        if isinstance(before, np.ndarray)
        and isinstance(now, np.ndarray)
        and before.dtype.kind in "fiu"
        and now.dtype.kind in "fiu"
        else _counted(before, now)
    )
    p = (expected + 0.5) / (expected.sum() + 0.5 * len(expected))
    q = (found + 0.5) / (found.sum() + 0.5 * len(found))
    return float(np.sum((q - p) * np.log(q / p)))


def _binned(before: np.ndarray, now: np.ndarray, num_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Count numbers between the quantiles of the first sample."""
    inner = np.linspace(0, 1, num_bins + 1)[1:-1]
    values = before.astype(np.float64)
    edges, times = np.unique(np.quantile(values, inner), return_counts=True)
    # A bin ends with its edge: a value that many rows share would hide what is just below it.
    shared = edges[(times > 1) | (edges == values.max())]
    edges = np.union1d(edges, np.nextafter(shared, -np.inf))
    size = len(edges) + 1
    counts = [
        np.bincount(np.searchsorted(edges, sample.astype(np.float64), "left"), minlength=size)
        for sample in (before, now)
    ]
    return counts[0], counts[1]


def _counted(before: Sample, now: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Count the most frequent values of both samples one by one, all others together."""
    counts = [
        sample if isinstance(sample, Counter) else Counter(map(str, sample.tolist()))
        for sample in (before, now)
    ]
    both = counts[0] + counts[1]
    top = sorted(both, key=lambda value: (-both[value], value))[:_TOP_VALUES]
    each = [np.array([*(c[v] for v in top), c.total() - sum(c[v] for v in top)]) for c in counts]
    return each[0], each[1]


def _values(
    connection: duckdb.DuckDBPyConnection, view: str, sql: str, parts: Sequence[str] | None
) -> Sample:
    """Return the values of an expression that are not null: numbers, or how often each stands."""
    some = "" if parts is None else "AND list_contains($parts, part)"
    params = {} if parts is None else {"parts": list(parts)}
    query = f"SELECT value FROM (SELECT ({sql}) AS value FROM {view} WHERE true {some})"
    column = ask(connection, f"{query} WHERE value IS NOT NULL", **params)["value"]
    if at.is_decimal(column.type):  # DuckDB's 0.5, and its sums of integers
        column = column.cast(pa.float64())
    if at.is_string(column.type) or at.is_boolean(column.type):
        counted = column.value_counts()
        values, times = (counted.field(n).to_pylist() for n in ("values", "counts"))
        return Counter(dict(zip(map(str, values), times, strict=True)))
    numbers = column.to_numpy()
    if numbers.dtype.kind == "f":
        return numbers[np.isfinite(numbers)]
    return numbers if numbers.dtype.kind in "iu" else Counter(map(str, numbers.tolist()))


def _size(sample: Sample) -> int:
    return sample.total() if isinstance(sample, Counter) else len(sample)
