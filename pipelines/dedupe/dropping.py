"""Who goes: of equal documents all but the best, and those too like one that stays.

Of each class of equal documents the first in the order of preference stands for all, ties by
doc_id. These are walked in the same order, and one is dropped, with its class, if it is a verified
near-duplicate of one that is kept already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.documents import CHOICES
from data_contracts.errors import RecipeError
from pipelines.dedupe.walk import walk
from pipelines.sql import query, quoted

PINNED = "is_pinned"
_ORDER = re.compile(r"(?P<signal>[a-z_][a-z0-9_]*)( +(?P<way>asc|desc))?", re.IGNORECASE)


def preferred(prefer: tuple[str, ...]) -> dict[str, str]:
    """Return the signals that ``prefer`` mentions, in order, each with ASC or DESC.

    Raises:
        RecipeError: if an item is not a name with an optional asc or desc.
    """
    signals = {}
    for item in prefer:
        match = _ORDER.fullmatch(item.strip())
        if match is None:
            raise RecipeError(
                f"dedupe.prefer holds {item!r}; each item is a signal with asc or desc, such as "
                f"'num_chars desc'."
            )
        signals[match["signal"]] = (match["way"] or "asc").upper()
    return signals


def _order_by(prefer: tuple[str, ...]) -> str:
    """Return the body of an ORDER BY, closed by doc_id so that there are no ties."""
    terms = [f"{quoted(name)} {way} NULLS LAST" for name, way in preferred(prefer).items()]
    return ", ".join([f"{PINNED} DESC", *terms, "doc_id ASC"])


def find_dropped(
    tables: Mapping[str, pa.Table],
    passing: pa.Table,
    prefer: tuple[str, ...],
    published: pa.ChunkedArray | None,
) -> pa.Table:
    """Return what is dropped for a duplicate: rows of `DROPPED`, by partition.

    ``tables``: ``members`` (rows of `MEMBERS`, kept by the policy), ``edges``, ``signals``.
    ``passing`` (rows of `PASSING`) are the pairs of which one may go for the other; ``published``
    ids are never dropped for being similar.
    """
    signals = tables["signals"]
    is_pinned = pa.array(np.zeros(len(signals), dtype=bool))
    if published is not None:
        is_pinned = pc.is_in(signals["doc_id"], published)
    signals = signals.append_column(PINNED, is_pinned)
    order = _order_by(prefer)
    classes = query(_CLASSES_SQL.format(order=order), _CLASSES, **{**tables, "signals": signals})
    near = _near(passing, classes, signals, order)
    return query(_DROPPED_SQL, DROPPED, classes=classes, near=near)


def _near(passing: pa.Table, classes: pa.Table, signals: pa.Table, order: str) -> pa.Table:
    """Return the classes that near-duplicates drop whole, each with the document kept for it."""
    passing = query(_BESTS_SQL, _BESTS, passing=passing, classes=classes)
    if not len(passing):
        return _NEAR.empty_table()
    ranked_sql = _RANKED_SQL.format(order=order)
    ranked = query(ranked_sql, _RANKED, passing=passing, signals=signals)
    places = [pc.index_in(passing[side], ranked["doc_id"]) for side in ("left_best", "right_best")]
    left, right = (place.to_numpy() for place in places)
    goes = np.where(left > right, passing["left_goes"].to_numpy(), passing["right_goes"].to_numpy())
    passing, left, right = passing.filter(pa.array(goes)), left[goes], right[goes]
    num_pinned = pc.sum(ranked[PINNED], min_count=0).as_py()
    likeness = (passing["jaccard"].to_numpy(), passing["containment"].to_numpy())
    dropped = walk(left, right, *likeness, num_pinned)
    rows = np.fromiter(dropped.values(), np.int64, len(dropped))
    others = np.fromiter(dropped, np.int64, len(dropped))
    partners = np.where(left[rows] == others, right[rows], left[rows])
    names = ranked["doc_id"]
    return pa.table(
        [
            names.take(pa.array(others)),
            names.take(pa.array(partners)),
            passing["jaccard"].take(pa.array(rows)),
            passing["containment"].take(pa.array(rows)),
        ],
        schema=_NEAR,
    )


PASSING = pa.schema(
    [
        ("left_id", pa.string()),
        ("right_id", pa.string()),
        ("jaccard", pa.float64()),
        ("containment", pa.float64()),
        ("left_goes", pa.bool_()),  # whether the rule lets the left one go for the right one
        ("right_goes", pa.bool_()),
    ]
)

MEMBERS = pa.schema([("doc_id", pa.string()), ("part_number", pa.int64())])
_CLASSES = pa.schema(
    [
        *MEMBERS,
        ("text_centre", pa.string()),
        ("centre", pa.string()),
        ("best", pa.string()),  # of the class
        ("best_text", pa.string()),
    ]
)
_CLASSES_SQL = """
WITH texts AS (
    SELECT m.*, coalesce(t.left_id, m.doc_id) AS text_centre
    FROM members AS m
    LEFT JOIN edges AS t ON t.relation = 'exact.text' AND t.right_id = m.doc_id
), classes AS (
    SELECT m.*, coalesce(n.left_id, m.text_centre) AS centre
    FROM texts AS m
    LEFT JOIN edges AS n ON n.relation = 'exact.normalised' AND n.right_id = m.text_centre
)
SELECT doc_id, part_number, text_centre, centre,
    first_value(doc_id) OVER best AS best, first_value(text_centre) OVER best AS best_text
FROM classes JOIN signals USING (doc_id)
WINDOW best AS (PARTITION BY centre ORDER BY {order})
"""

_BESTS = pa.schema(
    [
        ("left_best", pa.string()),
        ("right_best", pa.string()),
        ("jaccard", pa.float64()),
        ("containment", pa.float64()),
        ("left_goes", pa.bool_()),
        ("right_goes", pa.bool_()),
    ]
)
_BESTS_SQL = """
WITH bests AS (SELECT DISTINCT centre, best FROM classes)
SELECT l.best AS left_best, r.best AS right_best, jaccard, containment, left_goes, right_goes
FROM passing AS p
JOIN bests AS l ON l.centre = p.left_id JOIN bests AS r ON r.centre = p.right_id
ORDER BY left_best, right_best
"""

_RANKED = pa.schema([("doc_id", pa.string()), (PINNED, pa.bool_())])
_RANKED_SQL = """
SELECT doc_id, is_pinned FROM signals SEMI JOIN (
    SELECT left_best AS doc_id FROM passing UNION ALL SELECT right_best FROM passing
) USING (doc_id) ORDER BY {order}
"""

_NEAR = pa.schema(
    [
        ("best", pa.string()),
        ("partner_id", pa.string()),
        ("jaccard", pa.float64()),
        ("containment", pa.float64()),
    ]
)
DROPPED = pa.schema(
    [
        MEMBERS.field("part_number"),
        *(field for field in CHOICES if field.name not in ("part_key", "keep")),
    ]
)
_DROPPED_SQL = """
SELECT part_number, doc_id,
    CASE WHEN n.best IS NOT NULL THEN 'duplicate.near'
        WHEN text_centre = best_text THEN 'duplicate.exact_text'
        ELSE 'duplicate.exact_normalised' END AS reason,
    CASE WHEN n.best IS NULL THEN '{"jaccard":1.0}'
        ELSE to_json(struct_pack(jaccard := n.jaccard, containment := n.containment))::VARCHAR
        END AS values,
    coalesce(n.partner_id, c.best) AS partner_id,
    coalesce(n.jaccard, 1.0::DOUBLE) AS jaccard,
    coalesce(n.containment, 1.0::DOUBLE) AS containment
FROM classes AS c LEFT JOIN near AS n ON n.best = c.best
WHERE n.best IS NOT NULL OR doc_id <> c.best
ORDER BY part_number, doc_id
"""
