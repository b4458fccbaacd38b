"""What a training run is asked for, as plain values. Imports no torch, so that planning is fast."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from data_contracts.errors import UsageError

NAMES_OF_NUMBERS = ("float32", "bfloat16")
OPTIMIZERS = ("muon", "adamw")


def uncounted(default: Any) -> Any:
    """A field that changes no weight: a run may go on with another value."""
    return field(default=default, metadata={"counted": False})


def told(default: Any) -> Any:
    """A field that changes no weight, but what is written of the training: counted all the same."""
    return field(default=default, metadata={"weights": False})


def counted_names(config: type) -> list[str]:
    """Return the names of the fields on which weights depend."""
    return [
        f.name
        for f in fields(config)
        if f.metadata.get("counted", True) and f.metadata.get("weights", True)
    ]


@dataclass(frozen=True)
class AdamWConfig:
    """Settings of AdamW (Loshchilov and Hutter 2019); the rate comes from the schedule."""

    beta_1: float = 0.9
    beta_2: float = 0.95
    epsilon: float = 1e-8
    weight_decay: float = 0.1


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
class PretrainConfig:
    """What to train and how; None means derived from ``depth``.

    ``optimizer`` is ``muon`` (for the matrices of the blocks; AdamW for the rest) or ``adamw``.
    ``dtype`` is ``auto`` (measured), ``float32`` or ``bfloat16``; ``dtype_reason`` says why it was
    chosen. ``device`` is ``cpu`` or ``cuda``. ``compile`` has torch compile the model: that takes
    about a minute, and pays in long runs. ``num_threads`` of the processor's work; 0 leaves torch's
    own choice. ``heldout_max_tokens`` bounds what is read at each evaluation. A step reads
    ``batch_rows`` rows of ``context_tokens`` tokens, ``micro_batch_rows`` at once.

    Raises UsageError for numbers that make no run.
    """

    depth: int = 4
    context_tokens: int = 256
    batch_rows: int = 16
    micro_batch_rows: int = 16
    num_steps: int = 1000
    warm_up_steps: int = 50
    peak_learning_rate: float | None = None
    final_learning_rate_ratio: float = 0.1
    optimizer: str = "muon"
    adamw: AdamWConfig = field(default_factory=AdamWConfig)
    clip_norm: float = 1.0
    seed: int = 0
    dtype: str = "auto"
    dtype_reason: str = uncounted("asked for")
    device: str = "cpu"
    compile: bool = False
    num_threads: int = 0
    evaluate_every_steps: int | None = told(None)
    heldout_max_tokens: int = told(200_000)
    checkpoint_every_steps: int = uncounted(200)
    keep_checkpoints: int = uncounted(2)
    log_every_steps: int = told(10)

    def __post_init__(self) -> None:
        for name in ("depth", "context_tokens", "batch_rows", "heldout_max_tokens"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; give 1 or more")
        rate, floor = self.peak_learning_rate, self.final_learning_rate_ratio
        if (rate is not None and not 0 < rate < float("inf")) or not 0 <= floor <= 1:
            raise UsageError(
                f"peak_learning_rate is {rate} and final_learning_rate_ratio {floor}; give a rate "
                f"above 0 and a share of it from 0 to 1"
            )
        if not 0 <= self.seed < 1 << 63:
            raise UsageError(f"seed is {self.seed}; give a number from 0 to 2**63 - 1")
        if self.device not in ("cpu", "cuda"):
            raise UsageError(f"device is {self.device}; give cpu or cuda")
        if self.num_threads < 0:
            raise UsageError(f"num_threads is {self.num_threads}; give 1 or more, or 0 for all")
        if self.optimizer not in OPTIMIZERS:
            raise UsageError(f"optimizer is {self.optimizer}; give {' or '.join(OPTIMIZERS)}")
        if self.dtype not in ("auto", *NAMES_OF_NUMBERS):
            choices = " or ".join(NAMES_OF_NUMBERS)
            raise UsageError(f"dtype is {self.dtype}; give auto, {choices}")
        loop_plan(self)
        if not 0 <= self.warm_up_steps < self.num_steps:
            raise UsageError(
                f"warm_up_steps is {self.warm_up_steps}; give 0 to {self.num_steps - 1}, "
                f"as the run has {self.num_steps} steps"
            )


def loop_plan(config: PretrainConfig) -> Plan:
    """Return the part of the settings that the loop reads."""
    return Plan(
        num_steps=config.num_steps,
        micro_batch_rows=config.micro_batch_rows,
        clip_norm=config.clip_norm,
        checkpoint_every_steps=config.checkpoint_every_steps,
        keep_checkpoints=config.keep_checkpoints,
        evaluate_every_steps=config.evaluate_every_steps,
        log_every_steps=config.log_every_steps,
    )
