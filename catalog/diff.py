"""What changed between two runs: documents whose fate is another, counted and shown by example."""

from __future__ import annotations

from dataclasses import dataclass

from catalog.opened import CURATED, INGEST, OpenedRun
from catalog.relations import Relation, ask_rows, connect

MAX_EXAMPLES = 10
ABSENT = "absent"


@dataclass(frozen=True)
class Change:
    """How many documents went from one fate to another, and some of their ids, smallest first.

    A fate is ``curated``, the reason for which a document was dropped, ``quarantined by STEP``,
    ``absent`` (not in that run) or ``undecided`` (in a run that did not get further).
    """

    before: str
    now: str
    num_rows: int
    doc_ids: tuple[str, ...]


def diff(before: OpenedRun, now: OpenedRun) -> list[Change]:
    """Return the changes of fate between two runs of one home, most frequent first."""
    relations: dict[str, Relation] = {}
    sides = [_fates_sql(run, side, relations) for run, side in ((before, "a"), (now, "b"))]
    with connect(relations) as connection:
        rows = ask_rows(connection, _DIFF_SQL.format(before=sides[0], now=sides[1]))
    return [Change(row["before"], row["now"], row["num_rows"], tuple(row["ids"])) for row in rows]


def _fates_sql(run: OpenedRun, side: str, relations: dict[str, Relation]) -> str:
    """Register a run's relations under a side's names; return the SQL for (doc_id, rank, fate)."""
    relations[f"{side}_quarantine"] = run.views["quarantine"]
    pieces = [
        f"SELECT doc_id, 0, 'quarantined by ' || step FROM {side}_quarantine "
        f"WHERE doc_id IS NOT NULL"
    ]
    for number, step in enumerate(run.steps()):
        name = f"{side}{number}"
        if step == INGEST:
            pieces.append(f"SELECT doc_id, 2, 'undecided' FROM {name}")
        elif step == CURATED:
            pieces.append(f"SELECT doc_id, 1, 'curated' FROM {name}")
        elif "reason" in run.views[step].schema.names:
            fate = "coalesce(reason, 'dropped')"
            pieces.append(f"SELECT doc_id, 0, {fate} FROM {name} WHERE NOT keep")
        else:
            continue
        relations[name] = run.views[step]
    return " UNION ALL ".join(pieces)


_DIFF_SQL = f"""
    WITH sides AS (
        SELECT *, 'a' AS side FROM ({{before}}) AS fates(doc_id, rank, fate)
        UNION ALL SELECT *, 'b' FROM ({{now}}) AS fates(doc_id, rank, fate)
    ), both_sides AS (
        SELECT doc_id,
            coalesce(min_by(fate, rank) FILTER (side = 'a'), '{ABSENT}') AS before,
            coalesce(min_by(fate, rank) FILTER (side = 'b'), '{ABSENT}') AS now
        FROM sides GROUP BY doc_id
    )
    SELECT before, now, count(*) AS num_rows, min(doc_id, {MAX_EXAMPLES}) AS ids
    FROM both_sides WHERE before <> now
    GROUP BY before, now ORDER BY num_rows DESC, before, now
"""
