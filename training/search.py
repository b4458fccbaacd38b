"""Which schedule: a grid of trials in a fixed order, and the choice among them by their dev scores.

Every arm is given the same grid and the same choice, so that none wins by being tuned better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Trial:
    """One schedule to try: its place in the grid, counted from 1, its peak rate, its length."""

    number: int
    learning_rate: float
    epochs: int

    def __str__(self) -> str:
        return f"lr {short_number(self.learning_rate)}, {self.epochs} epochs"


@dataclass(frozen=True)
class TrialScore:
    """How a trial of seed 0 did on dev; both scores are None where it diverged.

    ``diverged`` says then at which step, on which rows.
    """

    trial: Trial
    num_steps: int
    accuracy: float | None = None
    macro_f1: float | None = None
    diverged: str | None = None


def grid(learning_rates: Sequence[float], epochs: Sequence[int]) -> tuple[Trial, ...]:
    """Return every pair as a trial: rates in their order, for each the epochs in theirs."""
    pairs = [(rate, count) for rate in learning_rates for count in epochs]
    return tuple(Trial(number, *pair) for number, pair in enumerate(pairs, start=1))


def choose(scores: Sequence[TrialScore], by: str) -> TrialScore | None:
    """Return the trial with the best ``macro_f1`` or ``accuracy``, the first of equals.

    A diverged trial is worse than any other; None if all are.
    """
    finished = [score for score in scores if score.diverged is None]
    return max(finished, key=lambda score: getattr(score, by), default=None)


def at_edges(trial: Trial, trials: Sequence[Trial]) -> list[str]:
    """Return in which ways a trial lies at the edge of its grid, so that a wider one may do better.

    A way in which all trials are alike has no edge.
    """
    found = []
    for name in ("learning_rate", "epochs"):
        values = [getattr(other, name) for other in trials]
        ends = {min(values): "lowest", max(values): "highest"}
        if len(ends) == 2 and getattr(trial, name) in ends:
            found.append(f"{ends[getattr(trial, name)]} {name}")
    return found


def short_number(value: float) -> str:
    """Return a learning rate as people write it: 1e-3, 2.5e-4."""
    mantissa, _, exponent = f"{value:.3e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
