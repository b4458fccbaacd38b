"""One step of learning: rows, gradients over micro-batches, clipping, the optimiser.

Stands below the loop, which decides what happens between steps.

Shapes: B rows.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.config import Plan
from training.loader import PADDING, Rows
from training.metrics import Meter
from training.objectives import Batch
from training.optim import set_learning_rate
from training.parts import Parts


@dataclass(frozen=True)
class Begun:
    """A step that a device may still be busy with; ``loss`` and ``norm`` are scalars there."""

    step: int
    row_ids_B: NDArray[np.int64]
    learning_rate: float
    loss: Tensor
    norm: Tensor


def begin_step(parts: Parts, step: int, position: int, plan: Plan, meter: Meter) -> Begun:
    """Read the rows of a position and learn from them, without waiting for a device to be done."""
    started = time.perf_counter()
    seed_generators(parts.seed, step, parts.ranks.rank)
    rows = parts.rows(position)
    batch = parts.objective.batch(rows)
    data_ready = time.perf_counter()
    loss, norm = gradients(parts, plan, batch)
    learning_rate = parts.learning_rate(step)
    set_learning_rate(parts.optimizer, learning_rate)
    parts.optimizer.step()
    meter.count(num_read(rows, batch), started, data_ready)
    return Begun(step, rows.row_ids_B, learning_rate, loss, norm)


def num_read(rows: Rows, batch: Batch) -> int:
    """Return how many tokens the model read of some rows; what fills them up is none."""
    inputs_BT = rows.tokens_BS[:, : batch.tokens_BT.shape[1]]
    return int((inputs_BT != PADDING).sum())


def seed_generators(seed: int, step: int, rank: int) -> None:
    """Seed torch's generators, from which dropout is drawn, for one step of one rank.

    So what a step draws does not depend on the steps before it, nor on what another rank draws.
    """
    digest = hashlib.sha256(f"{seed} {step} {rank}".encode()).digest()
    drawn = int.from_bytes(digest[:8], "little") >> 1
    torch.default_generator.manual_seed(drawn)  # torch.manual_seed looks for each kind of device
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(drawn)


def read_values(begun: Sequence[Begun], meter: Meter) -> list[list[float]]:
    """Wait for steps and return the loss and the gradient's norm of each."""
    started = time.perf_counter()
    values: list[list[float]] = torch.stack(
        [torch.stack([step.loss, step.norm]) for step in begun]
    ).tolist()
    meter.seconds += time.perf_counter() - started
    return values


def gradients(parts: Parts, plan: Plan, batch: Batch) -> tuple[Tensor, Tensor]:
    """Leave the clipped gradient of the batch's mean loss; return that loss and the norm before.

    The loss of each micro-batch is divided by the targets of the whole batch, so that any size of
    micro-batch, and any number of ranks, gives the same gradient, however the targets are spread
    over rows. Both are scalars on the device, which may still be computing them.
    """
    parts.optimizer.zero_grad(set_to_none=True)
    num_targets = max(1, batch.num_targets)
    total = torch.zeros((), device=parts.device)
    share = parts.ranks.share(batch)
    for start in range(0, len(share), plan.micro_batch_rows):
        part = on_device(share.part(start, start + plan.micro_batch_rows), parts.device)
        with parts.precision.autocast(parts.device):
            loss = parts.objective.loss_sum(parts.model, part) / num_targets
        loss.backward()
        total += loss.detach()
    grads = [p.grad for p in parts.model.parameters() if p.grad is not None]
    parts.ranks.add_up([total, *grads])
    return total, nn.utils.clip_grad_norm_(parts.model.parameters(), plan.clip_norm)


def on_device(batch: Batch, device: torch.device) -> Batch:
    """Return a batch on a device; a GPU copies it while the processor goes on."""
    if device.type == "cuda":
        tensors = (batch.tokens_BT, batch.documents_BT, batch.targets)
        batch = Batch(*(tensor.pin_memory() for tensor in tensors))
    return batch.to(device)
