"""Processes that train one model together: each learns from its rows, gradients are added up.

Alone, all of this does nothing. Together, every process reads the same global batch, takes its own
rows of it, and adds up what it found with the others: the gradient of the whole batch's mean loss,
in the same bits on each, so that all take the same step. Only the first one writes.

Shapes: B rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor
from torch import distributed as dist

from data_contracts.errors import UsageError
from training.objectives import Batch

BUCKET_NUMBERS = 1 << 24  # added up at once: 64 MiB of float32
TIMEOUT = timedelta(hours=6)  # the others wait while the first one evaluates


@dataclass(frozen=True)
class Ranks:
    """One process, number ``rank`` from 0, of the ``count`` that train."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes, evaluates and tells."""
        return self.rank == 0

    def share(self, batch: Batch) -> Batch:
        """Return the rows of a batch that are this process's; all processes' make the batch.

        Raises UsageError if there are not rows for each.
        """
        if len(batch) < self.count:
            raise UsageError(
                f"batch_rows is {len(batch)}, too few for {self.count} processes; give "
                f"{self.count} or more, or lower num_processes"
            )
        first, stop = (len(batch) * rank // self.count for rank in (self.rank, self.rank + 1))
        return batch.part(first, stop)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their sums over all processes, the same bits on each."""
        if self.count == 1:
            return
        for bucket in buckets(tensors):
            flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
            dist.all_reduce(flat)
            sums = flat.split([tensor.numel() for tensor in bucket])
            for tensor, total in zip(bucket, sums, strict=True):
                tensor.copy_(total.view_as(tensor))

    def of_first(self, number: int, device: torch.device) -> int:
        """Return the number that the first process has."""
        if self.count == 1:
            return number
        told = torch.tensor(number, device=device)
        dist.broadcast(told, 0)
        return int(told)

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            dist.barrier()


ALONE = Ranks()


def join_ranks(device: str) -> Ranks:
    """Return this process among those that ``torchrun`` started, once all have met."""
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=TIMEOUT)
    return Ranks(dist.get_rank(), dist.get_world_size())


def leave_ranks() -> None:
    """End what `join_ranks` began."""
    dist.destroy_process_group()


def buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield tensors in order, as many together as make about one bucket."""
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and sum(t.numel() for t in bucket) + tensor.numel() > BUCKET_NUMBERS:
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket
