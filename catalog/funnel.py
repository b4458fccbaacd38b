"""The funnel: how many documents each step of a run took in, kept and dropped, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from catalog.opened import INGEST, OpenedRun
from catalog.relations import ask, ask_rows, connect, rows_of
from data_contracts.errors import Damaged
from store.datasets import Dataset, Rows, read_dataset
from store.runs import Run
from store.storage import Storage


@dataclass(frozen=True)
class StepRows:
    """The row accounting of one step; ``reasons`` counts its dropped documents."""

    step: str
    rows: Rows
    reasons: dict[str, int]


def funnel(opened: OpenedRun) -> list[StepRows]:
    """Return the accounting of every step of a run, in running order, from its receipts."""
    return [_step_rows(opened, step) for step in opened.steps()]


def funnel_by_source(opened: OpenedRun, step: str) -> list[dict[str, Any]]:
    """Count a step's documents by source and reason: rows of ``source, keep, reason, num_rows``.

    ``keep`` is true and ``reason`` null for kept ones. Joins the step's ids with those of ingest.
    """
    columns = opened.views[step].schema.names
    keep = "keep, reason" if "keep" in columns else "true AS keep, NULL AS reason"
    with connect({"ingest": opened.views[INGEST], "decided": opened.views[step]}) as connection:
        return ask_rows(
            connection,
            f"""
            SELECT source, keep, reason, count(*) AS num_rows
            FROM (SELECT doc_id, {keep} FROM decided)
            JOIN (SELECT doc_id, source FROM ingest) USING (doc_id)
            GROUP BY ALL ORDER BY source, keep DESC, num_rows DESC, reason
            """,
        )


def retired_ids(storage: Storage, now: Dataset, before: Dataset) -> pa.Array:
    """Return the doc_ids, sorted, that a source's earlier dataset has and its present one lacks.

    Only partitions that are not in both are read.
    """
    old, new = _without(before, now), _without(now, before)
    if not old.parts:
        return pa.array([], pa.string())
    relations = {"old": rows_of(storage, old), "new": rows_of(storage, new)}
    with connect(relations) as connection:
        found = ask(connection, "SELECT doc_id FROM old ANTI JOIN new USING (doc_id) ORDER BY ALL")
    return found["doc_id"].combine_chunks()


def count_retired(storage: Storage, before: Run | None, dataset: Dataset) -> int:
    """Count the documents that an earlier run's dataset of this step has and this one lacks.

    0 if there is no such run, or its dataset is no longer whole: a run does not stop for what can
    no longer be told of another.
    """
    record = before.step(dataset.step) if before else None
    if record is None or record.dataset is None:
        return 0
    try:
        old = read_dataset(storage, dataset.step, record.dataset)
        return len(retired_ids(storage, dataset, old))
    except Damaged:
        return 0


def _step_rows(opened: OpenedRun, step: str) -> StepRows:
    dataset = opened.dataset(step)
    record = opened.run.step(step)
    retired = record.rows_retired if record else 0
    return StepRows(step, replace(dataset.rows, retired=retired), dataset.reasons())


def _without(dataset: Dataset, other: Dataset) -> Dataset:
    """Return a dataset without the partitions whose rows another one has in one of its own."""
    digests = {part.digest for part in other.parts}
    return Dataset(dataset.step, tuple(p for p in dataset.parts if p.digest not in digests))
