"""Pairs of similar documents, side by side: those dropped for each other, and those kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

from catalog.clusters import CHOICE, Document, places_of
from catalog.find import find_documents
from catalog.opened import INGEST, OpenedRun
from catalog.relations import ask_rows, connect
from catalog.text_difference import MAX_CHARS, TextDifference, text_difference
from data_contracts.errors import NotFound, UsageError

PAIRS, SIGNATURES, EDITS = "compare_candidates", "compute_signatures", "edit_texts"
NEAR = "duplicate.near"


@dataclass(frozen=True)
class NearPair:
    """Two documents side by side; of a dropped one and its partner, ``left`` is the kept one.

    ``measures`` are what was measured of the two texts, by column, none if they never met;
    ``difference`` is of the texts that were compared, edited ones where the run edits.
    """

    left: Document
    right: Document
    measures: dict[str, float]
    difference: TextDifference


@dataclass(frozen=True)
class NearPairs:
    """The pairs that a run measured, and some to look at.

    ``num_pairs`` were measured, None if the run did not look for near-duplicates. Of the
    ``num_kept_apart`` both documents stay though they are as similar as the recipe asks; None if
    the recipe does not say. ``dropped`` are of different clusters, the least similar first;
    ``kept_apart`` of different documents, the most similar first.
    """

    num_pairs: int | None
    num_kept_apart: int | None
    dropped: tuple[NearPair, ...]
    kept_apart: tuple[NearPair, ...]


def near_pairs(opened: OpenedRun, num_dropped: int, num_apart: int) -> NearPairs:
    """Return how many pairs of a run's texts are similar, and some of them side by side.

    Raises:
        NotFound: if the run did not get as far as its choice.
        Damaged: if a partition cannot be read.
    """
    opened.dataset(CHOICE)
    if PAIRS not in opened.steps():
        return NearPairs(None, None, (), ())
    asked = (opened.run.recipe.get("dedupe") or {}).get("min_jaccard")
    with connect(opened.views) as connection:
        dropped = ask_rows(connection, _DROPPED_SQL, limit=num_dropped)
        apart = []
        if asked is not None:
            apart = ask_rows(connection, _APART_SQL, asked=asked, limit=num_apart)
        pairs = _side_by_side(connection, opened, [*dropped, *apart])
    num_apart = apart[0]["num_kept_apart"] if apart else 0
    return NearPairs(
        num_pairs=sum(part.num_rows for part in opened.dataset(PAIRS).parts),
        num_kept_apart=None if asked is None else num_apart,
        dropped=tuple(pairs[: len(dropped)]),
        kept_apart=tuple(pairs[len(dropped) :]),
    )


def compare_documents(opened: OpenedRun, one: str, other: str) -> NearPair:
    """Return two documents side by side, each named by its id, the start of it, or its place.

    Raises:
        NotFound: if nothing has such a name. UsageError: if several documents do.
    """
    opened.dataset(INGEST)
    with connect(opened.views) as connection:
        ids = [_only_id(connection, opened, asked) for asked in (one, other)]
        row = {"left_doc": ids[0], "right_doc": ids[1]}
        if {PAIRS, SIGNATURES} <= set(opened.steps()):
            row |= next(iter(ask_rows(connection, _MEASURED_SQL, ids=ids)), {})
        (pair,) = _side_by_side(connection, opened, [row])
    return pair


def _only_id(connection: duckdb.DuckDBPyConnection, opened: OpenedRun, asked: str) -> str:
    found = find_documents(connection, asked)
    if not found.rows:
        raise NotFound(
            f"No document of run {opened.name} has {asked[:80]!r} as its id, uri or record key."
        )
    if found.num_found > 1:
        raise UsageError(
            f"{asked[:80]!r} names {found.num_found} documents of run {opened.name}; give more of "
            f"an id: `millrace trace` lists them."
        )
    return str(found.rows[0]["doc_id"])


def _side_by_side(
    connection: duckdb.DuckDBPyConnection, opened: OpenedRun, rows: list[dict[str, Any]]
) -> list[NearPair]:
    ids = [row[side] for row in rows for side in ("left_doc", "right_doc")]
    places = places_of(connection, opened, ids)
    texts = _texts(connection, EDITS if EDITS in opened.steps() else INGEST, sorted(places))
    return [
        NearPair(
            places[row["left_doc"]],
            places[row["right_doc"]],
            _measures(row),
            text_difference(texts.get(row["left_doc"], ""), texts.get(row["right_doc"], "")),
        )
        for row in rows
    ]


def _measures(row: dict[str, Any]) -> dict[str, float]:
    """Return what of a row are measures of the pair: whatever numbers its step wrote."""
    return {
        name: value
        for name, value in row.items()
        if isinstance(value, int | float) and name not in ("rule_version", "num_kept_apart")
    }


def _texts(connection: duckdb.DuckDBPyConnection, step: str, ids: list[str]) -> dict[str, str]:
    """Return the beginnings of texts, reading only the partitions that they lie in."""
    if not ids:
        return {}
    texts: dict[str, str] = {}
    for row in ask_rows(connection, _PARTS_SQL.format(step=step), ids=ids):
        sql = _TEXTS_SQL.format(step=step)
        found = ask_rows(connection, sql, part=row["part"], ids=row["ids"], most=MAX_CHARS + 1)
        texts |= {one["doc_id"]: one["text"] for one in found}
    return texts


_PARTS_SQL = """
    SELECT part, list(doc_id) AS ids FROM {step} WHERE list_contains($ids, doc_id) GROUP BY part
"""
_TEXTS_SQL = """
    SELECT doc_id, left(text, $most) AS text FROM {step}
    WHERE part = $part AND list_contains($ids, doc_id)
"""
# Of each cluster the one that is least like its partner.
_DROPPED_SQL = f"""
    WITH worst AS (
        SELECT partner_id,
            min({{'jaccard': jaccard, 'containment': containment, 'doc_id': doc_id}}) AS w
        FROM {CHOICE} WHERE reason = '{NEAR}' GROUP BY partner_id
    )
    SELECT partner_id AS left_doc, w.doc_id AS right_doc, w.jaccard, w.containment FROM worst
    ORDER BY w LIMIT $limit
"""
# Of the documents of one normalised text at most one is kept: it stands for the pair's end. Columns
# that name the ends are texts, and the others, whatever they are, measures.
_APART_SQL = f"""
    WITH alike AS (
        SELECT * FROM {PAIRS} WHERE jaccard >= $asked
    ), names AS (
        SELECT doc_id, normal_hash FROM {SIGNATURES}
        SEMI JOIN (SELECT left_id AS doc_id FROM alike UNION ALL SELECT right_id FROM alike)
            USING (doc_id)
    ), kept AS (
        SELECT s.doc_id, s.normal_hash FROM {SIGNATURES} AS s
        SEMI JOIN names ON names.normal_hash = s.normal_hash
        SEMI JOIN (SELECT doc_id FROM {CHOICE} WHERE keep) AS k ON k.doc_id = s.doc_id
    )
    SELECT l.doc_id AS left_doc, r.doc_id AS right_doc, p.*, count(*) OVER () AS num_kept_apart
    FROM alike AS p
    JOIN names AS a ON a.doc_id = p.left_id JOIN kept AS l ON l.normal_hash = a.normal_hash
    JOIN names AS b ON b.doc_id = p.right_id JOIN kept AS r ON r.normal_hash = b.normal_hash
    QUALIFY row_number() OVER (PARTITION BY l.doc_id ORDER BY p.jaccard DESC, r.doc_id) = 1
    ORDER BY p.jaccard DESC, left_doc, right_doc LIMIT $limit
"""
_MEASURED_SQL = f"""
    WITH names AS (
        SELECT normal_hash FROM {SIGNATURES} WHERE list_contains($ids, doc_id)
    ), ends AS (
        SELECT doc_id FROM {SIGNATURES} SEMI JOIN names USING (normal_hash)
    )
    SELECT p.* FROM {PAIRS} AS p
    SEMI JOIN ends AS l ON l.doc_id = left_id SEMI JOIN ends AS r ON r.doc_id = right_id
"""
