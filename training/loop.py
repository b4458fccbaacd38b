"""The one training loop: read rows, accumulate, clip, step, evaluate, checkpoint, report.

Pre-training and fine-tuning give it different parts and share every line of it. It goes on from
the newest whole checkpoint of its folder, and ends with the same bits as if it had never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from data_contracts.errors import MillraceError, UsageError
from training.checkpoint import newest_checkpoint, resume, save_checkpoint
from training.config import Plan
from training.loader import Rows
from training.metrics import Meter, MetricsFile, Progress, bits_per_byte
from training.objectives import Batch, Objective
from training.optim import set_learning_rate
from training.precision import Precision

METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"
UNREAD_STEPS = {"cpu": 1, "cuda": 16}  # at most so many run before their losses are looked at

OnProgress = Callable[[Progress], None]


class NotFinite(MillraceError):
    """The loss or its gradient is no number any more; the last checkpoint is as it was."""


@dataclass(frozen=True)
class Parts:
    """What a run is assembled from.

    ``rows`` gives the rows of a step, ``evaluate`` named scores of the model as it is,
    ``bytes_per_token`` the mean over the training text (None: no bits per byte). ``settings`` are
    the plain values on which the result depends: a checkpoint with others is refused.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    objective: Objective
    rows: Callable[[int], Rows]
    learning_rate: Callable[[int], float]
    precision: Precision
    settings: Mapping[str, Any]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    evaluate: Callable[[], Mapping[str, float]] | None = None
    bytes_per_token: float | None = None


@dataclass(frozen=True)
class Trained:
    """How a run ended: where, after how many steps of this session, and what it met on the way."""

    checkpoint: Path
    resumed_from_step: int
    num_parameters: int
    tokens_per_second: float
    waiting_ratio: float
    damaged_checkpoints: tuple[str, ...]


def train(parts: Parts, plan: Plan, folder: Path, on_progress: OnProgress) -> Trained:
    """Train to the end of the plan, from the newest whole checkpoint under ``folder``.

    Writes ``checkpoints/`` and ``metrics.jsonl`` there. Raises `NotFinite` with the step and its
    row numbers, UsageError if the folder holds a run with other settings, and Damaged if none of
    its checkpoints is whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    steps_done, damaged = restore(parts, folder / CHECKPOINTS)
    metrics, meter = MetricsFile(folder / METRICS, steps_done), Meter()
    parts.model.train()
    begun: list[Begun] = []
    for step in range(steps_done, plan.num_steps):
        begun.append(begin_step(parts, step, plan, meter))
        if not must_be_read(parts, plan, begun):
            continue
        for progress in read_steps(parts, plan, begun, meter):
            record(progress, parts, plan, folder, metrics)
            on_progress(progress)
        begun = []
    return Trained(
        checkpoint=folder / CHECKPOINTS / f"step-{plan.num_steps:08d}",
        resumed_from_step=steps_done,
        num_parameters=sum(parameter.numel() for parameter in parts.model.parameters()),
        tokens_per_second=meter.tokens_per_second,
        waiting_ratio=meter.waiting_ratio,
        damaged_checkpoints=damaged,
    )


def record(
    progress: Progress, parts: Parts, plan: Plan, folder: Path, metrics: MetricsFile
) -> None:
    """Write down what is due after a step: its line of metrics, its checkpoint."""
    last = progress.step == plan.num_steps
    if due(progress.step, plan.log_every_steps) or progress.scores or last:
        metrics.add(progress)
    if due(progress.step, plan.checkpoint_every_steps) or last:
        save(parts, plan, folder, progress.step)


def one_step(parts: Parts, plan: Plan, step: int, meter: Meter) -> Progress:
    """Read, learn, evaluate where due; return what is known after it."""
    (progress,) = read_steps(parts, plan, [begin_step(parts, step, plan, meter)], meter)
    return progress


@dataclass(frozen=True)
class Begun:
    """A step that a device may still be busy with; ``loss`` and ``norm`` are scalars there."""

    step: int
    row_ids_B: NDArray[np.int64]
    learning_rate: float
    loss: Tensor
    norm: Tensor


def begin_step(parts: Parts, step: int, plan: Plan, meter: Meter) -> Begun:
    """Read rows and learn from them, without waiting for a device to be done."""
    started = time.perf_counter()
    rows = parts.rows(step)
    batch = parts.objective.batch(rows)
    data_ready = time.perf_counter()
    loss, norm = gradients(parts, plan, batch)
    learning_rate = parts.learning_rate(step)
    set_learning_rate(parts.optimizer, learning_rate)
    parts.optimizer.step()
    meter.count(batch.tokens_BT.numel(), started, data_ready)
    return Begun(step, rows.row_ids_B, learning_rate, loss, norm)


def must_be_read(parts: Parts, plan: Plan, begun: Sequence[Begun]) -> bool:
    """Tell whether something is due after the last of these steps, or they are too many."""
    done = begun[-1].step + 1
    return (
        len(begun) >= UNREAD_STEPS[parts.device.type]
        or done == plan.num_steps
        or due(done, plan.log_every_steps)
        or due(done, plan.checkpoint_every_steps)
        or due(done, plan.evaluate_every_steps)
    )


def read_steps(
    parts: Parts, plan: Plan, begun: Sequence[Begun], meter: Meter
) -> Iterator[Progress]:
    """Wait for steps and yield what is known after each; evaluate where due, after the last.

    Raises `NotFinite` for the first whose loss or gradient is no number, so that nothing is
    written of weights that have taken part in it.
    """
    started = time.perf_counter()
    values = torch.stack([torch.stack([step.loss, step.norm]) for step in begun]).tolist()
    meter.seconds += time.perf_counter() - started
    for step, (loss, norm) in zip(begun, values, strict=True):
        check_finite(step, loss, norm)
    for step, (loss, norm) in zip(begun, values, strict=True):
        yield Progress(
            step=step.step + 1,
            num_steps=plan.num_steps,
            loss=loss,
            bits_per_byte=bits_of(loss, parts.bytes_per_token),
            learning_rate=step.learning_rate,
            gradient_norm=norm,
            tokens_per_second=meter.tokens_per_second,
            seconds_left=meter.seconds_left(plan.num_steps - step.step - 1),
            waiting_ratio=meter.waiting_ratio,
            scores=scores_after(parts, plan, step.step + 1),
        )


def bits_of(loss: float, bytes_per_token: float | None) -> float | None:
    """Return the bits per byte of a loss in nats a token; None where targets are no tokens."""
    return None if bytes_per_token is None else bits_per_byte(loss, bytes_per_token)


def check_finite(step: Begun, loss: float, norm: float) -> None:
    """Raise `NotFinite` with the step and its rows if one of its numbers is none."""
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise NotFinite(
            f"step {step.step} has loss {loss} and gradient norm {norm} on rows "
            f"{step.row_ids_B.tolist()}; look at these rows, or lower the learning rate"
        )


def gradients(parts: Parts, plan: Plan, batch: Batch) -> tuple[Tensor, Tensor]:
    """Leave the clipped gradient of the batch's mean loss; return that loss and the norm before.

    The loss of each micro-batch is divided by the targets of the whole batch, so that any size of
    micro-batch gives the same gradient, however the targets are spread over rows. Both are scalars
    on the device, which may still be computing them.
    """
    parts.optimizer.zero_grad(set_to_none=True)
    num_targets = max(1, batch.num_targets)
    total = torch.zeros((), device=parts.device)
    for start in range(0, len(batch), plan.micro_batch_rows):
        part = on_device(batch.part(start, start + plan.micro_batch_rows), parts.device)
        with parts.precision.autocast(parts.device):
            loss = parts.objective.loss_sum(parts.model, part) / num_targets
        loss.backward()
        total += loss.detach()
    return total, nn.utils.clip_grad_norm_(parts.model.parameters(), plan.clip_norm)


def on_device(batch: Batch, device: torch.device) -> Batch:
    """Return a batch on a device; a GPU copies it while the processor goes on."""
    if device.type == "cuda":
        tensors = (batch.tokens_BT, batch.documents_BT, batch.targets)
        batch = Batch(*(tensor.pin_memory() for tensor in tensors))
    return batch.to(device)


def scores_after(parts: Parts, plan: Plan, step: int) -> Mapping[str, float]:
    """Return the scores of the model after a step, or nothing where none are due."""
    if parts.evaluate is None:
        return {}
    if step != plan.num_steps and not due(step, plan.evaluate_every_steps):
        return {}
    parts.model.eval()
    try:
        return parts.evaluate()
    finally:
        parts.model.train()


def due(step: int, every_steps: int | None) -> bool:
    """Tell whether something that happens every so many steps happens after this one."""
    return every_steps is not None and step % every_steps == 0


def save(parts: Parts, plan: Plan, folder: Path, step: int) -> None:
    """Write the checkpoint of a step."""
    save_checkpoint(
        folder / CHECKPOINTS,
        step,
        parts.model,
        parts.optimizer,
        parts.settings,
        plan.keep_checkpoints,
    )


def restore(parts: Parts, root: Path) -> tuple[int, tuple[str, ...]]:
    """Go on from the newest whole checkpoint; return steps done and the damaged ones passed over.

    Raises UsageError if it was trained with other settings, naming the first that differs.
    """
    found = newest_checkpoint(root)
    if found is None:
        return 0, ()
    ours, theirs = dict(parts.settings), dict(found.settings)
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            raise UsageError(
                f"{found.folder} was trained with {name} = {theirs.get(name)!r}, not "
                f"{ours.get(name)!r}; use another folder, or the settings it began with"
            )
    resume(found, parts.model, parts.optimizer)
    return found.step, found.damaged
