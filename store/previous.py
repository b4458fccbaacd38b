"""The partition that an incremental step made last: what it did then need not be done again."""

from __future__ import annotations

import itertools

from store.compute import PartTask
from store.datasets import Receipt, StoredPart, read_receipt
from store.errors import Damaged
from store.storage import Storage

MAX_LOOKED_AT = 16  # of the newest partitions: older ones have less in common
_SAME = ("step", "version", "libraries", "config", "key")


def previous_part(storage: Storage, task: PartTask) -> StoredPart | None:
    """Return the newest partition that was made as this one will be, of whatever inputs.

    It has the same step, version, libraries, config and key, and was made by the same code; so one
    of other parameters is never taken. None if there is none among the newest `MAX_LOOKED_AT`.
    A receipt that is not what was written is passed over: `millrace verify` tells of it.
    """
    entries = (e for e in storage.list(f"parts/{task.step.name}") if e[0].endswith(".json"))
    newest = sorted(entries, key=lambda entry: (-entry[2], entry[0]))
    for name, _, _ in itertools.islice(newest, MAX_LOOKED_AT):
        fingerprint = name.rpartition("/")[2].removesuffix(".json")
        try:
            receipt = read_receipt(storage, task.step.name, fingerprint)
        except Damaged:
            continue
        if receipt is not None and _is_like(receipt, task):
            return StoredPart(storage, receipt, receipt.key)
    return None


def _is_like(receipt: Receipt, task: PartTask) -> bool:
    made, code = receipt.made_from, receipt.code
    return code == task.code and all(made.get(key) == task.made_from[key] for key in _SAME)
