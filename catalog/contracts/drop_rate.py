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
from catalog.relations import ask_rows


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
    joined = _JOINED if "source" in by else _ALONE
    grouped = "source, coalesce(reason, '')" if "reason" in by else "source, ''"
    found = ask_rows(
        connection,
        f"""
        WITH decided AS ({joined}),
        totals AS (SELECT source, count(*) AS total FROM decided GROUP BY source)
        SELECT label, reason, dropped / total AS value, total FROM (
            SELECT {grouped.replace("source,", "source AS label,")} AS reason,
                count(*) FILTER (NOT keep) AS dropped
            FROM decided GROUP BY ALL
        ) JOIN totals ON source = label
        WHERE total >= $min_rows ORDER BY value DESC, label, reason
        """,
        min_rows=min_rows,
    )
    if not found:
        return Skipped(f"no source has {min_rows} documents")
    dropped = [row for row in found if row["value"] > 0 or "reason" not in by]
    if not dropped:
        return [Value("all", 0.0, sum(row["total"] for row in found))]
    return [
        Value(": ".join(filter(None, (row["label"], row["reason"]))), row["value"], row["total"])
        for row in dropped
    ]


_JOINED = (
    "SELECT source, keep, reason FROM (SELECT doc_id, keep, reason FROM rows) "
    "JOIN (SELECT doc_id, source FROM documents) USING (doc_id)"
)
_ALONE = "SELECT 'all' AS source, keep, reason FROM rows"
