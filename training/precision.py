"""In which numbers a model computes: float32, or bfloat16 by autocast where that is faster.

Weights and optimiser stay in float32 either way. The choice changes results, so it is made once,
before the first step, and written down; going on with a run never measures again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from data_contracts.errors import UsageError
from training.config import NAMES_OF_NUMBERS as NAMES

MIN_GAIN = 1.15
_ROUNDS = 20
_LIMIT_SECONDS = 1.5


@dataclass(frozen=True)
class Precision:
    """The numbers of a run: ``name`` is ``float32`` or ``bfloat16``; ``reason`` says why."""

    name: str
    reason: str

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise UsageError(f"dtype is {self.name}; give auto, {' or '.join(NAMES)}")

    def autocast(self, device: torch.device) -> AbstractContextManager:
        """Return the context in which the model's forward pass runs."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.name == "bfloat16")


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use so many threads of the processor meanwhile; 0 leaves it as it is.

    Sums are taken in another order on other numbers of threads, so the count belongs to a run's
    settings.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_precision(device: torch.device, width: int) -> Precision:
    """Measure a matrix product of a model's width both ways and take the faster, in under 2 s.

    bfloat16 must win by 15%, because it is less exact. The two are timed in turn and compared by
    their fastest round, so that other work on the machine does not decide.
    """
    seconds: dict[torch.dtype, float] = {}
    started = time.perf_counter()
    for _ in range(_ROUNDS):
        for dtype in (torch.float32, torch.bfloat16):
            took = _time_product(device, width, dtype)
            seconds[dtype] = min(took, seconds.get(dtype, took))
        if time.perf_counter() - started > _LIMIT_SECONDS:
            break
    gain = seconds[torch.float32] / seconds[torch.bfloat16]
    name = "bfloat16" if gain >= MIN_GAIN else "float32"
    return Precision(name, f"measured: bfloat16 is {gain:.2f} times as fast as float32")


def _time_product(device: torch.device, width: int, dtype: torch.dtype) -> float:
    x = torch.ones(1024, width, device=device, dtype=dtype)
    weight = torch.ones(2 * width, width, device=device, dtype=dtype)
    _wait(device)
    started = time.perf_counter()
    F.linear(x, weight)
    _wait(device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
