"""The learning rate of each step: a straight warm-up, then half a cosine down to a floor."""

from __future__ import annotations

import math
from dataclasses import dataclass

from data_contracts.errors import UsageError


@dataclass(frozen=True)
class Schedule:
    """Warm-up over ``warm_up_steps``, then a cosine that reaches ``final_ratio`` of the peak.

    The peak is reached at step ``warm_up_steps`` (counted from 0), the floor at ``num_steps``
    (Loshchilov and Hutter 2017, without restarts). Raises UsageError if warm-up fills the run.
    """

    peak: float
    num_steps: int
    warm_up_steps: int
    final_ratio: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.warm_up_steps < self.num_steps:
            raise UsageError(
                f"warm_up_steps is {self.warm_up_steps}; give 0 to {self.num_steps - 1}, "
                f"as the run has {self.num_steps} steps"
            )

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0; above 0 at every step."""
        if step < self.warm_up_steps:
            return self.peak * (step + 1) / (self.warm_up_steps + 1)
        progress = (step - self.warm_up_steps) / (self.num_steps - self.warm_up_steps)
        cosine = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
        return self.peak * (self.final_ratio + (1 - self.final_ratio) * cosine)
