"""Tables of the healthy run in memory, to be spoiled in one way each and held against a contract.

A defect is a function that changes a `Planted` and returns texts that the broken rule's samples
must hold. It says which rule it breaks, how many rows are broken, and what cannot but break too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from healthy_run import HealthyRun

from catalog.contracts.subject import (
    BASELINE,
    PARTITIONS,
    QUARANTINED,
    ROWS,
    CheckedPart,
    Subject,
    subject_of,
)
from store.datasets import ExtraFile, Receipt, StoredPart
from store.identity import digest_file
from store.storage import Storage

Rows = list[dict[str, Any]]


@dataclass
class Planted:
    """The views of one dataset's rules as lists of rows, free to be changed.

    ``baseline`` stays None unless a defect sets one; ``new_parts`` names partitions that it lacks.
    ``folder`` is an empty one for files of shards.
    """

    name: str
    source: Subject
    receipts: dict[str, Receipt]
    storage: Storage
    folder: Path
    schema: pa.Schema
    baseline: pa.Table | None = None
    new_parts: frozenset[str] = frozenset()
    views: dict[str, Rows] = field(default_factory=dict)

    def view(self, name: str) -> Rows:
        """Return the rows of a view, the dataset's own, ``partitions`` or another's."""
        if name not in self.views:
            self.views[name] = _table(self.source.views()[name]).to_pylist()
        return self.views[name]

    @property
    def rows(self) -> Rows:
        """The rows of the dataset itself."""
        return self.view(ROWS)

    def where(self, **values: Any) -> Rows:
        """Return the rows that have some values, in order."""
        return [row for row in self.rows if all(row[k] == v for k, v in values.items())]

    def facts(self, number: int = 0) -> dict[str, Any]:
        """Return what a partition's receipt says, to look at; `tell` changes it."""
        return json.loads(self.view(PARTITIONS)[number]["facts"])

    def tell(self, number: int = 0, **facts: Any) -> None:
        """Make a partition's receipt say something else."""
        part = self.view(PARTITIONS)[number]
        part["facts"] = json.dumps({**self.facts(number), **facts})

    def recount(self) -> None:
        """Make the receipts say what the rows say, so that nothing but the rows is wrong."""
        for part in self.view(PARTITIONS):
            mine = [row for row in self.rows if row["part"] == part["part"]]
            kept = sum(row.get("keep", True) for row in mine)
            part |= {"num_rows": len(mine), "kept": kept, "dropped": len(mine) - kept}
            part["num_in"] = len(mine) + part["quarantined"]

    def subject(self) -> Subject:
        """Return the spoiled dataset, as a check takes it."""
        others = {name: self._relation(name) for name in self.source.others}
        rows = self._relation(ROWS)
        keys = [part.key for part in self.source.parts]
        return replace(
            self.source,
            parts=tuple(self._part(number, key) for number, key in enumerate(keys)),
            rows=rows,
            partitions=_table(self._relation(PARTITIONS)),
            quarantined=self._relation(QUARANTINED),
            others=others,
            baseline=None if self.baseline is None else ds.dataset(self.baseline),
            new_parts=self.new_parts,
            identity={} if self.baseline is None else {BASELINE: "planted"},
        )

    def _relation(self, name: str) -> Any:
        original = self.source.views()[name]
        if name not in self.views:
            return original
        schema = pa.schema([*self.schema, *_part_field(original)]) if name == ROWS else None
        return ds.dataset(pa.Table.from_pylist(self.views[name], schema or original.schema))

    def _part(self, number: int, key: str) -> CheckedPart:
        part = self.source.parts[number]
        mine = [row for row in self.rows if row["part"] == key]
        table = pa.Table.from_pylist(mine, self.schema)
        receipt = self.receipts.get(key)
        stored = part.stored if receipt is None else StoredPart(self.storage, receipt, key)
        return CheckedPart(key, f"planted {key}", self.schema, ds.dataset(table), stored)

    def change_file(self, number: int, name: str, change: Callable[[bytearray], None]) -> None:
        """Change the bytes of a file that belongs to a partition, as if it had been written so."""
        stored = self.source.parts[number].stored
        assert stored is not None
        before = self.receipts.get(stored.key, stored.receipt)
        if stored.key not in self.receipts:
            self._copy_files(stored)
        path = self.folder / "home" / before.extra_name(name)
        data = bytearray(path.read_bytes())
        change(data)
        path.write_bytes(data)
        files = {**before.files, name: ExtraFile(len(data), digest_file(path))}
        self.receipts[stored.key] = replace(before, files=files)

    def _copy_files(self, stored: StoredPart) -> None:
        self.storage = Storage(str(self.folder / "home"))
        for name in stored.receipt.files:
            target = self.folder / "home" / stored.receipt.extra_name(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(stored.file(name, self.folder), target)


@dataclass(frozen=True)
class Defect:
    """One way to spoil a dataset, the rule that must find it, and what it must say.

    ``num_broken`` counts rows, texts or values; it is 1 for a number that counts none of them.
    """

    dataset: str
    rule: str
    plant: Callable[[Planted], Sequence[str]]
    num_broken: int
    also: frozenset[str]
    label: str

    def __str__(self) -> str:
        return f"{self.dataset}:{self.rule}:{self.label}"


DEFECTS: list[Defect] = []


def defect(dataset: str, rule: str, num_broken: int = 1, also: Sequence[str] = ()) -> Any:
    """Register a function as a defect of a rule; ``also`` names rules that must break with it."""

    def register(plant: Callable[[Planted], Sequence[str]]) -> Callable[[Planted], Sequence[str]]:
        label = plant.__name__
        DEFECTS.append(Defect(dataset, rule, plant, num_broken, frozenset(also), label))
        return plant

    return register


class Healthy:
    """The healthy run's subjects, read into memory once."""

    def __init__(self, run: HealthyRun) -> None:
        self.run = run
        self.subjects: dict[str, Subject] = {}

    def subject(self, name: str) -> Subject:
        """Return a dataset of the run with all its views in memory."""
        if name not in self.subjects:
            found = subject_of(self.run.storage, self.run.datasets[name], self.run.upstream(name))
            others = {other: ds.dataset(_table(rows)) for other, rows in found.others.items()}
            quarantined = ds.dataset(_table(found.quarantined))
            rows = ds.dataset(_table(found.rows))
            self.subjects[name] = replace(
                found, rows=rows, others=others, quarantined=quarantined, identity={}
            )
        return self.subjects[name]

    def planted(self, name: str, folder: Path) -> Planted:
        """Return a dataset of the run, free to be spoiled."""
        subject = self.subject(name)
        return Planted(name, subject, {}, self.run.storage, folder, subject.parts[0].schema)


def baseline_with(planted: Planted, **columns: Sequence[Any]) -> None:
    """Set a baseline that has the rows as they are, but for some columns."""
    names = ["part", *columns, *(name for name in planted.schema.names if name not in columns)]
    given = {**{name: [row[name] for row in planted.rows] for name in names}, **columns}
    types = {name: planted.schema.field(name).type for name in names[1:] if name not in columns}
    planted.baseline = pa.table({n: pa.array(v, types.get(n)) for n, v in given.items()})


def resampled(values: Sequence[Any], low_share: float) -> list[Any]:
    """Return as many values, of which the smaller half makes up another share than one half."""
    ordered, half = sorted(values), len(values) // 2
    num_low = round(low_share * len(values))
    return [
        *_spread(ordered[:half], num_low),
        *_spread(ordered[half:], len(values) - num_low),
    ]


def skew(planted: Planted, is_low: Callable[[dict[str, Any]], Any], low_share: float) -> None:
    """Make the first partition new, with another share of some rows; the whole stays as it was.

    ``is_low`` tells them, or is a number, of which they are the smaller half. Partitions keep their
    sizes, and the baseline is the whole.
    """
    rows = planted.rows
    baseline_with(planted)
    size = sum(row["part"] == rows[0]["part"] for row in rows)
    keys = [row["part"] for row in rows]
    values = [is_low(row) for row in rows]
    if isinstance(values[0], bool):
        low = [n for n, value in enumerate(values) if value]
    else:
        low = sorted(range(len(rows)), key=values.__getitem__)[: len(rows) // 2]
    high = [n for n in range(len(rows)) if n not in set(low)]
    num_low = round(low_share * size)
    chosen = {*_spread(low, num_low), *_spread(high, size - num_low)}
    order = [*sorted(chosen), *(n for n in range(len(rows)) if n not in chosen)]
    for key, number in zip(keys, order, strict=True):
        rows[number]["part"] = key
    planted.new_parts = frozenset({keys[0]})


def _spread(values: Sequence[Any], number: int) -> list[Any]:
    """Return so many of some values, evenly spread, some of them several times if need be."""
    return [values[i * len(values) // number] for i in range(number)]


def _table(relation: Any) -> pa.Table:
    return relation if isinstance(relation, pa.Table) else relation.to_table()


def _part_field(relation: Any) -> list[pa.Field]:
    return [field for field in relation.schema if field.name == "part"]
