"""The measure ``drift``: how far a distribution has moved from that of the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np

from catalog.contracts.measured import MIN_ROWS, Skipped, Value, check_known
from catalog.contracts.subject import BASELINE, ROWS, Subject
from catalog.relations import ask
from data_contracts.errors import ContractError

_TOP_VALUES = 20


def drift(
    connection: duckdb.DuckDBPyConnection, subject: Subject, arguments: Mapping[str, Any]
) -> list[Value] | Skipped:
    """Return the population stability index of ``of`` (SQL over the rows) against the baseline.

    ``rows``: "all", or "new" for the partitions alone that the baseline has not, in which one bad
    file shows that would drown in the whole. Numbers are put in ``bins`` (10) of equally many rows
    of the baseline, other values are compared one by one, the rare ones together. Nothing is
    measured with fewer than ``min_rows`` rows on a side.

    Source: Siddiqi 2006, Credit Risk Scorecards, chapter 6: below 0.1 no change to speak of, above
    0.25 a major one. Half a row is added to each bin, so that an empty one gives a number.
    """
    which = arguments.get("rows", "all")
    check_known("rows", [which], ("all", "new"))
    if "of" not in arguments:
        raise ContractError("the measure drift needs `of`: a column, or SQL over the rows.")
    if which == "new" and not subject.new_parts:
        return Skipped("no partition is new since the baseline")
    min_rows = int(arguments.get("min_rows", MIN_ROWS))
    parts = sorted(subject.new_parts) if which == "new" else None
    before = _values(connection, BASELINE, str(arguments["of"]), None)
    now = _values(connection, ROWS, str(arguments["of"]), parts)
    if min(len(before), len(now)) < min_rows:
        return Skipped(f"{len(now)} rows against {len(before)}: too few to compare ({min_rows})")
    index = stability_index(before, now, int(arguments.get("bins", 10)))
    return [Value(str(arguments["of"]), index, len(now))]


def stability_index(before: np.ndarray, now: np.ndarray, num_bins: int = 10) -> float:
    """Return the population stability index of two samples, numbers or strings, in [0, inf)."""
    expected, found = (
        _binned(before, now, num_bins)
        if before.dtype.kind in "fiub" and now.dtype.kind in "fiub"
        else _counted(before, now)
    )
    p = (expected + 0.5) / (expected.sum() + 0.5 * len(expected))
    q = (found + 0.5) / (found.sum() + 0.5 * len(found))
    return float(np.sum((q - p) * np.log(q / p)))


def _binned(before: np.ndarray, now: np.ndarray, num_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Count numbers between the quantiles of the first sample."""
    inner = np.linspace(0, 1, num_bins + 1)[1:-1]
    edges = np.unique(np.quantile(before.astype(np.float64), inner))
    size = len(edges) + 1
    counts = [
        np.bincount(np.searchsorted(edges, sample.astype(np.float64), "left"), minlength=size)
        for sample in (before, now)
    ]
    return counts[0], counts[1]


def _counted(before: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the most frequent values of both samples one by one, all others together."""
    values, counts = np.unique(np.concatenate([before, now]).astype(str), return_counts=True)
    top = values[np.argsort(-counts, kind="stable")[:_TOP_VALUES]]
    found = []
    for sample in (before.astype(str), now.astype(str)):
        each = [int((sample == value).sum()) for value in top]
        found.append(np.array([*each, len(sample) - sum(each)]))
    return found[0], found[1]


def _values(
    connection: duckdb.DuckDBPyConnection, view: str, sql: str, parts: Sequence[str] | None
) -> np.ndarray:
    """Return the values of an expression that are not null, as numbers or as text."""
    some = "" if parts is None else "AND list_contains($parts, part)"
    params = {} if parts is None else {"parts": list(parts)}
    query = f"SELECT value FROM (SELECT ({sql}) AS value FROM {view} WHERE true {some})"
    column = ask(connection, f"{query} WHERE value IS NOT NULL", **params)["value"]
    values = column.to_numpy()
    if values.dtype.kind == "f":
        return values[np.isfinite(values)]
    return values if values.dtype.kind in "iub" else np.array([str(v) for v in values], dtype=str)
