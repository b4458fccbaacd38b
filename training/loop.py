"""The one training loop: read rows, accumulate, clip, step, evaluate, checkpoint, report.

Pre-training and fine-tuning give it different parts and share every line of it. It goes on from
the newest whole checkpoint of its folder, and ends with the same bits as if it had never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from data_contracts.errors import MillraceError, UsageError
from training.checkpoint import newest_checkpoint, resume, save_checkpoint
from training.loader import Rows
from training.metrics import Meter, MetricsFile, Progress, bits_per_byte
from training.objectives import Batch, Objective
from training.optim import set_learning_rate
from training.precision import Precision

METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"

OnProgress = Callable[[Progress], None]


class NotFinite(MillraceError):
    """The loss or its gradient is no number any more; the last checkpoint is as it was."""


@dataclass(frozen=True)
class Plan:
    """How long and how often. ``evaluate_every_steps`` None: only after the last step.

    ``micro_batch_rows`` rows go through the model at once; it bounds memory and, but for rounding,
    changes nothing. Raises UsageError for numbers that make no plan.
    """

    num_steps: int
    micro_batch_rows: int
    clip_norm: float = 1.0
    checkpoint_every_steps: int = 500
    keep_checkpoints: int = 2
    evaluate_every_steps: int | None = None
    log_every_steps: int = 10

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and value <= 0:
                raise UsageError(f"{name} is {value}; give a number above 0")


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
    for step in range(steps_done, plan.num_steps):
        progress = one_step(parts, plan, step, meter)
        last = progress.step == plan.num_steps
        if due(progress.step, plan.log_every_steps) or progress.scores or last:
            metrics.add(progress)
        if due(progress.step, plan.checkpoint_every_steps) or last:
            save(parts, plan, folder, progress.step)
        on_progress(progress)
    return Trained(
        checkpoint=folder / CHECKPOINTS / f"step-{plan.num_steps:08d}",
        resumed_from_step=steps_done,
        num_parameters=sum(parameter.numel() for parameter in parts.model.parameters()),
        tokens_per_second=meter.tokens_per_second,
        waiting_ratio=meter.waiting_ratio,
        damaged_checkpoints=damaged,
    )


def one_step(parts: Parts, plan: Plan, step: int, meter: Meter) -> Progress:
    """Read, learn, evaluate where due; return what is known after it."""
    started = time.perf_counter()
    rows = parts.rows(step)
    batch = parts.objective.batch(rows)
    data_ready = time.perf_counter()
    loss, norm = gradients(parts, plan, batch)
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise NotFinite(
            f"step {step} has loss {loss} and gradient norm {norm} on rows "
            f"{rows.row_ids_B.tolist()}; look at these rows, or lower the learning rate"
        )
    learning_rate = parts.learning_rate(step)
    set_learning_rate(parts.optimizer, learning_rate)
    parts.optimizer.step()
    meter.count(batch.tokens_BT.numel(), started, data_ready)
    return Progress(
        step=step + 1,
        num_steps=plan.num_steps,
        loss=loss,
        bits_per_byte=bits_per_byte(loss, parts.bytes_per_token) if parts.bytes_per_token else None,
        learning_rate=learning_rate,
        gradient_norm=norm,
        tokens_per_second=meter.tokens_per_second,
        seconds_left=meter.seconds_left(plan.num_steps - step - 1),
        waiting_ratio=meter.waiting_ratio,
        scores=scores_after(parts, plan, step + 1),
    )


def gradients(parts: Parts, plan: Plan, batch: Batch) -> tuple[float, float]:
    """Leave the clipped gradient of the batch's mean loss; return that loss and the norm before.

    The loss of each micro-batch is divided by the targets of the whole batch, so that any size of
    micro-batch gives the same gradient, however the targets are spread over rows.
    """
    parts.optimizer.zero_grad(set_to_none=True)
    num_targets = max(1, batch.num_targets)
    total = torch.zeros((), device=parts.device)
    for start in range(0, len(batch), plan.micro_batch_rows):
        part = batch.part(start, start + plan.micro_batch_rows).to(parts.device)
        with parts.precision.autocast(parts.device):
            loss = parts.objective.loss_sum(parts.model, part) / num_targets
        loss.backward()
        total += loss.detach()
    norm = nn.utils.clip_grad_norm_(parts.model.parameters(), plan.clip_norm)
    return total.item(), norm.item()


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
