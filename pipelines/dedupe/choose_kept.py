"""choose_kept: decisions, signals, edges, pairs -> choices. Which of several documents stays.

Stands after the policy, so that a document never loses to one that the policy drops. Of each class
of equal documents the first in the order of ``prefer`` stands for all, ties by doc_id. These are
walked in the same order, and one is dropped, with its class, if it is a verified near-duplicate of
one that is kept already and may go for it: of a text and a longer one that holds it, the longer one
never goes. Every dropped document's row names the kept one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.documents import CHOICES, PAIRS
from pipelines.dedupe.dropping import DROPPED, MEMBERS, PASSING, find_dropped, preferred
from pipelines.dedupe.verify import Verify, VerifyConfig, may_go
from pipelines.sql import query
from pipelines.text_slices import one_array
from store.step import Inputs, Output, Part, Step

VERSION = 3

PRIORITY = "priority"


@dataclass(frozen=True)
class ChoiceConfig:
    """Which document of several that say the same is kept, and what counts as the same.

    ``prefer`` orders documents, best first: signals, each with asc or desc; ties by doc_id. Among
    them ``priority`` may stand, that of a document's source; ``priorities`` has it by source, the
    recipe fills it in.
    ``verify`` and ``min_jaccard`` say which pairs are near-duplicates: `pipelines.dedupe.verify`.
    ``pin_kept`` prefers documents that were published before to all others, and drops none of them
    for being similar: what is new gives way, and nothing is retired but by the policy or by a text
    that became equal to another. Without it a better new document takes an older one's place.
    """

    prefer: tuple[str, ...] = ("num_chars desc",)
    verify: Verify = "strict"
    min_jaccard: float = 0.7
    pin_kept: bool = False
    priorities: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        self.rule()

    def rule(self) -> VerifyConfig:
        """Return which pairs are duplicates; raises RecipeError as `VerifyConfig` does."""
        return VerifyConfig(self.verify, self.min_jaccard)


def choose_kept(inputs: Inputs, config: ChoiceConfig) -> Output:
    """Choose among duplicates; rows stand in document order, a slice per partition.

    With ``pin_kept``, the receipt's facts say how many documents are kept for having been
    published, and how many are left out for it, against the choice by preference alone. Memory is
    for what stands in an edge or in a pair that the rule takes, and for a partition of the others.
    """
    passing = _passing(inputs.parts["pairs"], config)
    edges = inputs.table("edges")
    involved = query(_INVOLVED_SQL, _IDS, edges=edges, passing=passing)
    members = query(
        _MEMBERS_SQL, MEMBERS, decisions=_kept_ids(inputs.parts["decisions"]), involved=involved
    )
    signals = _signals(inputs.parts["signals"], config, involved)
    tables = {"members": members, "edges": edges, "signals": signals}
    published = inputs.table("published")["doc_id"] if config.pin_kept else None
    dropped = find_dropped(tables, passing, config.prefer, published)
    facts = {}
    if published is not None:
        facts = _counted(dropped, find_dropped(tables, passing, config.prefer, None))
    rows = _choices(inputs.parts["decisions"], dropped)
    return Output(rows, slice_by="part_key", facts=facts)


def _passing(pairs: Sequence[Part], config: ChoiceConfig) -> pa.Table:
    """Return the pairs that are near-duplicates by the rule."""
    wanted = [name for name in PAIRS.names if not name.endswith(("_hash", "_version"))]
    rule = config.rule()
    sql = _PASSING_SQL.format(left_goes=may_go(rule, "left"), right_goes=may_go(rule, "right"))
    found = [query(sql, PASSING, pairs=part.table(wanted)) for part in pairs]
    return pa.concat_tables([PASSING.empty_table(), *found])


def _kept_ids(decisions: Sequence[Part]) -> pa.RecordBatchReader:
    """Stream the ids that the policy keeps, each with the number of its partition."""

    def batches() -> Iterator[pa.RecordBatch]:
        for number, part in enumerate(decisions):
            ids = _kept_of(part)
            yield pa.record_batch([ids, pa.array(np.full(len(ids), number))], schema=MEMBERS)

    return pa.RecordBatchReader.from_batches(MEMBERS, batches())


def _kept_of(part: Part) -> pa.Array:
    rows = part.table(["doc_id", "keep"])
    return one_array(rows["doc_id"].filter(rows["keep"]))


def _signals(parts: Sequence[Part], config: ChoiceConfig, ids: pa.Table) -> pa.Table:
    """Return all that documents with some ids are ordered by, read a partition at a time."""
    tables = (_ordering(part, config) for part in parts)
    first = next(tables)
    batches = (batch for table in chain([first], tables) for batch in table.to_batches())
    reader = pa.RecordBatchReader.from_batches(first.schema, batches)
    sql = "SELECT * FROM rows SEMI JOIN ids USING (doc_id)"
    return query(sql, first.schema, rows=reader, ids=ids)


def _ordering(part: Part, config: ChoiceConfig) -> pa.Table:
    """Return a partition's ids and all that they are ordered by; it is of one source."""
    asked, priorities = preferred(config.prefer), dict(config.priorities)
    table = part.table(["doc_id", *(name for name in asked if name != PRIORITY)])
    if PRIORITY not in asked:
        return table
    of_source = np.full(len(table), priorities.get(part.key.partition("/")[0], 0))
    return table.append_column(PRIORITY, pa.array(of_source, pa.int64()))


def _choices(decisions: Sequence[Part], dropped: pa.Table) -> Iterator[pa.RecordBatch]:
    """Yield the choice of each document that the policy keeps, a batch for each partition."""
    starts = np.searchsorted(dropped["part_number"].to_numpy(), np.arange(len(decisions) + 1))
    for number, part in enumerate(decisions):
        mine = dropped.slice(starts[number], starts[number + 1] - starts[number])
        ids = _kept_of(part)
        places = pc.index_in(ids, mine["doc_id"])
        columns = {
            "part_key": pa.repeat(part.key, len(ids)),
            "doc_id": ids,
            "keep": pc.is_null(places),
            **{name: one_array(mine[name].take(places)) for name in DROPPED.names[2:]},
        }
        yield pa.record_batch([columns[name] for name in CHOICES.names], schema=CHOICES)


def _counted(dropped: pa.Table, by_preference: pa.Table) -> dict[str, int]:
    """Count what is kept for having been published, and what is left out for it."""
    now, otherwise = set(dropped["doc_id"].to_pylist()), set(by_preference["doc_id"].to_pylist())
    return {
        "kept_as_published": len(otherwise - now),
        "left_out_for_published": len(now - otherwise),
    }


_PASSING_SQL = """
SELECT left_id, right_id, jaccard, containment, {left_goes} AS left_goes, {right_goes} AS right_goes
FROM pairs WHERE left_goes OR right_goes
"""

_IDS = pa.schema([("doc_id", pa.string())])
_INVOLVED_SQL = """
SELECT left_id AS doc_id FROM edges UNION SELECT right_id FROM edges
UNION SELECT left_id FROM passing UNION SELECT right_id FROM passing
"""

_MEMBERS_SQL = "SELECT * FROM decisions SEMI JOIN involved USING (doc_id)"

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
