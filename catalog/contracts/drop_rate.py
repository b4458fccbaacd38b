"""The measure ``drop_rate``: which share of the documents of a source were dropped, and by what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb

from catalog.contracts.measured import (
    MIN_ROWS,
    Skipped,
    Value,
    check_arguments,
    check_known,
    whole_number,
)
from catalog.contracts.subject import Subject
from catalog.relations import ask_rows, carry_out


def drop_rate(
    connection: duckdb.DuckDBPyConnection, subject: Subject, arguments: Mapping[str, Any]
) -> list[Value] | Skipped:
    """Return the share of documents that were dropped, by ``by``: "source", "reason" or both.

    With "reason" a value is the share of the source's documents that this reason took. Sources of
    fewer than ``min_rows`` documents are left out.
    """
    check_arguments("drop_rate", arguments, ("by", "min_rows"))
    by = arguments.get("by", ["source"])
    check_known("by", by if isinstance(by, list) else [by], ("source", "reason"))
    min_rows = whole_number("min_rows", arguments.get("min_rows", MIN_ROWS))
    counts = _counts(connection, with_source="source" in by)
    totals: dict[str, int] = {}
    for row in counts:
        totals[row["source"]] = totals.get(row["source"], 0) + row["num_rows"]
    totals = {source: total for source, total in totals.items() if total >= min_rows}
    if not totals:
        return Skipped(f"no source has {min_rows} documents")
    dropped: dict[tuple[str, str], int] = {}
    for row in counts:
        if row["source"] in totals and (not row["keep"] or "reason" not in by):
            label = row["source"], (row["reason"] or "") if "reason" in by else ""
            dropped[label] = dropped.get(label, 0) + (0 if row["keep"] else row["num_rows"])
    values = [
        Value(": ".join(filter(None, label)), number / totals[label[0]], totals[label[0]])
        for label, number in dropped.items()
    ]
    values.sort(key=lambda value: (-value.value, value.label))
    return values or [Value("all", 0.0, sum(totals.values()))]


def _counts(connection: duckdb.DuckDBPyConnection, with_source: bool) -> list[dict[str, Any]]:
    """Count documents by source, reason and whether they are kept; once for a connection."""
    name, rows = ("decided_by_source", _JOINED) if with_source else ("decided", _ALONE)
    carry_out(
        connection,
        f"""
        CREATE TEMP TABLE IF NOT EXISTS {name} AS
        SELECT source, reason, keep, count(*) AS num_rows FROM ({rows}) GROUP BY ALL
        """,
    )
    return ask_rows(connection, f"SELECT * FROM {name} ORDER BY ALL")


_JOINED = (
    "SELECT source, keep, reason FROM (SELECT doc_id, keep, reason FROM rows) "
    "JOIN (SELECT doc_id, source FROM documents) USING (doc_id)"
)
_ALONE = "SELECT 'all' AS source, keep, reason FROM rows"
