"""The guard of a run: it sees that training broke, and says which data the run goes on without.

A step is broken if its loss or gradient is no number, or if the loss stands far above those before
it. The loop then goes back to a step of a fixed spacing and never reads the batches around the
broken one (Chowdhery et al. 2022, section 5.1); how often checkpoints are written decides what is
done again, not what is learnt. What the guard knows is a small value that checkpoints
hold: from it follow the batch of every step, and the same bits after any kill.

A *position* numbers the batches that the loader can give; without incidents step n reads position
n.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from training.config import GuardConfig

NORMAL_DEVIATIONS = 1.4826  # median absolute deviations of a normal distribution in its deviation
MIN_DEVIATION = 0.02  # of the median: a loss that hardly moves makes no small rise a spike


@dataclass(frozen=True)
class Trouble:
    """A broken step: ``cause`` is loss_not_finite, gradient_not_finite or loss_spike."""

    step: int
    cause: str
    loss: float
    gradient_norm: float
    z_score: float | None = None

    def __str__(self) -> str:
        told = f"step {self.step} has loss {self.loss} and gradient norm {self.gradient_norm}"
        spike = f", {self.z_score:.1f} deviations above the median" if self.z_score else ""
        return told + spike


@dataclass(frozen=True)
class Incident:
    """What was done about a broken step; numbers that are none are None.

    ``step`` counts the steps done before it, ``position`` is the batch that it read and
    ``row_ids`` that batch's rows. The run went on from what it was after ``back_to_step`` steps,
    without the positions from ``skipped_from`` up to, not with, ``skipped_until``.
    """

    step: int
    cause: str
    loss: float | None
    gradient_norm: float | None
    z_score: float | None
    position: int
    row_ids: tuple[int, ...]
    back_to_step: int
    skipped_from: int
    skipped_until: int


@dataclass(frozen=True)
class GuardState:
    """Losses of the last steps, oldest first, and all incidents so far, in order."""

    losses: tuple[float, ...] = ()
    incidents: tuple[Incident, ...] = ()

    def position(self, step: int) -> int:
        """Return the batch that a step reads; rises with the step, over all that is skipped."""
        position = step
        for first, stop in merged(
            [(incident.skipped_from, incident.skipped_until) for incident in self.incidents]
        ):
            if position >= first:
                position += stop - first
        return position

    def after(self, loss: float, window_steps: int) -> GuardState:
        """Return the state after a step that went well."""
        return replace(self, losses=(*self.losses, loss)[-window_steps:])

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def state_of(plain: Mapping[str, Any]) -> GuardState:
    """Return the state of what `GuardState.plain` gave and JSON may have changed to lists."""
    incidents = (
        Incident(**{**values, "row_ids": tuple(values["row_ids"])})
        for values in plain.get("incidents", ())
    )
    return GuardState(tuple(plain.get("losses", ())), tuple(incidents))


def trouble_of(
    step: int, loss: float, norm: float, state: GuardState, config: GuardConfig | None
) -> Trouble | None:
    """Return what is wrong with a step, None if nothing; without a config spikes go unseen."""
    if not math.isfinite(loss):
        return Trouble(step, "loss_not_finite", loss, norm)
    if not math.isfinite(norm):
        return Trouble(step, "gradient_not_finite", loss, norm)
    if config is None or len(state.losses) < config.window_steps:
        return None
    z_score = robust_z(loss, state.losses)
    return Trouble(step, "loss_spike", loss, norm, z_score) if z_score > config.max_z else None


def robust_z(value: float, before: Sequence[float]) -> float:
    """Return how many deviations a value stands above the median of those before it.

    The deviation is the median absolute one, as of a normal distribution (Iglewicz and Hoaglin
    1993), and at least 2% of the median.
    """
    median = statistics.median(before)
    spread = NORMAL_DEVIATIONS * statistics.median(abs(loss - median) for loss in before)
    return (value - median) / max(spread, MIN_DEVIATION * abs(median), 1e-9)


def incident_of(
    trouble: Trouble,
    row_ids: Sequence[int],
    state: GuardState,
    config: GuardConfig,
) -> Incident:
    """Return what is to be done about a broken step.

    Left out are the batch of the step and those of the ``skip_steps - 1`` steps before it, but
    none that had been learnt from at the step gone back to.
    """
    back_to_step = step_to_go_back_to(trouble.step, config)
    first = max(back_to_step, trouble.step - config.skip_steps + 1)
    position = state.position(trouble.step)
    return Incident(
        step=trouble.step,
        cause=trouble.cause,
        loss=finite(trouble.loss),
        gradient_norm=finite(trouble.gradient_norm),
        z_score=trouble.z_score,
        position=position,
        row_ids=tuple(row_ids),
        back_to_step=back_to_step,
        skipped_from=state.position(first),
        skipped_until=position + 1,
    )


def step_to_go_back_to(step: int, config: GuardConfig) -> int:
    """Return the steps done that a run goes back to from a step that breaks after so many."""
    return step // config.spacing_steps * config.spacing_steps


def finite(value: float) -> float | None:
    """Return a number, or None for what is none and JSON cannot hold."""
    return value if math.isfinite(value) else None


def merged(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges in order, those that touch or overlap as one."""
    found: list[tuple[int, int]] = []
    for first, stop in sorted(ranges):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((first, stop))
    return found
