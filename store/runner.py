"""The runner: makes a step's dataset complete, computing only the partitions that do not exist.

Partitions are computed under leases, so that runs can share a home; each is published by its
receipt, so that a killed step goes on where it stopped. The runner knows nothing of schedules.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from store.code_check import changed_files, check_code, output_changed
from store.compute import PartTask, compute_part
from store.datasets import Dataset, Receipt, Rows, read_receipt, write_manifest
from store.errors import NotReproducible, StepFailed
from store.lease import Leases
from store.plan import NodePlan, settle
from store.previous import previous_part
from store.step import Tell
from store.storage import Storage

Made = TypeVar("Made")


class Progress(Protocol):
    """Who wants to know how far a step is. All methods are called from several threads."""

    def step_started(self, step: str, num_parts: int, num_missing: int, total_bytes: int) -> None:
        """A step begins; ``total_bytes`` are the bytes that the missing partitions read."""

    def part_finished(self, step: str, input_bytes: int, rows: Rows) -> None:
        """A partition was computed."""

    def told(self, step: str, line: str, done_ratio: float | None) -> None:
        """A step says how far it is, in one line for a person; may come many times a second.

        ``done_ratio`` is the share that is done, 0 to 1, None where the step does not know it.
        """

    def waiting(self, step: str, holder: str) -> None:
        """Another run is computing a partition that this one needs."""

    def step_finished(self, step: str, result: StepResult) -> None:
        """A step's dataset is complete."""


@dataclass(frozen=True)
class StepResult:
    """What running one step came to; ``plan`` is its plan as it stands then, with all receipts."""

    plan: NodePlan
    dataset: Dataset
    num_computed: int
    seconds: float
    notes: tuple[str, ...] = field(default_factory=tuple)


class Runner:
    """Runs steps on a home with a fixed number of workers.

    ``executor`` computes partitions elsewhere (a Dask client's, say); without one they are computed
    in this process, ``workers`` at a time. Close it, or use it in a ``with`` statement.
    """

    def __init__(
        self,
        storage: Storage,
        workers: int = 1,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.storage = storage
        self._workers = workers
        self._executor = executor
        self._progress = progress
        self._leases = Leases(storage)
        self._told: set[tuple[str, str]] = set()
        self._stopping = threading.Event()

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release all leases and stop their heart-beat."""
        self._leases.close()

    def run(self, plan: NodePlan, force: bool = False) -> StepResult:
        """Compute the missing partitions of a planned step and write its manifest.

        What a source finds only once all its partitions are there (`store.plan.settle`) is computed
        then. ``force`` computes the existing ones too, compares, and keeps the old ones.

        Raises:
            OutputChanged: if the code changed, its output too, and ``VERSION`` did not.
            NotReproducible: if ``force`` gave other rows.
            DiskFull: if the disk fills while writing.
            StepFailed: if the step's function raised; what was finished stays.
        """
        started = time.perf_counter()
        self._tell_start(plan)
        notes = [] if force else check_code(self.storage, plan)
        num_computed = len(notes)
        complete, num_ours = self._complete(plan)
        num_computed += num_ours
        if force:
            notes += self._compute_again(plan)
            num_computed = len(plan.parts)
        settled = settle(self.storage, complete)
        if settled.missing():
            self._tell_start(settled)
        complete, num_ours = self._complete(settled)
        dataset = Dataset(plan.node.name, tuple(complete.reused()))
        write_manifest(self.storage, dataset, complete.settled_from)
        seconds = round(time.perf_counter() - started, 4)
        result = StepResult(complete, dataset, num_computed + num_ours, seconds, tuple(notes))
        if self._progress:
            self._progress.step_finished(plan.node.name, result)
        return result

    def _complete(self, plan: NodePlan) -> tuple[NodePlan, int]:
        """Compute a plan's missing partitions; return it with them, and how many were made here."""
        missing = [part.task for part in plan.missing() if part.task is not None]
        fresh = self._compute_all(plan.node.name, missing)
        made = {receipt.fingerprint: receipt for receipt, _ in fresh}
        parts = [
            replace(part, receipt=part.receipt or made[part.task.fingerprint])
            for part in plan.parts
            if part.task is not None
        ]
        complete = replace(plan, parts=tuple(parts), pending_on=None)
        return complete, sum(is_ours for _, is_ours in fresh)

    def _compute_all(self, step: str, tasks: list[PartTask]) -> list[tuple[Receipt, bool]]:
        """Compute partitions, several at a time; after the first error no further one is begun.

        Returns each one's receipt and whether it was computed here, not by another run.
        """
        if not tasks:
            return []
        with ThreadPoolExecutor(self._workers, thread_name_prefix="part") as pool:
            futures = [pool.submit(self._compute_leased, step, task) for task in tasks]
            return self._results(futures)

    def _compute_leased(self, step: str, task: PartTask) -> tuple[Receipt, bool]:
        """Compute a partition under its lease, or take it from the run that was faster."""

        def exists() -> bool:
            return read_receipt(self.storage, step, task.fingerprint) is not None

        is_ours = False
        lease = self._leases.acquire(task.fingerprint, on_wait=self._tell_wait(step), until=exists)
        if lease is not None:
            with lease:
                if not exists():
                    self._compute(task)
                    is_ours = True
        receipt = read_receipt(self.storage, step, task.fingerprint)
        if receipt is None:
            raise StepFailed(f"{step} left no receipt for partition {task.key!r}: run again.")
        if self._progress:
            self._progress.part_finished(step, task.input_bytes(), receipt.rows)
        return receipt, is_ours

    def _compute(self, task: PartTask, publish: bool = True) -> Receipt:
        if task.step.incremental and publish:
            task = replace(task, previous=previous_part(self.storage, task))
        if self._executor is None:
            return compute_part(task, publish, self._tell_line(task.step.name))
        # What only planning uses may be a lambda, which no other process could be sent.
        step = replace(task.step, list_parts=None, settle=None, num_buckets=None)
        return self._executor.submit(compute_part, replace(task, step=step), publish).result()

    def _compute_again(self, plan: NodePlan) -> list[str]:
        """Compute existing partitions once more and compare; the old ones are kept."""
        pairs = [(p.task, p.receipt) for p in plan.parts if p.task and p.receipt]
        with ThreadPoolExecutor(self._workers, thread_name_prefix="again") as pool:
            futures = [pool.submit(self._compute, task, False) for task, _ in pairs]
            again = self._results(futures)
        different = [
            old.key for (_, old), new in zip(pairs, again, strict=True) if not new.is_like(old)
        ]
        if different and any(old.code != task.code for task, old in pairs):
            changed = sorted({f for task, old in pairs for f in changed_files(old.code, task.code)})
            raise output_changed(plan, changed)
        if different:
            raise NotReproducible(
                f"{plan.node.name} is not reproducible: part {', '.join(different)} has other rows "
                f"than before. The old ones were kept; `millrace explain {plan.node.name}` shows "
                f"what they were made from."
            )
        return [f"computed again, {len(pairs)} partitions equal"] if pairs else []

    def _tell_start(self, plan: NodePlan) -> None:
        if self._progress:
            missing = [part.task for part in plan.missing() if part.task is not None]
            total = sum(task.input_bytes() for task in missing)
            self._progress.step_started(plan.node.name, len(plan.parts), len(missing), total)

    def _results(self, futures: list[Future[Made]]) -> list[Made]:
        """Wait for all; an interrupt stops long steps too, the next time they tell something."""
        try:
            return _results(futures)
        except KeyboardInterrupt:
            self._stopping.set()
            raise

    def _tell_line(self, step: str) -> Tell:
        def tell(line: str, done_ratio: float | None = None) -> None:
            if self._stopping.is_set():
                raise KeyboardInterrupt
            if self._progress:
                self._progress.told(step, line, done_ratio)

        return tell

    def _tell_wait(self, step: str) -> Callable[[dict[str, object]], None]:
        def tell(holder: dict[str, object]) -> None:
            told = (step, f"pid {holder.get('pid')} on {holder.get('host')}")
            if self._progress and told not in self._told:
                self._told.add(told)
                self._progress.waiting(*told)

        return tell


def _results(futures: list[Future[Made]]) -> list[Made]:
    """Wait for all, or cancel what has not begun when one fails, and raise its error."""
    try:
        wait(futures, return_when=FIRST_EXCEPTION)
    finally:
        for future in futures:
            future.cancel()
    failed = next(_errors(futures), None)
    if failed is not None:
        raise failed
    return [future.result() for future in futures]


def _errors(futures: list[Future[Made]]) -> Iterator[BaseException]:
    for future in futures:
        if not future.cancelled() and (error := future.exception()) is not None:
            yield error
