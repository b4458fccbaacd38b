"""Estimating what computing partitions costs, from what earlier ones of the same step cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from store.compute import PartTask
from store.datasets import Receipt, read_receipt
from store.errors import Damaged, DiskFull
from store.plan import NodePlan
from store.storage import Storage

_MAX_SAMPLE = 32
# Before a step has ever run: bytes written and compute seconds per byte read, measured as
# the quickstart's mean over its steps on one core, rounded up.
_DEFAULT_BYTES_RATIO = 0.5
_DEFAULT_SECONDS_PER_BYTE = 1 / 4e6


@dataclass(frozen=True)
class Rates:
    """Output bytes and compute seconds per input byte; ``is_measured`` if from receipts."""

    bytes_ratio: float
    seconds_per_byte: float
    is_measured: bool


def step_rates(storage: Storage, step: str) -> Rates:
    """Return a step's rates from receipts that lie in the home, or defaults if there are none."""
    receipts = _sample(storage, step)
    read = sum(receipt.input_bytes for receipt in receipts)
    if not read:
        return Rates(_DEFAULT_BYTES_RATIO, _DEFAULT_SECONDS_PER_BYTE, False)
    written = sum(receipt.size_bytes for receipt in receipts)
    seconds = sum(receipt.seconds for receipt in receipts)
    return Rates(written / read, seconds / read, True)


def estimate_bytes(storage: Storage, tasks: Sequence[PartTask]) -> int:
    """Estimate the bytes that computing these partitions of one step will write."""
    if not tasks:
        return 0
    rates = step_rates(storage, tasks[0].step.name)
    return round(sum(task.input_bytes() for task in tasks) * rates.bytes_ratio * 1.2)


def estimate_seconds(storage: Storage, tasks: Sequence[PartTask], workers: int) -> float:
    """Estimate the wall time of computing these partitions of one step with some workers."""
    if not tasks:
        return 0.0
    rate = step_rates(storage, tasks[0].step.name).seconds_per_byte
    seconds = [task.input_bytes() * rate for task in tasks]
    return max(sum(seconds) / workers, max(seconds))


def _sample(storage: Storage, step: str) -> list[Receipt]:
    receipts = []
    for name, _, _ in storage.list(f"parts/{step}"):
        if not name.endswith(".json"):
            continue
        try:
            receipt = read_receipt(storage, step, name.rsplit("/", 1)[-1].removesuffix(".json"))
        except Damaged:
            continue
        if receipt is not None:
            receipts.append(receipt)
        if len(receipts) == _MAX_SAMPLE:
            break
    return receipts


@dataclass(frozen=True)
class Cost:
    """What a step is estimated to take: wall seconds and bytes written."""

    seconds: float
    size_bytes: int


def check_room(storage: Storage, costs: Iterable[Cost]) -> None:
    """Raise DiskFull if the home's disk has less room than steps are estimated to write."""
    needed, free = sum(cost.size_bytes for cost in costs), storage.free_bytes()
    if free is not None and needed > free:
        raise DiskFull(
            f"The run is estimated to write {needed / 1e6:.0f} MB and {storage.url} has "
            f"{free / 1e6:.0f} MB free; make room (`millrace gc`), choose another --home, or go "
            f"ahead with --set run.check_room=false."
        )


def estimate_graph(
    storage: Storage, plans: Mapping[str, NodePlan], workers: int
) -> dict[str, Cost]:
    """Estimate each step of planned graph; what depends on it is taken to be computed too."""
    costs: dict[str, Cost] = {}
    for name, plan in plans.items():
        tasks = [part.task for part in plan.missing() if part.task is not None]
        known = sum(task.input_bytes() for task in tasks)
        share = sum(part.task is None for part in plan.parts) / max(1, len(plan.parts))
        upstream = set(plan.node.inputs.values())
        coming = sum(costs[up].size_bytes + _present(plans[up]) for up in upstream) * share
        rates = step_rates(storage, name)
        read = known + coming
        costs[name] = Cost(read * rates.seconds_per_byte / workers, round(read * rates.bytes_ratio))
    return costs


def _present(plan: NodePlan) -> int:
    return sum(receipt.size_bytes for receipt in plan.reused())
