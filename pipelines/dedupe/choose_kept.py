"""choose_kept: decisions, signals, edges, pairs -> choices. Which of several documents stays.

Stands after the policy, so that a document never loses to one that the policy drops. Of each class
of equal documents the first in the order of ``prefer`` stands for all, ties by doc_id. These are
walked in the same order, and one is dropped, with its class, if it is a verified near-duplicate of
one that is kept already and may go for it: of a text and a longer one that holds it, the longer one
never goes. Every dropped document's row names the kept one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.documents import CHOICES
from data_contracts.errors import RecipeError
from pipelines.dedupe.verify import Verify, VerifyConfig, may_go
from pipelines.dedupe.walk import walk
from pipelines.sql import query, quoted
from store.step import Inputs, Output, Part, Step

VERSION = 3

PINNED = "is_pinned"
_ORDER = re.compile(r"(?P<signal>[a-z_][a-z0-9_]*)( +(?P<way>asc|desc))?", re.IGNORECASE)


@dataclass(frozen=True)
class ChoiceConfig:
    """Which document of several that say the same is kept, and what counts as the same.

    ``prefer`` orders documents, best first: signals, each with asc or desc; ties by doc_id.
    ``verify`` and ``min_jaccard`` say which pairs are near-duplicates: `pipelines.dedupe.verify`.
    ``pin_kept`` prefers documents that were published before to all others, and drops none of them
    for being similar: what is new gives way, and nothing is retired but by the policy or by a text
    that became equal to another. Without it a better new document takes an older one's place.
    """

    prefer: tuple[str, ...] = ("num_chars desc",)
    verify: Verify = "strict"
    min_jaccard: float = 0.7
    pin_kept: bool = False

    def __post_init__(self) -> None:
        self.rule()

    def rule(self) -> VerifyConfig:
        """Return which pairs are duplicates; raises RecipeError as `VerifyConfig` does."""
        return VerifyConfig(self.verify, self.min_jaccard)


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


def choose_kept(inputs: Inputs, config: ChoiceConfig) -> Output:
    """Choose among duplicates; rows stand in document order, a slice per partition.

    With ``pin_kept``, the receipt's facts say how many documents are kept for having been
    published, and how many are left out for it, against the choice by preference alone.
    """
    published = inputs.table("published")["doc_id"] if config.pin_kept else None
    rows = _choose(inputs, config, published)
    facts = {} if published is None else _counted(rows, _choose(inputs, config, None))
    return Output(rows, slice_by="part_key", facts=facts)


def _choose(inputs: Inputs, config: ChoiceConfig, published: pa.ChunkedArray | None) -> pa.Table:
    decisions = pa.concat_tables(
        [_kept_rows(i, p) for i, p in enumerate(inputs.parts["decisions"])]
    )
    signals = inputs.table("signals", ["doc_id", *preferred(config.prefer)])
    is_pinned = pa.array(np.zeros(len(signals), dtype=bool))
    if published is not None:
        is_pinned = pc.is_in(signals["doc_id"], published)
    signals = signals.append_column(PINNED, is_pinned)
    order = _order_by(config.prefer)
    tables = {"decisions": decisions, "signals": signals, "edges": inputs.table("edges")}
    classes = query(_CLASSES_SQL.format(order=order), _CLASSES, **tables)
    near = _near(inputs.table("pairs"), classes, signals, config)
    return query(_CHOICES_SQL, CHOICES, classes=classes, near=near)


def _counted(rows: pa.Table, by_preference: pa.Table) -> dict[str, int]:
    kept, otherwise = (table.filter(table["keep"])["doc_id"] for table in (rows, by_preference))
    return {
        "kept_as_published": len(kept) - pc.sum(pc.is_in(kept, otherwise), min_count=0).as_py(),
        "left_out_for_published": len(otherwise)
        - pc.sum(pc.is_in(otherwise, kept), min_count=0).as_py(),
    }


def _kept_rows(number: int, part: Part) -> pa.Table:
    """Return the kept ids of one partition with the partition's key and the row's position."""
    table = part.table(["doc_id", "keep"])
    table = table.append_column("position", pa.array(np.arange(len(table))))
    table = table.filter(table["keep"])
    keys = pa.array([part.key] * len(table), pa.string())
    numbers = pa.array(np.full(len(table), number))
    return table.append_column("part_key", keys).append_column("part_number", numbers)


def _near(pairs: pa.Table, classes: pa.Table, signals: pa.Table, config: ChoiceConfig) -> pa.Table:
    """Return the classes that near-duplicates drop whole, each with the document kept for it."""
    tables = {"pairs": pairs, "classes": classes}
    rule = config.rule()
    sql = _PASSING_SQL.format(left_goes=may_go(rule, "left"), right_goes=may_go(rule, "right"))
    passing = query(sql, _PASSING, **tables)
    if not len(passing):
        return _NEAR.empty_table()
    ranked_sql = _RANKED_SQL.format(order=_order_by(config.prefer))
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


_CLASSES = pa.schema(
    [
        ("doc_id", pa.string()),
        ("part_key", pa.string()),
        ("part_number", pa.int64()),
        ("position", pa.int64()),
        ("text_centre", pa.string()),
        ("centre", pa.string()),
        ("best", pa.string()),  # of the class
        ("best_text", pa.string()),
    ]
)
_CLASSES_SQL = """
WITH members AS (
    SELECT d.doc_id, part_key, part_number, position,
        coalesce(t.left_id, d.doc_id) AS text_centre
    FROM decisions AS d
    LEFT JOIN edges AS t ON t.relation = 'exact.text' AND t.right_id = d.doc_id
), classes AS (
    SELECT m.*, coalesce(n.left_id, m.text_centre) AS centre
    FROM members AS m
    LEFT JOIN edges AS n ON n.relation = 'exact.normalised' AND n.right_id = m.text_centre
)
SELECT doc_id, part_key, part_number, position, text_centre, centre,
    first_value(doc_id) OVER best AS best, first_value(text_centre) OVER best AS best_text
FROM classes JOIN signals USING (doc_id)
WINDOW best AS (PARTITION BY centre ORDER BY {order})
"""

_PASSING = pa.schema(
    [
        ("left_best", pa.string()),
        ("right_best", pa.string()),
        ("jaccard", pa.float64()),
        ("containment", pa.float64()),
        ("left_goes", pa.bool_()),
        ("right_goes", pa.bool_()),
    ]
)
_PASSING_SQL = """
WITH bests AS (SELECT DISTINCT centre, best FROM classes)
SELECT l.best AS left_best, r.best AS right_best, jaccard, containment, left_goes, right_goes
FROM (
    SELECT *, {left_goes} AS left_goes, {right_goes} AS right_goes
    FROM pairs WHERE left_goes OR right_goes
) AS p
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
_CHOICES_SQL = """
SELECT part_key, doc_id, n.best IS NULL AND doc_id = c.best AS keep,
    CASE WHEN keep THEN NULL WHEN n.best IS NOT NULL THEN 'duplicate.near'
        WHEN text_centre = best_text THEN 'duplicate.exact_text'
        ELSE 'duplicate.exact_normalised' END AS reason,
    CASE WHEN keep THEN NULL WHEN n.best IS NULL THEN '{"jaccard":1.0}'
        ELSE to_json(struct_pack(jaccard := n.jaccard, containment := n.containment))::VARCHAR
        END AS values,
    CASE WHEN NOT keep THEN coalesce(n.partner_id, c.best) END AS partner_id,
    CASE WHEN NOT keep THEN coalesce(n.jaccard, 1.0::DOUBLE) END AS jaccard,
    CASE WHEN NOT keep THEN coalesce(n.containment, 1.0::DOUBLE) END AS containment
FROM classes AS c LEFT JOIN near AS n ON n.best = c.best
ORDER BY part_number, position
"""

STEP = Step(
    name="choose_kept",
    version=VERSION,
    kind="whole",
    run=choose_kept,
    config=ChoiceConfig,
    schema=CHOICES,
    inputs={"decisions": "all", "signals": "all", "edges": "all", "pairs": "all"},
    accounts_for="decisions",
)
STEP_PINNED = replace(STEP, inputs={**STEP.inputs, "published": "all"})
