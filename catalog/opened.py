"""One run, opened for reading: the small, stable surface for notebooks and for our own pages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import duckdb
import pyarrow as pa

from catalog.relations import (
    PART,
    STEP,
    Relation,
    ask,
    connect,
    quarantined_of,
    rows_of,
    unreadable,
)
from data_contracts.errors import NotFound, UsageError
from store.datasets import Dataset, StoredPart, read_dataset
from store.hints import nearest
from store.runs import Run, get_run
from store.step import QUARANTINE
from store.storage import Storage

INGEST = "ingest"
CONVERSATIONS = "read_conversations"
CURATED = "materialize"
SPLITS = ("train", "heldout")


def open_run(home: str, name: str | None = None) -> OpenedRun:
    """Open a run of a home (a folder or a bucket's URL), the latest one if no name is given.

    Raises:
        NotFound: if there is no such run.
    """
    storage = Storage(home)
    return OpenedRun(storage, get_run(storage, name))


class OpenedRun:
    """What one run made: its steps' rows as Arrow tables and as relations for SQL. Read only.

    Rows are read when asked for, never before; nothing is kept open in between.
    """

    def __init__(self, storage: Storage, run: Run) -> None:
        self.storage, self.run = storage, run
        self._datasets: dict[str, Dataset] = {}

    def __repr__(self) -> str:
        return f"OpenedRun({self.storage.url!r}, {self.name!r})"

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.run.name

    def steps(self) -> list[str]:
        """Return the names of the steps that have a dataset, in the order in which they ran."""
        return [record.step for record in self.run.steps if record.dataset is not None]

    def dataset(self, step: str) -> Dataset:
        """Return the manifest of a step's output.

        Raises:
            NotFound: if this run has no output of that step.
            Damaged: if the manifest or a receipt is missing or not what was written.
        """
        if step not in self._datasets:
            record = self.run.step(step)
            if record is None or record.dataset is None:
                known = ", ".join(self.steps()) or "none yet"
                raise NotFound(f"Run {self.name} has no output of {step!r}; it has: {known}.")
            self._datasets[step] = read_dataset(self.storage, step, record.dataset)
        return self._datasets[step]

    def part(self, step: str) -> StoredPart:
        """Return the one partition of a step that has one (a tokenizer, a model), with its files.

        Raises:
            NotFound: if this run has no output of that step.
        """
        (receipt,) = self.dataset(step).parts
        return StoredPart(self.storage, receipt, receipt.key)

    def rows(self, step: str) -> Relation:
        """Return a step's rows unread, with the column ``part``: the partition of each row."""
        return rows_of(self.storage, self.dataset(step))

    def table(self, step: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a step's rows, in their written order, all columns or those named.

        Raises:
            NotFound: if there is no such step or column.
            Damaged: if a partition cannot be read.
        """
        return self._read(self.rows(step), columns)

    def documents(self, columns: Sequence[str] | None = None, split: str | None = None) -> pa.Table:
        """Read the curated documents (`data_contracts.documents.CURATED`), in document order.

        ``split`` is ``train`` or ``heldout``, or ``None`` for both.

        Raises:
            UsageError: if there is no such split.
        """
        import pyarrow.dataset as ds

        if split not in (None, *SPLITS):
            raise UsageError(f"There is no split {split!r}; {nearest(str(split), SPLITS)}")
        condition = None if split is None else ds.field("split") == split
        return self._read(self.rows(CURATED), columns, condition)

    def decisions(self, step: str) -> pa.Table:
        """Read a step's decisions: ``doc_id, keep, reason, values``.

        Raises:
            NotFound: if the step decides nothing.
        """
        return self.table(step, ["doc_id", "keep", "reason", "values"])

    def quarantine(self, step: str | None = None) -> pa.Table:
        """Read the quarantined rows of one step or of all: ``step`` and `store.step.QUARANTINE`."""
        return self._read(self._quarantined(step), [STEP, *QUARANTINE.names])

    def sql(self, query: str, **params: Any) -> pa.Table:
        """Ask one SELECT of views named after the steps, and of ``quarantine``; return its rows.

        Named parameters stand as ``$name`` in the query. Each step's view has its columns and
        ``part``. Files, network and settings are out of reach.

        Raises:
            UsageError: if the query is not one SELECT or does not fit the views.
            Damaged: if a partition cannot be read.
            StoreError: if there is no memory or room for it now.
        """
        try:
            if [item.type for item in duckdb.extract_statements(query)] != [_SELECT]:
                raise UsageError(
                    "A query of a run is one SELECT statement; this is something else."
                )
            with connect(self.views) as connection:
                return ask(connection, query, **params)
        except duckdb.Error as error:
            raise UsageError(f"The query does not fit the run: {str(error).strip()}") from error

    @cached_property
    def views(self) -> dict[str, Relation]:
        """The unread rows of every step by its name, and ``quarantine`` of all."""
        views = {step: self.rows(step) for step in self.steps()}
        return {**views, "quarantine": self._quarantined()}

    def _quarantined(self, step: str | None = None) -> Relation:
        steps = self.steps() if step is None else [step]
        return quarantined_of(self.storage, [self.dataset(name) for name in steps])

    def _read(
        self,
        rows: Relation,
        columns: Sequence[str] | None,
        condition: Any = None,
    ) -> pa.Table:
        known = [name for name in rows.schema.names if name != PART]
        wanted = known if columns is None else list(columns)
        for name in wanted:
            if name not in known:
                raise NotFound(f"There is no column {name!r}; there are: {', '.join(known)}.")
        try:
            if isinstance(rows, pa.Table):
                return rows.select(wanted)
            return rows.to_table(wanted, filter=condition)
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self.storage, error) from error


_SELECT = duckdb.StatementType.SELECT
