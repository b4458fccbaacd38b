"""compare_candidates: candidates, signatures, documents -> pairs. What candidates have in common.

Every candidate is measured on the texts themselves, whatever is made of it later; so the rows are a
pure function of the set of documents, and another threshold measures nothing again. What was
measured of the same two texts before is taken from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.documents import CANDIDATES, PAIRS
from pipelines.dedupe.measures import measure_pairs
from pipelines.dedupe.shelf import shelve
from pipelines.dedupe.text_keys import text_keys
from pipelines.sql import query
from store.step import Inputs, Output, Part, Step

VERSION = 2
RULE_VERSION = 2  # of what is measured of a pair

_CENTRES = pa.schema(
    [
        pa.field("text_key", pa.uint64()),
        pa.field("doc_id", pa.string()),
        pa.field("text_hash", pa.string()),
    ]
)
_ENDS = pa.schema([field for field in PAIRS if field.name.endswith(("_id", "_hash"))])
_CENTRES_SQL = """
    SELECT any_value(text_key) AS text_key, min(doc_id) AS doc_id,
        arg_min(text_hash, doc_id) AS text_hash
    FROM named GROUP BY normal_hash
"""
# Two texts may have been made to share a key: they are compared with each other, too.
_ENDS_SQL = """
    WITH joined AS (
        SELECT a.doc_id AS one, b.doc_id AS other
        FROM candidates JOIN centres AS a ON a.text_key = left_key
        JOIN centres AS b ON b.text_key = right_key
        UNION ALL
        SELECT a.doc_id, b.doc_id FROM centres AS a JOIN centres AS b ON b.text_key = a.text_key
        WHERE a.doc_id < b.doc_id
    ), ordered AS (
        SELECT DISTINCT least(one, other) AS left_id, greatest(one, other) AS right_id FROM joined
    )
    SELECT left_id, right_id, l.text_hash AS left_hash, r.text_hash AS right_hash
    FROM ordered JOIN centres AS l ON l.doc_id = left_id JOIN centres AS r ON r.doc_id = right_id
"""
_NEW_SQL = "SELECT * FROM ends ANTI JOIN known USING (left_hash, right_hash)"
_KNOWN_SQL = """
    SELECT e.left_id, e.right_id, k.* EXCLUDE (left_id, right_id)
    FROM ends AS e JOIN (SELECT DISTINCT ON (left_hash, right_hash) * FROM known) AS k
        USING (left_hash, right_hash)
"""
_ORDERED_SQL = "SELECT * FROM pairs ORDER BY left_id, right_id"


@dataclass(frozen=True)
class CompareConfig:
    """Nothing is asked: what is measured of a pair is always the same."""


def compare_candidates(inputs: Inputs, config: CompareConfig) -> Output:
    """Measure every pair of candidates, ordered by their ids.

    Of documents with one normalised text the one with the smallest id stands for all. Memory is for
    the pairs and the names of their texts; shingles lie in a file.
    """
    candidates = _candidates(inputs.parts["candidates"])
    if not len(candidates):
        return Output(PAIRS.empty_table(), facts={"pairs_measured_before": 0})
    centres = _centres(inputs.parts["signatures"], candidates)
    ends = query(_ENDS_SQL, _ENDS, candidates=candidates, centres=centres)
    known = PAIRS.empty_table() if inputs.previous is None else inputs.previous.table()
    new = query(_NEW_SQL, _ENDS, ends=ends, known=known)
    pairs = [query(_KNOWN_SQL, PAIRS, ends=ends, known=known), _measured(inputs, new)]
    facts = {"pairs_measured_before": len(pairs[0])}
    return Output(query(_ORDERED_SQL, PAIRS, pairs=pa.concat_tables(pairs)), facts=facts)


def _candidates(parts: Sequence[Part]) -> pa.Table:
    """Return each pair of texts once, though they may share keys of several buckets."""
    found = pa.concat_tables([CANDIDATES.empty_table(), *(part.table() for part in parts)])
    return query("SELECT DISTINCT left_key, right_key FROM found", CANDIDATES, found=found)


def _centres(signatures: Sequence[Part], candidates: pa.Table) -> pa.Table:
    """Return the document that stands for each normalised text that is to be compared."""
    keys = np.unique(np.concatenate([column.to_numpy() for column in candidates.columns]))
    named = []
    for part in signatures:
        rows = part.table(["doc_id", "text_hash", "normal_hash"])
        mine = text_keys(rows["normal_hash"])
        rows = rows.append_column("text_key", pa.array(mine))
        named.append(rows.filter(pa.array(np.isin(mine, keys))))
    return query(_CENTRES_SQL, _CENTRES, named=pa.concat_tables(named))


def _measured(inputs: Inputs, ends: pa.Table) -> pa.Table:
    """Measure pairs, those of neighbouring texts one after the other."""
    if not len(ends):
        return PAIRS.empty_table()
    assert inputs.scratch is not None
    wanted = pc.unique(pa.chunked_array([*ends["left_id"].chunks, *ends["right_id"].chunks]))
    shelf = shelve(inputs.parts["documents"], wanted, inputs.scratch)
    left, right = shelf.places(ends["left_id"]), shelf.places(ends["right_id"])
    order = np.lexsort((right, left))
    rows = ends.take(pa.array(order))
    for name, values in measure_pairs(shelf.words, shelf.sets, left[order], right[order]).items():
        rows = rows.append_column(name, values)
    versions = pa.array(np.full(len(rows), RULE_VERSION, dtype=np.int32))
    rows = rows.append_column("rule_version", versions)
    return rows.select(PAIRS.names).cast(PAIRS)


STEP = Step(
    name="compare_candidates",
    version=VERSION,
    kind="whole",
    run=compare_candidates,
    config=CompareConfig,
    schema=PAIRS,
    inputs={"candidates": "all", "signatures": "all", "documents": "all"},
    libraries=(),
    accounts_for="signatures",
    emits="edges",
    incremental=True,
)
