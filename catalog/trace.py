"""One document's fate: where it was read, and what every step of a run made of it and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import duckdb

from catalog.clusters import CHOICE, clusters_of
from catalog.find import Found, find_documents, find_quarantined
from catalog.opened import CONVERSATIONS, CURATED, INGEST, OpenedRun
from catalog.passed_over import passed_over
from catalog.relations import ask_rows, connect, quoted
from catalog.retirements import REMOVED
from catalog.trace_text import format_trace
from data_contracts.errors import NotFound, UsageError
from store.runs import Run
from store.storage import Storage

__all__ = ["format_trace", "trace"]

SIGNALS = "compute_signals"
# Where documents begin; and steps that name documents and decide about none.
NOT_ASKED = (INGEST, CONVERSATIONS, "index_heldout", "read_published")


def trace(
    storage: Storage, run: Run, asked: str, rules: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return what became of the documents that an id, a place or a text names, as plain JSON.

    ``asked`` is a doc_id or its first six digits or more; else a uri, record key or url; else a
    reason for which documents were dropped; else a text; else a part of these: the first of them
    that finds anything. At most ten documents are
    told of, ``num_found`` says how many there are. ``rules`` maps reasons to their conditions.

    The shape is ``{"run", "asked", "found_by", "num_found", "documents": […], "num_quarantined",
    "quarantined": […]}``. Each document has ``doc_id, source, uri, record_key, url, partition,
    text_start, num_chars, signals, fates, outcome, reason, split, curated, stands_for``; each of
    its fates ``step, fate, reason, values, rule, partner``. Steps that it did not reach are left
    out. A document that was removed on request says so as its outcome, and shows no text.
    ``stands_for`` is what was dropped for it, as in `catalog.clusters.Cluster`, or None.

    Raises:
        UsageError: if nothing was asked for. NotFound: if nothing is found.
    """
    if not asked.strip():
        raise UsageError("Give an id, a uri or some words of the document to trace.")
    opened = OpenedRun(storage, run)
    opened.dataset(INGEST)
    with connect(opened.views) as connection:
        sources = [step for step in (INGEST, CONVERSATIONS) if step in opened.views]
        deciding = [
            step
            for step in opened.steps()
            if {"doc_id", "reason"} <= set(opened.views[step].schema.names)
        ]
        documents = find_documents(connection, asked, sources, deciding)
        quarantined = find_quarantined(connection, asked)
        if not documents.rows and not quarantined.rows:
            raise _not_found(opened, asked)
        traced = _Traces(connection, opened, rules or {}).of(documents)
    return {
        "run": run.name,
        "asked": asked,
        "found_by": documents.way or "quarantined record",
        "num_found": documents.num_found,
        "documents": traced,
        "num_quarantined": quarantined.num_found,
        "quarantined": [_readable(row) for row in quarantined.rows],
    }


def _not_found(opened: OpenedRun, asked: str) -> NotFound:
    if number := passed_over(opened.dataset(INGEST)).get(asked.strip()):
        return NotFound(
            f"{number} records of run {opened.name} were passed over as {asked.strip()!r}: they "
            "were counted and have no row to follow."
        )
    return NotFound(
        f"No document or quarantined record of run {opened.name} has {asked[:80]!r} as its "
        f"id, uri, record key, url, reason or in its text; letters count as they are written."
    )


class _Traces:
    """Reads the rows of some documents from every step of a run, one query for each step."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        opened: OpenedRun,
        rules: Mapping[str, str],
    ) -> None:
        self._connection, self._opened, self._rules = connection, opened, rules
        self._steps = [step for step in opened.steps() if step not in NOT_ASKED]
        self._columns = {step: set(opened.views[step].schema.names) for step in self._steps}

    def of(self, found: Found) -> list[dict[str, Any]]:
        """Return the traces of the documents that were found, in the order found."""
        ids = [row["doc_id"] for row in found.rows]
        rows = {step: self._rows(step, ids) for step in self._steps if self._has(step, "doc_id")}
        set_aside, stands_for = self._quarantined(ids), self._stands_for(ids)
        return [
            {
                **self._trace(document, rows, set_aside),
                "stands_for": stands_for.get(document["doc_id"]),
            }
            for document in found.rows
        ]

    def _has(self, step: str, column: str) -> bool:
        return column in self._columns.get(step, ())

    def _rows(self, step: str, ids: list[str]) -> dict[str, dict[str, Any]]:
        """Return a step's rows by doc_id; of curated documents only what is not told already."""
        keep_out = {"text", "labels", "meta"} & self._columns[step]
        left_out = f" EXCLUDE ({', '.join(sorted(keep_out))})" if keep_out else ""
        sql = f"SELECT *{left_out} FROM {quoted(step)} WHERE list_contains($ids, doc_id)"
        rows = ask_rows(self._connection, sql, ids=ids) if ids else []
        partners = self._partners([row["partner_id"] for row in rows if row.get("partner_id")])
        for row in rows:
            if row.get("partner_id"):
                unknown = {"doc_id": row["partner_id"], "uri": None, "record_key": None}
                row["partner"] = partners.get(row["partner_id"], unknown)
        return {row["doc_id"]: row for row in rows}

    def _partners(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        sql = "SELECT doc_id, uri, record_key FROM ingest WHERE list_contains($ids, doc_id)"
        found = ask_rows(self._connection, sql, ids=ids) if ids else []
        return {row["doc_id"]: row for row in found}

    def _stands_for(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        """Return what was dropped for those of some documents that anything was dropped for."""
        if CHOICE not in self._columns:
            return {}
        found = clusters_of(self._connection, self._opened, ids)
        told = {doc_id: asdict(cluster) for doc_id, cluster in found.items()}
        return {
            doc_id: {n: v for n, v in one.items() if n != "kept"} for doc_id, one in told.items()
        }

    def _quarantined(self, ids: list[str]) -> dict[tuple[str, str], str]:
        sql = "SELECT doc_id, step, error FROM quarantine WHERE list_contains($ids, doc_id)"
        rows = ask_rows(self._connection, sql, ids=ids) if ids else []
        return {(row["doc_id"], row["step"]): row["error"] for row in rows}

    def _trace(
        self,
        document: Mapping[str, Any],
        rows: Mapping[str, Mapping[str, dict[str, Any]]],
        set_aside: Mapping[tuple[str, str], str],
    ) -> dict[str, Any]:
        mine = {step: found[document["doc_id"]] for step, found in rows.items()
                if document["doc_id"] in found}  # fmt: skip
        fates = [_fate(document["step"], {}, self._rules)]
        for step in self._steps:
            error = set_aside.get((document["doc_id"], step))
            if error is not None:
                fate = "removed" if error == REMOVED else "quarantined"
                fates.append({**_fate(step, {}, {}), "fate": fate, "reason": error})
            elif step in mine:
                fates.append(_fate(step, mine[step], self._rules))
        lost = next((fate for fate in fates if fate["fate"] != "kept"), None)
        sides = [row["split"] for row in mine.values() if "split" in row]  # the last one holds
        told = {name: value for name, value in document.items() if name not in ("part", "step")}
        if lost and lost["reason"] == REMOVED:
            told["text_start"] = ""  # a removed text is shown nowhere
        return {
            **told,
            "partition": document["part"],
            "signals": _signals(mine.get(SIGNALS, {})),
            "fates": fates,
            "outcome": lost["fate"] if lost else "curated" if CURATED in mine else "kept",
            "reason": lost["reason"] if lost else None,
            "split": sides[-1] if sides else None,
            "curated": CURATED in mine,
        }


def _fate(step: str, row: Mapping[str, Any], rules: Mapping[str, str]) -> dict[str, Any]:
    reason = row.get("reason")
    partner = row.get("partner")
    if partner is not None:
        partner = {**partner, "jaccard": row.get("jaccard"), "containment": row.get("containment")}
    return {
        "step": step,
        "fate": "kept" if row.get("keep", True) else "dropped",
        "reason": reason,
        "values": json.loads(row["values"]) if row.get("values") else None,
        "rule": rules.get(reason) if reason else None,
        "partner": partner,
    }


def _signals(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("doc_id", "part")}


def _readable(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a quarantined row as JSON can hold it: bytes that are not UTF-8 are escaped."""
    raw = row["raw"]
    text = None if raw is None else raw.decode(errors="backslashreplace")
    told = {name: value for name, value in row.items() if name not in ("raw", "part")}
    return {**told, "partition": row["part"], "raw_start": text}
