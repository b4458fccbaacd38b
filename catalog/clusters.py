"""Clusters: each document that duplicates were dropped for, and which these are.

Asks the choice alone which documents go together, so what is shown is what was decided.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb

from catalog.opened import INGEST, OpenedRun
from catalog.relations import ask_rows, connect

CHOICE, SIGNALS = "choose_kept", "compute_signals"
MAX_MEMBERS = 4


@dataclass(frozen=True)
class Document:
    """A document's place. Only ``doc_id`` is certain; ``num_chars`` is None if not measured."""

    doc_id: str
    uri: str | None = None
    record_key: str | None = None
    num_chars: int | None = None


@dataclass(frozen=True)
class Member:
    """A dropped document, in which way it repeats the kept one, and how similar they are."""

    document: Document
    reason: str
    jaccard: float
    containment: float


@dataclass(frozen=True)
class Cluster:
    """A kept document with those dropped for it: ``num_members``, counted by reason.

    ``members`` are some of them, the least similar first, for these are the ones to look at.
    """

    kept: Document
    num_members: int
    reasons: dict[str, int]
    least_jaccard: float
    greatest_jaccard: float
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Clusters:
    """What the choice among duplicates came to; ``largest`` clusters first, ties by doc_id.

    ``num_documents`` came to the choice, ``reasons`` counts those that it dropped.
    """

    num_documents: int
    reasons: dict[str, int]
    num_clusters: int
    largest: tuple[Cluster, ...]


def clusters(opened: OpenedRun, limit: int, num_members: int = MAX_MEMBERS) -> Clusters:
    """Return the largest clusters of a run, ``limit`` of them with ``num_members`` each.

    Raises:
        NotFound: if the run did not get as far as its choice.
        Damaged: if a partition cannot be read.
    """
    dataset = opened.dataset(CHOICE)
    with connect(opened.views) as connection:
        (counts,) = ask_rows(connection, _COUNT_SQL)
        sql = _CLUSTERS_SQL.format(among="", most=num_members)
        largest = _read(connection, opened, ask_rows(connection, sql, limit=limit))
    return Clusters(
        num_documents=dataset.rows.num_in,
        reasons=dataset.reasons(),
        num_clusters=counts["num_clusters"],
        largest=tuple(largest),
    )


def clusters_of(
    connection: duckdb.DuckDBPyConnection, opened: OpenedRun, ids: list[str]
) -> dict[str, Cluster]:
    """Return the clusters of those of some documents that others were dropped for, by doc_id."""
    if not ids or "partner_id" not in opened.views[CHOICE].schema.names:
        return {}
    sql = _CLUSTERS_SQL.format(among=_AMONG, most=MAX_MEMBERS)
    rows = ask_rows(connection, sql, ids=ids, limit=len(ids))
    return {cluster.kept.doc_id: cluster for cluster in _read(connection, opened, rows)}


def places_of(
    connection: duckdb.DuckDBPyConnection, opened: OpenedRun, ids: Iterable[str]
) -> dict[str, Document]:
    """Return where documents are from, by doc_id; those that ingest does not have, by id alone."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    measured = SIGNALS in opened.views and "num_chars" in opened.views[SIGNALS].schema.names
    sql = _PLACES_SQL.format(num_chars="num_chars" if measured else "NULL", join=_JOIN * measured)
    found = {row["doc_id"]: Document(**row) for row in ask_rows(connection, sql, ids=wanted)}
    return {doc_id: found.get(doc_id, Document(doc_id)) for doc_id in wanted}


def _read(
    connection: duckdb.DuckDBPyConnection, opened: OpenedRun, rows: list[dict[str, Any]]
) -> list[Cluster]:
    ids = [row["partner_id"] for row in rows]
    ids += [member["doc_id"] for row in rows for member in row["members"]]
    places = places_of(connection, opened, ids)
    return [_cluster(row, places) for row in rows]


def _cluster(row: dict[str, Any], places: dict[str, Document]) -> Cluster:
    return Cluster(
        kept=places[row["partner_id"]],
        num_members=row["num_members"],
        reasons=dict(sorted(row["reasons"])),
        least_jaccard=row["least_jaccard"],
        greatest_jaccard=row["greatest_jaccard"],
        members=tuple(
            Member(places[one["doc_id"]], one["reason"], one["jaccard"], one["containment"])
            for one in row["members"]
        ),
    )


# The least of structs is that whose first field is least, ties by the next.
_CLUSTERS_SQL = f"""
    SELECT partner_id, count(*) AS num_members, histogram(reason) AS reasons,
        min(jaccard) AS least_jaccard, max(jaccard) AS greatest_jaccard,
        min({{{{'jaccard': jaccard, 'containment': containment, 'doc_id': doc_id,
            'reason': reason}}}}, {{most}}) AS members
    FROM {CHOICE} WHERE NOT keep AND partner_id IS NOT NULL {{among}} GROUP BY partner_id
    ORDER BY num_members DESC, partner_id LIMIT $limit
"""
_AMONG = "AND list_contains($ids, partner_id)"
_COUNT_SQL = f"""
    SELECT count(DISTINCT partner_id) AS num_clusters FROM {CHOICE} WHERE NOT keep
"""
_PLACES_SQL = f"""
    SELECT doc_id, uri, record_key, {{num_chars}} AS num_chars
    FROM {INGEST} {{join}} WHERE list_contains($ids, doc_id)
"""
_JOIN = f"LEFT JOIN {SIGNALS} USING (doc_id)"
