"""Collecting garbage: what no run's datasets stand on any more.

Roots are the records of runs. Alive are the manifests that kept runs name, the partitions that
these manifests name, and everything young; all else that the store wrote is garbage. Files that it
did not write are never touched.

Whatever is named is deleted after what names it (run records, manifests, receipts, rows), so that
a collection may be killed at any moment: what is left is whole, or rows that nobody reads.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from store.accepted import baselines
from store.datasets import manifest_name, unsealed
from store.errors import Damaged, UsageError
from store.hints import counted, human_bytes
from store.home import SCRATCH
from store.inventory import Identity, Inventory, StoredFile, take_inventory
from store.lease import FOLDER as LEASES_FOLDER
from store.lease import Leases
from store.runs import Run, list_runs, run_name
from store.storage import Entry, Storage
from store.verify import DAMAGED_FOLDER

_THREADS = 8
_CHUNK_FILES = 256  # deleted between two looks at whether a run has begun
_RECENT_LEASE_SECONDS = 600.0
_WORK_SECONDS = 7 * 86400.0  # what a killed step goes on from is kept for so much longer

Garbage = dict[str, list[StoredFile]]


@dataclass(frozen=True)
class Share:
    """Some files and their bytes."""

    num_files: int = 0
    size_bytes: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(self.num_files + other.num_files, self.size_bytes + other.size_bytes)


@dataclass(frozen=True)
class GcReport:
    """What is garbage, and how much of it was deleted.

    ``steps`` counts the files of partitions and manifests by step; ``others`` those of ``runs``,
    ``checks``, ``leftovers`` of killed processes, and ``damaged`` if asked for. ``num_deleted``
    files are gone now, and ``num_leases`` old leases. ``notes`` say what was kept for safety,
    ``stopped`` why not everything that was to be deleted was.
    """

    steps: dict[str, Share] = field(default_factory=dict)
    others: dict[str, Share] = field(default_factory=dict)
    kept: Share = field(default_factory=Share)
    num_deleted: int = 0
    num_leases: int = 0
    notes: tuple[str, ...] = ()
    stopped: str | None = None

    @property
    def total(self) -> Share:
        """All garbage."""
        return sum([*self.steps.values(), *self.others.values()], Share())

    def plain(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {**asdict(self), "notes": list(self.notes), "total": asdict(self.total)}


def format_report(report: GcReport) -> str:
    """Return the report as lines for people: what is garbage by step, then what became of it."""
    shares = {**report.steps, **report.others, "in all": report.total, "kept": report.kept}
    lines = [
        f"{name:20} {counted(share.num_files, 'file'):>14} {human_bytes(share.size_bytes):>10}"
        for name, share in shares.items()
    ]
    if report.num_deleted:
        was = "was" if report.num_deleted == 1 else "were"
        lines.append(f"{counted(report.num_deleted, 'file')} {was} deleted.")
    elif report.total.num_files and not report.stopped:
        lines.append("Nothing was deleted; `millrace gc --delete` does it.")
    return "\n".join([*lines, *report.notes, *([report.stopped] if report.stopped else [])])


def collect_garbage(
    storage: Storage,
    delete: bool = False,
    keep_runs: int | None = None,
    min_age_seconds: float = 3600.0,
    damaged: bool = False,
) -> GcReport:
    """Find what no run needs, and delete it if ``delete``.

    ``keep_runs`` keeps of each recipe the newest so many finished runs, all runs after them, those
    that wait for a person, and those whose accepted datasets are the baseline now; ``None`` keeps
    all. Nothing that was written less than ``min_age_seconds`` ago goes, what a killed step would
    go on from stays for a week more, and nothing goes at all while a run is at work: it may count
    on partitions that no record names yet. ``damaged`` takes what `verify` set aside too.

    Raises:
        UsageError: if ``keep_runs`` is below 1.
        Damaged: if a run's record cannot be read, since nobody knows what that run needs.
    """
    if keep_runs is not None and keep_runs < 1:
        raise UsageError(f"keep_runs is {keep_runs}; at least one run of each recipe is kept.")
    old_before = time.time() - min_age_seconds
    known = _begun(storage)
    inventory = take_inventory(storage)
    alive = _mark(storage, inventory, keep_runs, old_before)
    garbage = _garbage(storage, inventory, alive, old_before)
    if damaged:
        garbage["damaged"] = _old(storage.list(DAMAGED_FOLDER), old_before)
    num_deleted, stopped = _delete(storage, garbage, known) if delete else (0, None)
    return GcReport(
        steps=_by_step([*garbage["manifests"], *garbage["receipts"], *garbage["rows"]]),
        others={
            label: _share(garbage[label])
            for label in ("runs", "checks", "leftovers", "damaged")
            if garbage.get(label)
        },
        kept=_share([file for one in alive.partitions for file in inventory.files_of(one)]),
        num_deleted=num_deleted,
        num_leases=_sweep(storage) if delete and stopped is None else 0,
        notes=tuple(alive.notes),
        stopped=stopped,
    )


@dataclass
class _Alive:
    """What is not garbage: runs by name, manifests and partitions by identity."""

    runs: set[str] = field(default_factory=set)
    manifests: set[Identity] = field(default_factory=set)
    partitions: set[Identity] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def _mark(
    storage: Storage, inventory: Inventory, keep_runs: int | None, old_before: float
) -> _Alive:
    """Mark what is alive, from the runs down; young things are roots of their own."""
    young_runs = {
        run
        for run, files in inventory.runs.items()
        if any(file.modified >= old_before for file in files)
    }
    runs = list(list_runs(storage))
    accepted = baselines(storage)
    alive = _Alive(runs=_kept_runs(runs, keep_runs) | young_runs | {one.run for one in accepted})
    alive.manifests = {
        Identity(record.step, record.dataset)
        for run in runs
        for record in run.steps
        if run.name in alive.runs and record.dataset is not None
    }
    alive.manifests |= {
        Identity(step, dataset)
        for acceptance in accepted
        for step, dataset in acceptance.datasets.items()
        if Identity(step, dataset) in inventory.manifests
    }
    for one, file in inventory.manifests.items():
        if file.modified >= old_before:
            alive.manifests.add(one)
    for one in sorted(alive.manifests):
        alive.partitions |= _named_by(storage, inventory, one, alive.notes)
    for one in inventory.partitions():
        if any(file.modified >= old_before for file in inventory.files_of(one)):
            alive.partitions.add(one)
    return alive


def _kept_runs(runs: list[Run], keep_runs: int | None) -> set[str]:
    """Return the names of the newest finished runs of each recipe and of all runs after them.

    Those that wait for a person are kept however old they are.
    """
    if keep_runs is None:
        return {run.name for run in runs}
    kept, num_done = set(), Counter[str]()
    for run in reversed(runs):
        pending = run.is_alive() or run.state == "waiting"
        if pending or num_done[run.recipe_name] < keep_runs:
            kept.add(run.name)
            num_done[run.recipe_name] += run.state == "done"
    return kept


def _named_by(
    storage: Storage, inventory: Inventory, one: Identity, notes: list[str]
) -> set[Identity]:
    """Return the partitions that a manifest names; of one that cannot be read, all of its step."""
    name = manifest_name(*one)
    try:
        value = storage.read_json(name)
        if value is None:
            raise Damaged(f"The manifest {name} is missing in {storage.url}")
        body = unsealed(value, f"The manifest {name} in {storage.url}", "")
    except Damaged:
        notes.append(f"All of {one.step} was kept, because its manifest {name} cannot be read.")
        return {part for part in inventory.partitions() if part.step == one.step}
    named = [*(part["fingerprint"] for part in body["parts"]), *body.get("settled_from", [])]
    return {Identity(one.step, fingerprint) for fingerprint in named}


def _garbage(storage: Storage, inventory: Inventory, alive: _Alive, old_before: float) -> Garbage:
    """Return what is not alive, in the order in which it may be deleted."""
    dead = [one for one in inventory.partitions() if one not in alive.partitions]
    others = (inventory.rows, inventory.quarantines)
    return {
        "runs": [
            file for run, files in inventory.runs.items() if run not in alive.runs for file in files
        ],
        "manifests": [
            file for one, file in inventory.manifests.items() if one not in alive.manifests
        ],
        "receipts": [inventory.receipts[one] for one in dead if one in inventory.receipts],
        "rows": [
            *(files[one] for one in dead for files in others if one in files),
            *(file for one in dead for file in inventory.extras.get(one, [])),
        ],
        "checks": _old_checks(storage, alive, old_before),
        "leftovers": [
            *_old((e for e in storage.leftovers() if not _is_work(e)), old_before),
            *_old(filter(_is_work, storage.leftovers()), old_before - _WORK_SECONDS),
        ],
    }


def _old_checks(storage: Storage, alive: _Alive, old_before: float) -> list[StoredFile]:
    """Return the checks whose partition or dataset is garbage; they are small, the others stay."""
    gone = []
    for file in _old(storage.list("checks"), old_before):
        try:
            check = storage.read_json(file.name) or {}
        except Damaged:
            continue
        part = Identity(str(check.get("step")), str(check.get("part")))
        dataset = Identity(str(check.get("step")), str(check.get("dataset")))
        if ("part" in check and part not in alive.partitions) or (
            "dataset" in check and dataset not in alive.manifests
        ):
            gone.append(file)
    return gone


def _is_work(entry: Entry) -> bool:
    """Tell whether a file is of a partition in the making, which goes on from it: a checkpoint."""
    return entry[0].startswith(f"{SCRATCH}/work/")


def _old(entries: Iterable[Entry], old_before: float) -> list[StoredFile]:
    files = (StoredFile(*entry) for entry in entries)
    return [file for file in files if file.modified < old_before]


def _begun(storage: Storage) -> set[tuple[str, str]]:
    """Return which runs have begun, and when: one may begin anew under its name."""
    return {(run.name, run.started_at) for run in list_runs(storage)}


def _delete(
    storage: Storage, garbage: Garbage, known: set[tuple[str, str]]
) -> tuple[int, str | None]:
    """Delete in order, as long as no run is at work or new; return how many and why it stopped."""
    num_deleted = 0
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="gc") as pool:
        for files in garbage.values():
            for start in range(0, len(files), _CHUNK_FILES):
                if stopped := _at_work(storage, known):
                    return num_deleted, stopped
                chunk = files[start : start + _CHUNK_FILES]
                list(pool.map(storage.delete, [file.name for file in chunk]))
                num_deleted += len(chunk)
    return num_deleted, None


def _at_work(storage: Storage, known: set[tuple[str, str]]) -> str | None:
    """Say which run is at work on a home, if any, by its record or by the leases it holds.

    Or which one was begun since the runs that are known: that one has ended already, but stands on
    what was garbage before.
    """
    for run in list_runs(storage):
        if run.is_alive():
            return (
                f"Run {run.name} is at work (process {run.pid} on {run.host}), so nothing more was "
                f"deleted; try again when it is done, or delete {run_name(run.name)} if it is not."
            )
        if (run.name, run.started_at) not in known:
            return f"Run {run.name} has begun meanwhile, so nothing more was deleted; try again."
    recent = time.time() - _RECENT_LEASE_SECONDS
    names = {name.split("/")[1] for name, _, at in storage.list(LEASES_FOLDER) if at > recent}
    with Leases(storage) as leases:
        holders = (leases.holder(name) for name in sorted(names))
        holder = next((holder for holder in holders if holder is not None), None)
    if holder is None:
        return None
    return (
        f"Process {holder['pid']} on {holder['host']} computes a partition, so nothing more was "
        f"deleted; try again when it is done."
    )


def _sweep(storage: Storage) -> int:
    with Leases(storage) as leases:
        return leases.sweep()


def _by_step(files: list[StoredFile]) -> dict[str, Share]:
    steps: dict[str, list[StoredFile]] = {}
    for file in files:
        steps.setdefault(file.name.split("/")[1], []).append(file)
    return {step: _share(steps[step]) for step in sorted(steps)}


def _share(files: list[StoredFile]) -> Share:
    return Share(len(files), sum(file.size_bytes for file in files))
