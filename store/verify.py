"""Verifying a home: is every file that the store wrote still there and still what was written?

Manifests and receipts are checked by their seals and by their exact bytes, rows and quarantined
rows by size and BLAKE3 hash, so that any flipped byte is found. With ``deep`` the rows are read
too and their content digests computed anew. Repairing sets aside what is damaged; it deletes
nothing, and the next run computes the partition again from what it was made from.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa

from store.accepted import accepted_name, find_acceptance
from store.datasets import (
    REMEDY,
    Dataset,
    Receipt,
    content_digest,
    manifest_name,
    part_name,
    quarantine_name,
    read_receipt,
    unsealed,
)
from store.errors import Damaged, OtherFormat, StoreError
from store.identity import TableDigest, digest_file
from store.inventory import Identity, Inventory, StoredFile, take_inventory
from store.runs import find_run, run_name
from store.storage import Storage, canonical_json
from store.verify_report import Finding, Kind, VerifyReport, is_harm

DAMAGED_FOLDER = "damaged"

_THREADS = min(8, os.cpu_count() or 1)
_REMEDIES: dict[Kind, str] = {
    "damaged": "`millrace verify --repair` sets it aside, then run again",
    "missing": "`millrace verify --repair` sets the rest of its partition aside, then run again",
    "orphan": "a run that was killed left it, `millrace gc --delete` removes it",
    "unknown": "the store did not write it, look what it is and move it elsewhere",
}
_RUN_AGAIN = "run again to have it made anew"
_SET_ASIDE: dict[Kind, str] = {
    "damaged": "it was set aside",
    "missing": "the rest of its partition was set aside",
    "orphan": "it was set aside with its partition",
}


Progress = Callable[[int, int], None]


def verify(
    storage: Storage,
    repair: bool = False,
    steps: Collection[str] | None = None,
    progress: Progress | None = None,
    deep: bool = False,
) -> VerifyReport:
    """Check every receipt, partition, quarantine file, manifest, run record and acceptance.

    ``repair`` moves what is damaged to ``damaged/<its name>``: of a partition all its files, the
    receipt first. ``steps`` checks the partitions and manifests of some steps only. ``deep`` reads
    all rows. ``progress`` gets the bytes checked so far and in all.

    Raises:
        StoreError: if the home cannot be listed, is of another version (`OtherFormat`), or what is
            damaged cannot be moved.
    """
    inventory = take_inventory(storage, steps)
    findings = [
        _found("unknown", file.name, "is not a file of a store") for file in inventory.unknown
    ]
    receipts: dict[Identity, Receipt] = {}
    for one, receipt, found in _check_parts(storage, inventory, deep, progress):
        if receipt is not None:
            receipts[one] = receipt
        if repair and any(map(is_harm, found)):
            found = _repair_part(storage, one, found)
        findings += found
    others = [
        *_check_manifests(storage, inventory, receipts),
        *_check_runs(storage, inventory, steps),
    ]
    findings += [_repair_file(storage, finding) if repair else finding for finding in others]
    return VerifyReport(
        num_partitions=len(inventory.partitions()),
        num_manifests=len(inventory.manifests),
        num_runs=len(inventory.runs),
        size_bytes=sum(file.size_bytes for file in _all_files(inventory)),
        findings=tuple(findings),
    )


def _found(kind: Kind, name: str, what: str, remedy: str | None = None) -> Finding:
    return Finding(kind, name, f"{name} {what}; {remedy or _REMEDIES[kind]}.")


def _all_files(inventory: Inventory) -> Iterator[StoredFile]:
    for one in inventory.partitions():
        yield from inventory.files_of(one)
    yield from inventory.manifests.values()


Checked = tuple[Identity, Receipt | None, list[Finding]]


def _check_parts(
    storage: Storage, inventory: Inventory, deep: bool, progress: Progress | None
) -> Iterator[Checked]:
    """Check all partitions, several at a time, in order; tell of the bytes after each."""
    sizes = {
        one: sum(file.size_bytes for file in inventory.files_of(one))
        for one in inventory.partitions()
    }
    done = 0
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="verify") as pool:
        checks = pool.map(lambda one: _check_part(storage, inventory, one, deep), sizes)
        for checked in checks:
            done += sizes[checked[0]]
            if progress:
                progress(done, sum(sizes.values()))
            yield checked


def _check_part(storage: Storage, inventory: Inventory, one: Identity, deep: bool) -> Checked:
    if one not in inventory.receipts:
        files = inventory.files_of(one)
        return one, None, [_found("orphan", file.name, "has no receipt") for file in files]
    name = part_name(*one, ".json")
    try:
        if _sealed_body(storage, name) is None:
            return one, None, []  # deleted since it was listed
        receipt = read_receipt(storage, *one)
        if receipt is None or (receipt.step, receipt.fingerprint) != one:
            return one, None, [_found("damaged", name, "is the receipt of another partition")]
    except StoreError as error:
        return one, None, [_unreadable(storage, name, error)]
    found = [*_check_files(storage, inventory, receipt, deep)]
    return one, receipt, [*found, *_check_extras(storage, inventory, receipt)]


def _sealed_body(storage: Storage, name: str) -> dict[str, Any] | None:
    """Return what a sealed file says, or None if it is gone; raise `Damaged` for any other byte."""
    value = storage.read_json(name)
    if value is None:
        return None
    if storage.read(name) != canonical_json(value):
        raise Damaged(f"{name} has bytes that the store does not write")
    return unsealed(value, name, REMEDY)


def _unreadable(storage: Storage, name: str, error: Exception) -> Finding:
    """Make a finding of an error.

    One of a bucket out of reach, or of another version's file, says nothing about the file.
    """
    if isinstance(error, Damaged):
        return _found("damaged", name, "is not what was written")
    if isinstance(error, OtherFormat) or (isinstance(error, StoreError) and not storage.is_local):
        raise error
    return _found("damaged", name, f"cannot be read ({error})")


def _check_files(
    storage: Storage, inventory: Inventory, receipt: Receipt, deep: bool
) -> Iterator[Finding]:
    name, quarantine = receipt.data_name(), receipt.quarantine_name()
    finding = _check_file(storage, name, receipt.file_digest)
    if finding is None and deep:
        finding = _check_rows(storage, name, receipt)
    if finding is not None:
        yield finding
    if receipt.quarantine_file_digest is not None:
        finding = _check_file(storage, quarantine, receipt.quarantine_file_digest)
        if finding is not None:
            yield finding
    elif Identity(receipt.step, receipt.fingerprint) in inventory.quarantines:
        yield _found("orphan", quarantine, "is not named by the receipt of its partition")


def _check_extras(storage: Storage, inventory: Inventory, receipt: Receipt) -> Iterator[Finding]:
    for name, extra in receipt.files.items():
        finding = _check_file(storage, receipt.extra_name(name), extra.digest)
        if finding is not None:
            yield finding
    named = {receipt.extra_name(name) for name in receipt.files}
    for file in inventory.extras.get(Identity(receipt.step, receipt.fingerprint), []):
        if file.name not in named:
            yield _found("orphan", file.name, "is not named by the receipt of its partition")


def _check_file(storage: Storage, name: str, file_digest: str) -> Finding | None:
    """Find what is wrong with a file's bytes, if anything."""
    try:
        if not storage.exists(name):
            return _found("missing", name, "is missing, though its partition has a receipt")
        if _digest(storage, name) != file_digest:
            return _found("damaged", name, "has other bytes than were written")
    except StoreError as error:
        return _unreadable(storage, name, error)
    return None


def _digest(storage: Storage, name: str) -> str:
    path = storage.local_path(name)
    if path is not None:
        with storage.explained("read", name):
            return digest_file(path)
    with storage.scratch() as folder:
        storage.download(name, folder / "file")
        return digest_file(folder / "file")


def _check_rows(storage: Storage, name: str, receipt: Receipt) -> Finding | None:
    """Find how the rows of a partition differ from its receipt, if they do."""
    try:
        digest, slices = _digest_rows(storage, name, receipt)
    except (StoreError, OSError, pa.ArrowException) as error:
        return _unreadable(storage, name, error)
    content = content_digest(digest.hexdigest(), receipt.files)
    if (content, digest.num_rows) != (receipt.digest, receipt.num_rows):
        return _found("damaged", name, "holds other rows than its receipt says")
    for key, part in slices.items():
        if part.hexdigest() != receipt.slices[key].digest:
            return _found("damaged", name, f"holds other rows in slice {key} than its receipt says")
    return None


def _digest_rows(
    storage: Storage, name: str, receipt: Receipt
) -> tuple[TableDigest, dict[str, TableDigest]]:
    with storage.open_parquet(name) as file:
        whole = TableDigest(file.schema_arrow)
        slices = {key: TableDigest(file.schema_arrow) for key in receipt.slices}
        owners = {
            group: slices[key]
            for key, one in receipt.slices.items()
            for group in range(one.first_group, one.first_group + one.num_groups)
        }
        for group in range(file.num_row_groups):
            for batch in file.read_row_group(group).to_batches():
                whole.update(batch)
                if group in owners:
                    owners[group].update(batch)
    return whole, slices


def _check_manifests(
    storage: Storage, inventory: Inventory, receipts: dict[Identity, Receipt]
) -> Iterator[Finding]:
    for one in inventory.manifests:
        try:
            body = _sealed_body(storage, manifest_name(*one))
        except StoreError as error:
            yield _unreadable(storage, manifest_name(*one), error)
            continue
        if body is not None:
            yield from _check_manifest(storage, inventory, one, body, receipts)


def _check_manifest(
    storage: Storage,
    inventory: Inventory,
    one: Identity,
    body: dict[str, Any],
    receipts: dict[Identity, Receipt],
) -> Iterator[Finding]:
    """Compare an undamaged manifest with its name and with the receipts that it names."""
    name = manifest_name(*one)
    if body["step"] != one.step:
        yield _found("damaged", name, "is the manifest of another step")
        return
    parts = [Identity(one.step, part["fingerprint"]) for part in body["parts"]]
    for part in parts:
        missing = part_name(*part, ".json")
        if part not in inventory.receipts and not storage.exists(missing):
            what = f"is missing, though the manifest {name} names it"
            yield _found("missing", missing, what, _RUN_AGAIN)
    if all(part in receipts for part in parts):
        dataset = Dataset(one.step, tuple(receipts[part] for part in parts))
        said = (one.fingerprint, body["digest"], body["rows"])
        if said != (dataset.fingerprint, dataset.digest, asdict(dataset.rows)):
            yield _found("damaged", name, "does not agree with the receipts that it names")


def _check_runs(
    storage: Storage, inventory: Inventory, steps: Collection[str] | None
) -> Iterator[Finding]:
    for run in inventory.runs:
        try:
            record = find_run(storage, run)
        except StoreError as error:
            yield _unreadable(storage, run_name(run), error)
            continue
        try:
            find_acceptance(storage, run)
        except StoreError as error:
            yield _unreadable(storage, accepted_name(run), error)
        for step in record.steps if record else ():
            if step.dataset is None or (steps is not None and step.step not in steps):
                continue
            name = manifest_name(step.step, step.dataset)
            if Identity(step.step, step.dataset) not in inventory.manifests:
                what = f"is missing, though the run {run} names it"
                yield _found("missing", name, what, _RUN_AGAIN)


def _repair_part(storage: Storage, one: Identity, found: list[Finding]) -> list[Finding]:
    """Set aside all files of a partition, its receipt first: what is left is never believed."""
    names = [part_name(*one, ".json"), part_name(*one, ".parquet"), quarantine_name(*one)]
    names += [name for name, _, _ in storage.list(f"parts/{one.step}/{one.fingerprint}")]
    moved = tuple(_set_aside(storage, name) for name in names if storage.exists(name))
    return [_repaired(finding, moved) for finding in found]


def _repair_file(storage: Storage, finding: Finding) -> Finding:
    if finding.kind != "damaged":
        return finding
    return _repaired(finding, (_set_aside(storage, finding.name),))


def _repaired(finding: Finding, moved: tuple[str, ...]) -> Finding:
    what = finding.sentence.removesuffix(f"{_REMEDIES[finding.kind]}.")
    sentence = f"{what}{_SET_ASIDE[finding.kind]}, {_RUN_AGAIN}."
    return replace(finding, sentence=sentence, moved_to=moved)


def _set_aside(storage: Storage, name: str) -> str:
    """Move a file below ``damaged/``, to a name that is free; return that name."""
    target, number = f"{DAMAGED_FOLDER}/{name}", 0
    while storage.exists(target):
        number += 1
        target = f"{DAMAGED_FOLDER}/{name}.{number}"
    source, path = storage.local_path(name), storage.local_path(target)
    if source is not None and path is not None:  # a rename, as the file may be unreadable
        with storage.explained("write", target):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, path)
        return target
    with storage.scratch() as folder:
        storage.download(name, folder / "file")
        storage.publish(target, folder / "file")
    storage.delete(name)
    return target
