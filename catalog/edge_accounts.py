"""What edges say of the documents that they link: none unknown, none twice, none left out."""

from __future__ import annotations

from catalog.accounts import (
    MAX_IDS,
    Finding,
    Tally,
    findings_of,
    kept_only,
    part_taken,
    taken_rows,
)
from catalog.relations import ask_rows, carry_out, connect, rows_of
from store.datasets import Dataset
from store.step import Step
from store.storage import Storage

_HASHES = ("text_hash", "normal_hash")


def check_edges(
    storage: Storage, step: Step, dataset: Dataset, taken_in: Dataset
) -> tuple[Tally, list[Finding]]:
    """Hold a step's edges against the documents that it took in, all of which it lets pass.

    Every edge joins two of them, of its own partition, in order, once. If the input has hashes and
    edges have relations, the exact ones are just those that grouping the whole input by its hashes
    calls for.
    """
    relations = {
        "taken": taken_rows(storage, step, dataset, taken_in),
        "edges": rows_of(storage, dataset, step.schema),
    }
    has_relations = "relation" in step.schema.names
    has_hashes = has_relations and set(_HASHES) <= set(relations["taken"].schema.names)
    columns = ", ".join(["doc_id", *(_HASHES if has_hashes else ())])
    part = part_taken(step) if step.kind != "whole" else "'all'"
    with connect(relations) as connection:
        carry_out(
            connection,
            f"CREATE TEMP TABLE ins AS SELECT {columns}, {part} AS part "
            f"FROM taken WHERE {kept_only(relations['taken'])}",
        )
        (counts,) = ask_rows(connection, _COUNTS_SQL)
        found = ask_rows(connection, _UNREAD_SQL, keys=[part.key for part in dataset.parts])
        found += ask_rows(connection, _EDGES_SQL.format(also=", relation" if has_relations else ""))
        found += ask_rows(connection, _COMPLETE_SQL) if has_hashes else []
    return Tally(**counts), findings_of(found)


_COUNTS_SQL = """
    SELECT count(*) AS num_in, count(*) AS kept, (SELECT count(*) FROM edges) AS edges FROM ins
"""

_UNREAD_SQL = f"""
    SELECT 'went in and were read for no partition' AS what, count(*) AS num_rows,
        min(doc_id, {MAX_IDS}) AS ids
    FROM ins WHERE NOT list_contains($keys, part) HAVING count(*) > 0
"""

_EDGES_SQL = f"""
    WITH numbered AS (
        SELECT *, count(*) OVER (PARTITION BY left_id, right_id{{also}}) AS times FROM edges
    ), judged AS (
        SELECT e.left_id || '-' || e.right_id AS pair, CASE
            WHEN l.doc_id IS NULL OR r.doc_id IS NULL THEN 'edges join an id that never went in'
            WHEN l.part <> e.part OR r.part <> e.part THEN 'edges stand in another partition'
            WHEN e.left_id >= e.right_id THEN 'edges are not in order'
            WHEN times > 1 THEN 'edges stand more than once'
            END AS what
        FROM numbered AS e
        LEFT JOIN ins AS l ON l.doc_id = e.left_id
        LEFT JOIN ins AS r ON r.doc_id = e.right_id
    )
    SELECT what, count(*) AS num_rows, min(pair, {MAX_IDS}) AS ids
    FROM judged WHERE what IS NOT NULL GROUP BY what ORDER BY what
"""

# The star that the contract asks for, drawn from the hashes: see `data_contracts.documents.EDGES`.
_COMPLETE_SQL = f"""
    WITH texts AS (
        SELECT text_hash, min(normal_hash) AS normal_hash, min(doc_id) AS centre
        FROM ins GROUP BY text_hash
    ), normals AS (
        SELECT normal_hash, min(centre) AS centre FROM texts GROUP BY normal_hash
    ), due AS (
        SELECT centre AS left_id, doc_id AS right_id, 'exact.text' AS relation
        FROM ins JOIN texts USING (text_hash) WHERE doc_id <> centre
        UNION ALL
        SELECT n.centre, t.centre, 'exact.normalised'
        FROM texts AS t JOIN normals AS n USING (normal_hash) WHERE t.centre <> n.centre
    ), drawn AS (
        SELECT left_id, right_id, relation FROM edges WHERE starts_with(relation, 'exact.')
    ), judged AS (
        SELECT left_id || '-' || right_id AS pair, relation || ' edges are missing' AS what
        FROM due ANTI JOIN drawn USING (left_id, right_id, relation)
        UNION ALL
        SELECT left_id || '-' || right_id, relation || ' edges join documents that are not equal'
        FROM drawn ANTI JOIN due USING (left_id, right_id, relation)
    )
    SELECT what, count(*) AS num_rows, min(pair, {MAX_IDS}) AS ids
    FROM judged GROUP BY what ORDER BY what
"""
