"""Retirements: documents that the run before published and this one does not, each with its why.

A better document may come tomorrow and take the place of one that was published today. Whoever
copies curated documents elsewhere learns from here which ones to take away again.
"""

from __future__ import annotations

import pyarrow as pa

from catalog.opened import CURATED, INGEST, OpenedRun
from catalog.relations import Relation, ask, connect, quoted

RETIRED = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("why", pa.string(), nullable=False),  # a reason, or one of the words below
        pa.field("partner_id", pa.string()),  # the kept document that took its place
        pa.field("jaccard", pa.float64()),
        pa.field("containment", pa.float64()),
    ]
)
REMOVED = "removal.requested"  # the reason of `pipelines.remove_requested`
WITHDRAWN = "withdrawn"  # its record is no longer read
QUARANTINED = "quarantined"  # its record can no longer be read


def retirements(before: OpenedRun, now: OpenedRun) -> pa.Table:
    """Return the documents that a run curated and a later one did not, by doc_id (`RETIRED`).

    Runs that did not come as far as curated documents have none.
    """
    if CURATED not in before.steps() or CURATED not in now.steps():
        return RETIRED.empty_table()
    relations: dict[str, Relation] = {
        "before": before.rows(CURATED),
        "now": now.views[CURATED],
        "read": now.views[INGEST],
        "unread": now.views["quarantine"],
    }
    deciding = [step for step in now.steps() if "reason" in now.views[step].schema.names]
    relations |= {step: now.views[step] for step in deciding}
    nothing = "NULL AS partner_id, NULL AS jaccard, NULL AS containment"
    dropped = []
    for step in deciding:
        has_partner = "partner_id" in now.views[step].schema.names
        partner = "partner_id, jaccard, containment" if has_partner else nothing
        dropped.append(f"SELECT doc_id, reason, {partner} FROM {quoted(step)} WHERE NOT keep")
    with connect(relations) as connection:
        rows = ask(connection, _SQL.format(dropped=" UNION ALL ".join(dropped) or _NO_ROWS))
    return rows.select(RETIRED.names).cast(RETIRED)


_NO_ROWS = "SELECT NULL, NULL, NULL, NULL, NULL WHERE false"
_SQL = f"""
    WITH gone AS (SELECT doc_id FROM before ANTI JOIN now USING (doc_id)),
    dropped(doc_id, reason, partner_id, jaccard, containment) AS ({{dropped}})
    SELECT doc_id, coalesce(d.reason,
            CASE WHEN u.is_requested THEN '{REMOVED}'
                WHEN u.doc_id IS NOT NULL THEN '{QUARANTINED}'
                WHEN r.doc_id IS NULL THEN '{WITHDRAWN}' ELSE 'dropped' END) AS why,
        d.partner_id, d.jaccard, d.containment
    FROM gone LEFT JOIN dropped AS d USING (doc_id)
    LEFT JOIN (SELECT doc_id, bool_or(error = '{REMOVED}') AS is_requested FROM unread
        GROUP BY doc_id) AS u USING (doc_id)
    LEFT JOIN (SELECT DISTINCT doc_id FROM read) AS r USING (doc_id)
    ORDER BY doc_id
"""
