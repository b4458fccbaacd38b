"""What other rules would decide, asked of the signals that a run measured; nothing is written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from catalog.opened import INGEST, OpenedRun
from catalog.relations import ask_rows, connect
from data_contracts.errors import NotFound

SIGNALS, POLICY = "compute_signals", "apply_policy"
KEPT = "kept"
MAX_EXAMPLES = 5
_START_CHARS = 80


@dataclass(frozen=True)
class Move:
    """Documents that go from one fate to another: ``kept``, or the reason to drop them.

    ``examples`` are some of them, smallest ids first: ``doc_id, uri, values, text_start``, where
    ``values`` are, as JSON, the signals that decide now.
    """

    before: str
    now: str
    num_rows: int
    examples: tuple[dict[str, str], ...]


def what_if(opened: OpenedRun, decide_sql: str, asked: Collection[str]) -> list[Move]:
    """Return how a run's documents would move, most frequent first, those that stay included.

    ``decide_sql`` decides every row of a view ``signals`` (``doc_id, keep, reason, values``);
    ``asked`` are the signals that it reads.

    Raises:
        NotFound: if the run did not get as far as its policy, or did not measure a signal.
    """
    for step in (SIGNALS, POLICY):
        opened.dataset(step)
    missing = sorted(set(asked) - set(opened.views[SIGNALS].schema.names))
    if missing:
        raise NotFound(
            f"Run {opened.run.name} did not measure {', '.join(missing)}: run the recipe with the "
            f"new rules instead; it measures what they ask for."
        )
    views = {"signals": opened.views[SIGNALS], "old": opened.views[POLICY]}
    with connect({**views, "documents": opened.views[INGEST]}) as connection:
        moves = ask_rows(connection, _MOVES_SQL.format(decide=decide_sql))
        ids = [one["doc_id"] for move in moves for one in move["examples"]]
        found = ask_rows(connection, _TEXTS_SQL, ids=ids) if ids else []
    texts = {row["doc_id"]: row for row in found}
    return [
        Move(
            move["before"],
            move["now"],
            move["num_rows"],
            tuple({**texts[one["doc_id"]], "values": one["values"]} for one in move["examples"]),
        )
        for move in moves
    ]


_MOVES_SQL = f"""
    WITH new AS ({{decide}}), moved AS (
        SELECT n.doc_id, coalesce(o.reason, '{KEPT}') AS before,
            coalesce(n.reason, '{KEPT}') AS now, coalesce(n.values, '') AS values
        FROM new AS n JOIN old AS o ON o.doc_id = n.doc_id
    )
    SELECT before, now, count(*) AS num_rows,
        CASE WHEN before = now THEN [] ELSE
            min({{{{'doc_id': doc_id, 'values': values}}}}, {MAX_EXAMPLES}) END AS examples
    FROM moved GROUP BY before, now ORDER BY num_rows DESC, before, now
"""
_TEXTS_SQL = f"""
    SELECT doc_id, uri, left(text, {_START_CHARS}) AS text_start FROM documents
    WHERE list_contains($ids, doc_id)
"""
