"""What the loop is given: a model, its optimiser, an objective, data, and when it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from training.loader import Rows
from training.objectives import Objective
from training.precision import Precision
from training.ranks import ALONE, Ranks


@dataclass(frozen=True)
class Parts:
    """What a run is assembled from.

    ``rows`` gives the rows of a position (`training.guard`: the step, until training breaks),
    ``evaluate`` named scores of the model as it is,
    ``bytes_per_token`` the mean over the training text (None: no bits per byte). ``settings`` are
    the plain values on which the result depends: a checkpoint with others is refused. ``score``
    names the score, lower is better, by which the best checkpoint is kept; ``lineage`` tells in
    each of them where the data came from. Of several ``ranks`` each has the same parts.
    ``seed`` is that of dropout. ``utilisation`` is the MFU of so many tokens a second;
    ``write_sample`` what the model writes.
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
    score: str | None = None
    lineage: Mapping[str, Any] = field(default_factory=dict)
    ranks: Ranks = ALONE
    seed: int = 0
    utilisation: Callable[[float], float] | None = None
    write_sample: Callable[[], str] | None = None
