"""link_duplicates: signatures -> edges. Which documents are the same, whatever is kept later.

Edges are a pure function of the set of documents: no policy, no order of arrival. Equality is an
equivalence, so a class is written as a star around its smallest doc_id: first the classes of equal
text, then, between the centres of those, the classes of equal normalised text.
"""

from __future__ import annotations

from dataclasses import dataclass

from data_contracts.documents import EDGES
from pipelines.sql import query
from store.step import Inputs, Output, Step

VERSION = 1
RULE_VERSION = 1

_SQL = f"""
WITH classes AS (
    SELECT doc_id, normal_hash, min(doc_id) OVER (PARTITION BY text_hash) AS text_centre
    FROM signatures
), centres AS (
    SELECT doc_id, min(doc_id) OVER (PARTITION BY normal_hash) AS normal_centre
    FROM classes WHERE doc_id = text_centre
), edges AS (
    SELECT text_centre AS left_id, doc_id AS right_id, 'exact.text' AS relation
    FROM classes WHERE doc_id <> text_centre
    UNION ALL
    SELECT normal_centre, doc_id, 'exact.normalised' FROM centres WHERE doc_id <> normal_centre
)
SELECT *, 1.0::DOUBLE AS jaccard, 1.0::DOUBLE AS containment, {RULE_VERSION} AS rule_version
FROM edges ORDER BY left_id, right_id, relation
"""


@dataclass(frozen=True)
class LinkConfig:
    """How many buckets the signatures were divided into: that of `SignaturesConfig`."""

    num_buckets: int = 8


def link_duplicates(inputs: Inputs, config: LinkConfig) -> Output:
    """Link the equal documents of one bucket of signatures; rows are ordered by their ids."""
    if not inputs.parts["signatures"]:
        return Output(EDGES.empty_table())
    return Output(query(_SQL, EDGES, signatures=inputs.table("signatures")))


STEP = Step(
    name="link_duplicates",
    version=VERSION,
    kind="shuffle",
    run=link_duplicates,
    config=LinkConfig,
    schema=EDGES,
    inputs={"signatures": "bucket"},
    accounts_for="signatures",
    emits="edges",
    num_buckets=lambda config: config.num_buckets,
)
