"""The files of a home by what they are: whose receipt, rows, quarantine, manifest, run.

One listing that verifying and garbage collection both stand on. It is taken from the top down
(runs, manifests, partitions), so that whatever a listed file names was there before it was listed.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from store.storage import Storage

_FILE = re.compile(
    r"(?P<folder>parts|quarantine|datasets)/(?P<step>[^/]+)/(?P<fingerprint>[0-9a-f]{40})"
    r"\.(?P<suffix>json|parquet)"
)
_EXTRA = re.compile(r"parts/(?P<step>[^/]+)/(?P<fingerprint>[0-9a-f]{40})/[^/]+")
_ROLES = {
    ("datasets", "json"): "manifests",
    ("parts", "json"): "receipts",
    ("parts", "parquet"): "rows",
    ("quarantine", "parquet"): "quarantines",
}


class StoredFile(NamedTuple):
    """A file of a home; ``modified`` is in seconds since 1970."""

    name: str
    size_bytes: int
    modified: float


class Identity(NamedTuple):
    """What names a partition or a dataset."""

    step: str
    fingerprint: str


Files = dict[Identity, StoredFile]


@dataclass(frozen=True)
class Inventory:
    """The files of a home. ``unknown`` are those in the store's folders that it did not write.

    ``runs`` maps a run's name to all files in its folder, ``extras`` a partition to the files that
    it has beside its rows.
    """

    runs: dict[str, list[StoredFile]] = field(default_factory=dict)
    manifests: Files = field(default_factory=dict)
    receipts: Files = field(default_factory=dict)
    rows: Files = field(default_factory=dict)
    quarantines: Files = field(default_factory=dict)
    extras: dict[Identity, list[StoredFile]] = field(default_factory=dict)
    unknown: list[StoredFile] = field(default_factory=list)

    def partitions(self) -> list[Identity]:
        """Return every partition of which there is any file, sorted."""
        return sorted({*self.receipts, *self.rows, *self.quarantines, *self.extras})

    def files_of(self, partition: Identity) -> list[StoredFile]:
        """Return the files of a partition, its receipt first."""
        found = (files.get(partition) for files in (self.receipts, self.rows, self.quarantines))
        alone = [file for file in found if file is not None]
        return [*alone, *self.extras.get(partition, [])]


def take_inventory(storage: Storage, steps: Collection[str] | None = None) -> Inventory:
    """List a home; ``steps`` narrows it to the partitions and manifests of some steps."""
    inventory = Inventory()
    for entry in storage.list("runs"):
        _, run, *rest = entry[0].split("/", 2)
        if rest:
            inventory.runs.setdefault(run, []).append(StoredFile(*entry))
        else:
            inventory.unknown.append(StoredFile(*entry))
    for folder in ("datasets", "quarantine", "parts"):
        for entry in storage.list(folder):
            _sort_in(inventory, StoredFile(*entry), steps)
    return inventory


def _sort_in(inventory: Inventory, file: StoredFile, steps: Collection[str] | None) -> None:
    extra = _EXTRA.fullmatch(file.name)
    if extra is not None and (steps is None or extra["step"] in steps):
        identity = Identity(extra["step"], extra["fingerprint"])
        inventory.extras.setdefault(identity, []).append(file)
        return
    match = _FILE.fullmatch(file.name)
    role = _ROLES.get((match["folder"], match["suffix"])) if match else None
    if match is None or role is None:
        if steps is None:
            inventory.unknown.append(file)
    elif steps is None or match["step"] in steps:
        files: Files = getattr(inventory, role)
        files[Identity(match["step"], match["fingerprint"])] = file
