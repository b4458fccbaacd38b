"""choose_kept: decisions, signals, edges -> choices. Which one of equal documents stays.

Stands after the policy, so that a document never loses to one that the policy drops. Of each class
of equal documents the first in the order of ``prefer`` is kept, ties by doc_id; every other one's
row names it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data_contracts.documents import CHOICES
from data_contracts.errors import RecipeError
from pipelines.sql import query, quoted
from store.step import Inputs, Output, Part, Step

VERSION = 1

_ORDER = re.compile(r"(?P<signal>[a-z_][a-z0-9_]*)( +(?P<way>asc|desc))?", re.IGNORECASE)


@dataclass(frozen=True)
class ChoiceConfig:
    """``prefer`` orders the documents of a class, best first: signals, each with asc or desc."""

    prefer: tuple[str, ...] = ("num_chars desc",)


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
    return ", ".join([*terms, "c.doc_id ASC"])


def choose_kept(inputs: Inputs, config: ChoiceConfig) -> Output:
    """Choose among duplicates; rows stand in document order, a slice per partition."""
    decisions = pa.concat_tables(
        [_kept_rows(i, p) for i, p in enumerate(inputs.parts["decisions"])]
    )
    columns = ["doc_id", *preferred(config.prefer)]
    tables = {"signals": inputs.table("signals", columns), "edges": inputs.table("edges")}
    sql = _SQL.format(order=_order_by(config.prefer))
    return Output(query(sql, CHOICES, decisions=decisions, **tables), slice_by="part_key")


def _kept_rows(number: int, part: Part) -> pa.Table:
    """Return the kept ids of one partition with the partition's key and the row's position."""
    table = part.table(["doc_id", "keep"])
    table = table.append_column("position", pa.array(np.arange(len(table))))
    table = table.filter(table["keep"])
    keys = pa.array([part.key] * len(table), pa.string())
    numbers = pa.array(np.full(len(table), number))
    return table.append_column("part_key", keys).append_column("part_number", numbers)


_SQL = """
WITH members AS (
    SELECT d.doc_id, part_key, part_number, position,
        coalesce(t.left_id, d.doc_id) AS text_centre
    FROM decisions AS d
    LEFT JOIN edges AS t ON t.relation = 'exact.text' AND t.right_id = d.doc_id
), classes AS (
    SELECT m.*, coalesce(n.left_id, m.text_centre) AS centre
    FROM members AS m
    LEFT JOIN edges AS n ON n.relation = 'exact.normalised' AND n.right_id = m.text_centre
), chosen AS (
    SELECT c.doc_id, part_key, part_number, position, text_centre,
        first_value(c.doc_id) OVER best AS partner,
        first_value(text_centre) OVER best AS partner_text
    FROM classes AS c JOIN signals AS s ON s.doc_id = c.doc_id
    WINDOW best AS (PARTITION BY centre ORDER BY {order})
)
SELECT part_key, doc_id, doc_id = partner AS keep,
    CASE WHEN keep THEN NULL WHEN text_centre = partner_text THEN 'duplicate.exact_text'
        ELSE 'duplicate.exact_normalised' END AS reason,
    CASE WHEN NOT keep THEN '{{"jaccard":1.0}}' END AS values,
    CASE WHEN NOT keep THEN partner END AS partner_id,
    CASE WHEN NOT keep THEN 1.0::DOUBLE END AS jaccard,
    CASE WHEN NOT keep THEN 1.0::DOUBLE END AS containment
FROM chosen ORDER BY part_number, position
"""

STEP = Step(
    name="choose_kept",
    version=VERSION,
    kind="whole",
    run=choose_kept,
    config=ChoiceConfig,
    schema=CHOICES,
    inputs={"decisions": "all", "signals": "all", "edges": "all"},
    accounts_for="decisions",
)
