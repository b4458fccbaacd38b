"""What a contract is held against: a dataset's partitions and all that its rules may ask of.

The views that a rule's SQL may name: ``rows`` (the dataset; also by its own name), ``partitions``
(what the receipts say: one row each), ``quarantined``, ``baseline`` (the rows that were accepted
last), and the other datasets of the run by their names, such as ``documents``. Where a recipe edits
texts, ``documents`` are the edited ones for all that comes after, and ``read`` is what was read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from catalog.relations import Relation, quarantined_of, rows_of
from data_contracts.errors import Damaged
from store.datasets import REMEDY, Dataset, Receipt, StoredPart
from store.storage import Storage

ROWS, PARTITIONS, QUARANTINED, BASELINE = "rows", "partitions", "quarantined", "baseline"

# datasets that have contracts, by the step that makes them, in the order of the data path
DATASETS = {
    "ingest": "documents",
    "edit_texts": "edited",
    "compute_signals": "signals",
    "apply_policy": "decisions",
    "compute_signatures": "signatures",
    "link_duplicates": "edges",
    "compare_candidates": "pairs",
    "choose_kept": "choices",
    "split": "splits",
    "guard_heldout": "guarded",
    "materialize": "curated",
    "train_tokenizer": "tokenizer",
    "pack_tokens": "tokens",
    "pack_messages": "messages",
    "pack_labels": "labelled",
}
STEPS = {name: step for step, name in DATASETS.items()}

_PARTITIONS = pa.schema(
    [
        ("part", pa.string()),
        ("num_rows", pa.int64()),
        ("num_in", pa.int64()),
        ("kept", pa.int64()),
        ("dropped", pa.int64()),
        ("quarantined", pa.int64()),
        ("size_bytes", pa.int64()),
        ("facts", pa.string()),  # JSON
    ]
)


@dataclass(frozen=True)
class CheckedPart:
    """One partition: its key, the digest of its content, its rows unread, and its files if any."""

    key: str
    digest: str
    schema: pa.Schema
    rows: Relation
    stored: StoredPart | None = None

    def num_rows(self) -> int:
        """Return how many rows it has."""
        return self.rows.num_rows if isinstance(self.rows, pa.Table) else self.rows.count_rows()

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read some columns of all rows.

        Raises:
            Damaged: if they cannot be read.
        """
        names = list(columns)
        if isinstance(self.rows, pa.Table):
            return self.rows.select(names)
        try:
            return self.rows.to_table(names)
        except (OSError, pa.ArrowException) as error:
            detail = str(error).partition("\n")[0] or type(error).__name__
            raise Damaged(f"Partition {self.key} cannot be read ({detail}); {REMEDY}") from error


@dataclass(frozen=True)
class Subject:
    """A dataset to check.

    ``identity`` says what ``others`` and the baseline are, by view; ``new_parts`` names the
    partitions that the baseline has not; ``step`` is "" for a folder. ``newest_at`` is when the
    newest partition was made, UTC; ``why_no_baseline`` says why there is nothing to compare with.
    """

    name: str
    step: str
    dataset: str
    parts: tuple[CheckedPart, ...]
    rows: Relation
    partitions: pa.Table | None = None
    quarantined: Relation | None = None
    others: Mapping[str, Relation] = field(default_factory=dict)
    baseline: Relation | None = None
    new_parts: frozenset[str] = frozenset()
    identity: Mapping[str, str] = field(default_factory=dict)
    newest_at: str | None = None
    why_no_baseline: str | None = None

    def views(self) -> dict[str, Relation]:
        """Return the relations that rules may ask of, by name."""
        views = {**self.others, self.name: self.rows, ROWS: self.rows}
        own = {PARTITIONS: self.partitions, QUARANTINED: self.quarantined, BASELINE: self.baseline}
        return {**views, **{name: view for name, view in own.items() if view is not None}}


def subject_of(
    storage: Storage,
    dataset: Dataset,
    others: Mapping[str, Dataset],
    baseline: Dataset | None = None,
    schemas: Mapping[str, pa.Schema] | None = None,
) -> Subject:
    """Return a stored dataset as a subject; ``others`` are the run's datasets by step.

    ``schemas`` are those of the steps' rows, for datasets without partitions.
    """
    known_as = schemas or {}
    name = DATASETS.get(dataset.step, dataset.step)
    others_named = {DATASETS.get(step, step): other for step, other in others.items()}
    named = _by_view(others_named, changes_text=name == "edited")
    known = {part.digest for part in baseline.parts} if baseline else set()
    identity = {other: found.fingerprint for other, found in named.items()}
    if baseline is not None:
        identity[BASELINE] = baseline.fingerprint
    return Subject(
        name=name,
        step=dataset.step,
        dataset=dataset.fingerprint,
        parts=tuple(_part(storage, dataset, part) for part in dataset.parts),
        rows=rows_of(storage, dataset, known_as.get(dataset.step)),
        partitions=_partitions(dataset),
        quarantined=quarantined_of(storage, [dataset]),
        others={
            other: rows_of(storage, found, known_as.get(found.step))
            for other, found in named.items()
        },
        baseline=rows_of(storage, baseline) if baseline else None,
        new_parts=frozenset(part.key for part in dataset.parts if part.digest not in known),
        identity=identity,
        newest_at=max((part.finished_at for part in dataset.parts), default=None),
    )


def _by_view(named: Mapping[str, Dataset], changes_text: bool) -> dict[str, Dataset]:
    """Return datasets by the view that rules know them by.

    ``documents`` are those whose text was changed last, ``read`` are what they were changed from,
    or what the checked dataset itself was changed from.
    """
    changing = ("documents", "remove_requested", "drop_repeats", "edited")
    changed = [named[name] for name in changing if name in named]
    if "documents" not in named:
        return dict(named)
    before = len(changed) - 1 if changes_text else max(0, len(changed) - 2)
    return {**named, "documents": changed[-1], "read": changed[before]}


def _part(storage: Storage, dataset: Dataset, receipt: Receipt) -> CheckedPart:
    rows = rows_of(storage, Dataset(dataset.step, (receipt,)))
    schema = pa.schema([field for field in rows.schema if field.name != "part"])
    stored = StoredPart(storage, receipt, receipt.key)
    return CheckedPart(receipt.key, receipt.digest, schema, rows, stored)


def _partitions(dataset: Dataset) -> pa.Table:
    """Return what the receipts say, one row per partition."""
    rows = [
        {
            "part": part.key,
            "num_rows": part.num_rows,
            "num_in": part.rows.num_in,
            "kept": part.rows.kept,
            "dropped": part.rows.dropped,
            "quarantined": part.rows.quarantined,
            "size_bytes": part.size_bytes,
            "facts": json.dumps(part.facts),
        }
        for part in dataset.parts
    ]
    return pa.Table.from_pylist(rows, schema=_PARTITIONS)
