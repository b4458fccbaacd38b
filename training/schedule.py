"""The learning rate of each step: a straight warm-up, then a cosine, or a plateau and its end."""

from __future__ import annotations

import math
from dataclasses import dataclass

from data_contracts.errors import UsageError


@dataclass(frozen=True)
class Schedule:
    """Warm-up over ``warm_up_steps``, then down to ``final_ratio`` of the peak at ``num_steps``.

    ``kind`` is ``cosine``: half a cosine from the peak, reached at step ``warm_up_steps`` (counted
    from 0), to the floor (Loshchilov and Hutter 2017, without restarts). Or ``wsd``: the peak
    until the last ``decay_ratio`` of the steps, which fall as 1 - sqrt (Hägele et al. 2024); a run
    can so be made longer from a checkpoint of the plateau. Raises UsageError if warm-up, or warm-up
    and decay, do not fit into the run.
    """

    peak: float
    num_steps: int
    warm_up_steps: int
    final_ratio: float = 0.1
    kind: str = "cosine"
    decay_ratio: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.warm_up_steps < self.num_steps:
            raise UsageError(
                f"warm_up_steps is {self.warm_up_steps}; give 0 to {self.num_steps - 1}, "
                f"as the run has {self.num_steps} steps"
            )
        if self.kind == "wsd" and self.warm_up_steps > self.num_steps - self.decay_steps:
            raise UsageError(
                f"warm_up_steps is {self.warm_up_steps} and decay_ratio {self.decay_ratio}, more "
                f"than the {self.num_steps} steps of the run; lower one of the two"
            )

    @property
    def decay_steps(self) -> int:
        """Steps of the end of ``wsd``, at least one."""
        return max(1, round(self.decay_ratio * self.num_steps))

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0; above 0 at every step."""
        if step < self.warm_up_steps:
            return self.peak * (step + 1) / (self.warm_up_steps + 1)
        return self.peak * (self.final_ratio + (1 - self.final_ratio) * self.height(step))

    def height(self, step: int) -> float:
        """Return how far a step after the warm-up stands above the floor: 1 at the peak, then 0."""
        if self.kind == "wsd":
            progress = (step - self.num_steps) / self.decay_steps + 1
            return 1 - math.sqrt(min(max(progress, 0.0), 1.0))
        progress = (step - self.warm_up_steps) / (self.num_steps - self.warm_up_steps)
        return (1 + math.cos(math.pi * min(progress, 1.0))) / 2
