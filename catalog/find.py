"""Finding documents by what a person knows of them: id, place, fate, or some words of the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from catalog.opened import INGEST
from catalog.relations import ask_rows, quoted
from data_contracts.documents import hash_text

MAX_FOUND = 10
MIN_PREFIX_CHARS = 6

# Asked in this order; the first that finds something is the answer. All are literal, cases count.
_WAYS = (
    ("doc_id", "doc_id = $asked"),
    ("start of doc_id", f"length($asked) >= {MIN_PREFIX_CHARS} AND starts_with(doc_id, $asked)"),
    ("uri, record key or url", "$asked IN (uri, record_key, url)"),
    ("reason", "doc_id IN (SELECT doc_id FROM decided WHERE reason = $asked)"),
    ("whole text", "text_hash = $text_hash"),
    (
        "part of uri, record key or url",
        "contains(uri, $asked) OR contains(record_key, $asked) OR contains(url, $asked)",
    ),
    ("part of text", "contains(text, $asked)"),
)


@dataclass(frozen=True)
class Found:
    """Rows that were found, at most `MAX_FOUND` of ``num_found``, by which way of asking."""

    way: str | None
    num_found: int
    rows: tuple[dict[str, Any], ...]


def find_documents(
    connection: duckdb.DuckDBPyConnection,
    asked: str,
    sources: Sequence[str] = (INGEST,),
    deciding: Sequence[str] = (),
) -> Found:
    """Find rows of some views of `DOCUMENTS` by id, place or text; with the start of their text.

    Or by the reason that one of the ``deciding`` views has for them. Each row names the view that
    it is of as its ``step``.
    """
    asked = _readable(asked)
    documents = " UNION ALL ".join(
        f"SELECT '{view}' AS step, {_COLUMNS} FROM {view}" for view in sources
    )
    decided = " UNION ALL ".join(
        [_NONE_DECIDED, *(f"SELECT doc_id, reason FROM {quoted(view)}" for view in deciding)]
    )
    for way, condition in _WAYS:
        params = {"asked": asked, "text_hash": hash_text(asked)}
        used = {name: value for name, value in params.items() if f"${name}" in condition}
        sql = _DOCUMENTS_SQL.format(documents=documents, decided=decided, condition=condition)
        rows = ask_rows(connection, sql, **used)
        if rows:
            return _found(way, [_with_text(connection, row) for row in rows])
    return Found(None, 0, ())


def find_quarantined(connection: duckdb.DuckDBPyConnection, asked: str) -> Found:
    """Find rows of the view ``quarantine`` by id, start of id, uri, error or raw bytes."""
    raw_hex = asked.encode(errors="surrogateescape").hex().upper()
    params = {"asked": _readable(asked), "raw_hex": f"^(?:..)*{raw_hex}"}
    rows = ask_rows(connection, _QUARANTINE_SQL, **params)
    return _found(None, rows)


def _readable(asked: str) -> str:
    """Replace what stands for bytes that are not UTF-8, which a command line may hold."""
    return asked.encode(errors="surrogateescape").decode(errors="replace")


def _with_text(connection: duckdb.DuckDBPyConnection, row: dict[str, Any]) -> dict[str, Any]:
    """Add the start of a document's text, reading the text of its partition alone."""
    sql = _TEXT_SQL.format(view=row["step"])
    (text,) = ask_rows(connection, sql, part=row["part"], doc_id=row["doc_id"])
    return {**row, **text}


def _found(way: str | None, rows: list[dict[str, Any]]) -> Found:
    num_found = rows[0]["num_found"] if rows else 0
    for row in rows:
        del row["num_found"]
    return Found(way, num_found, tuple(rows))


_COLUMNS = "doc_id, source, uri, record_key, url, text, text_hash, part"

_NONE_DECIDED = "SELECT NULL::VARCHAR AS doc_id, NULL::VARCHAR AS reason WHERE false"

_DOCUMENTS_SQL = f"""
    WITH decided AS ({{decided}})
    SELECT step, doc_id, source, uri, record_key, url, part, count(*) OVER () AS num_found
    FROM ({{documents}}) WHERE {{condition}}
    ORDER BY source, uri, record_key LIMIT {MAX_FOUND}
"""

_TEXT_SQL = """
    SELECT substr(text, 1, 200) AS text_start, length(text) AS num_chars
    FROM {view} WHERE part = $part AND doc_id = $doc_id LIMIT 1
"""

_QUARANTINE_SQL = f"""
    SELECT doc_id, step, source, uri, "position", unit, error, part, raw,
        count(*) OVER () AS num_found
    FROM quarantine
    WHERE doc_id = $asked OR uri = $asked OR contains(uri, $asked) OR contains(error, $asked)
        OR (length($asked) >= {MIN_PREFIX_CHARS} AND starts_with(doc_id, $asked))
        OR regexp_matches(hex(raw), $raw_hex)
    ORDER BY step, source, uri, "position" LIMIT {MAX_FOUND}
"""
