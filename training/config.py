"""What a training run is asked for, as plain values. Imports no torch, so that planning is fast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from data_contracts.errors import UsageError
from training.model_config import SHAPES, ModelOptions
from training.presets import preset
from training.sampling import check_prompt
from training.schedule import Schedule

NAMES_OF_NUMBERS = ("float32", "bfloat16")
PACKINGS = ("concat", "best_fit", "one_per_row")
OPTIMIZERS = ("muon", "adamw")
OBJECTIVES = ("causal", "masked", "supervised")
_OF_OBJECTIVES = {"masked": ("mask_rate", "whole_words"), "supervised": ("label_columns",)}
SCHEDULES = ("cosine", "wsd")
CHOICES = ("last", "best")
_ONE_OF = {
    "device": ("cpu", "cuda"),
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "choose_checkpoint": CHOICES,
}
_AT_LEAST_ONE = ("depth", "context_tokens", "heldout_max_tokens", "num_processes")


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


def foreign_names(objective: str) -> set[str]:
    """Return the names of the fields that only other objectives read."""
    return {name for other, names in _OF_OBJECTIVES.items() if other != objective for name in names}


def check_finite(settings: object, prefix: str = "") -> None:
    """Raise UsageError, naming it, for a field of a config that is NaN or infinite."""
    for name, value in vars(settings).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{prefix}{name} is {value}; give a finite number")


@dataclass(frozen=True)
class AdamWConfig:
    """Settings of AdamW (Loshchilov and Hutter 2019); the rate comes from the schedule.

    ``weight_decay`` None: derived from the model's width (`training.derive`), before an optimiser
    is made. Raises UsageError for numbers that make no optimiser.
    """

    beta_1: float = 0.9
    beta_2: float = 0.95
    epsilon: float = 1e-8
    weight_decay: float | None = None

    def __post_init__(self) -> None:
        for name in ("beta_1", "beta_2"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"adamw.{name} is {getattr(self, name)}; give 0 up to below 1")
        if not 0 < self.epsilon < float("inf"):
            raise UsageError(f"adamw.epsilon is {self.epsilon}; give a number above 0, as 1e-8")
        if self.weight_decay is not None and not 0 <= self.weight_decay < float("inf"):
            raise UsageError(
                f"adamw.weight_decay is {self.weight_decay}; give 0 or more, or leave it out"
            )

    @property
    def decay(self) -> float:
        """The weight decay; raises ValueError while it is left to be derived."""
        if self.weight_decay is None:
            raise ValueError("weight_decay is not derived yet; see training.derive")
        return self.weight_decay


@dataclass(frozen=True)
class LossTerms:
    """What a loss is besides the cross-entropy; see `training.cross_entropy.losses_and_errors`.

    Evaluation never has them; the training loss that is shown does. Raises UsageError for a
    smoothing outside [0, 1), a negative z-loss.
    """

    label_smoothing: float = 0.0
    z_loss: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise UsageError(
                f"loss.label_smoothing is {self.label_smoothing}; give 0 up to below 1"
            )
        if not 0 <= self.z_loss < float("inf"):
            raise UsageError(f"loss.z_loss is {self.z_loss}; give 0 or more, as 1e-4")


PLAIN = LossTerms()


@dataclass(frozen=True)
class GuardConfig:
    """When a step counts as broken, and what is done about it; see `training.guard`.

    A loss is a spike if it stands ``max_z`` robust deviations above the median of the last
    ``window_steps`` losses. The run then goes back to the last multiple of ``spacing_steps`` and
    leaves out the broken batch and the ``skip_steps - 1`` before it, but none that it had read by
    then; after ``max_incidents`` of these it gives up.
    0 incidents: it stops at the first loss that is no number, and spikes go unseen.
    Raises UsageError for numbers that make no guard.
    """

    window_steps: int = 64
    max_z: float = 12.0
    skip_steps: int = 8
    spacing_steps: int = 200
    max_incidents: int = 3

    def __post_init__(self) -> None:
        for name in ("window_steps", "max_z", "skip_steps", "spacing_steps"):
            if not getattr(self, name) > 0:
                raise UsageError(f"guard.{name} is {getattr(self, name)}; give a number above 0")
        check_finite(self, "guard.")
        if self.max_incidents < 0:
            raise UsageError(f"guard.max_incidents is {self.max_incidents}; give 0 or more")


@dataclass(frozen=True)
class Plan:
    """How long and how often. ``evaluate_every_steps`` None: only after the last step.

    ``micro_batch_rows`` rows go through the model at once; it bounds memory and, but for rounding,
    changes nothing. Without a ``guard`` the run stops where training breaks. ``choose_checkpoint``
    is what becomes of the run, ``last`` or ``best``: the best is needed whole, or found again.
    Raises UsageError for numbers that make no plan.
    """

    num_steps: int
    micro_batch_rows: int
    clip_norm: float = 1.0
    checkpoint_every_steps: int = 500
    keep_checkpoints: int = 2
    evaluate_every_steps: int | None = None
    log_every_steps: int = 10
    guard: GuardConfig | None = None
    choose_checkpoint: str = "last"

    def __post_init__(self) -> None:
        check_finite(self)
        for name, value in vars(self).items():
            if isinstance(value, int | float) and value <= 0:
                raise UsageError(f"{name} is {value}; give a number above 0")


@dataclass(frozen=True)
class PretrainConfig:
    """What to train and how; what is left open follows from ``depth`` (`training.derive`).

    That is ``batch_rows`` where it is 0, ``peak_learning_rate`` and ``adamw.weight_decay`` where
    they are None, and of the model all that ``model`` does not set.

    ``optimizer`` is ``muon`` (for the matrices of the blocks; AdamW for the rest) or ``adamw``.
    ``dtype`` is ``auto`` (measured), ``float32`` or ``bfloat16``; ``dtype_reason`` says why it was
    chosen. ``device`` is ``cpu`` or ``cuda``. ``compile`` has torch compile the model: that takes
    about a minute, and pays in long runs. ``num_threads`` of the processor's work; 0 leaves torch's
    own choice. ``heldout_max_tokens`` bounds what is read at each evaluation. A step reads
    ``batch_rows`` rows of ``context_tokens`` tokens, ``micro_batch_rows`` at once. ``packing`` is
    how documents make rows (`training.packing`): ``concat``, ``best_fit`` or ``one_per_row``.

    ``source_weights`` says how often rows of each source are drawn, in any unit
    (`training.mixing`); empty: all rows alike. ``schedule`` is ``cosine``, or ``wsd``: after the
    warm-up the rate stays at its peak until it falls over the last ``decay_ratio`` of the steps.
    ``choose_checkpoint`` says which becomes the model: the ``last``, or the ``best`` on held-out
    text of those evaluated. ``num_processes`` share the rows of each step, with ``num_threads``
    each. At each evaluation the model goes on from ``sample_prompt`` by up to ``sample_tokens``
    tokens (0: it does not). ``tensorboard_folder`` gets TensorBoard's events while it runs, and
    keeps them.

    ``objective`` is ``causal`` (guess the next token), ``masked`` (guess hidden ones) or
    ``supervised`` (name the documents' labels); ``shape`` is of `training.model_config`, None: an
    encoder for masked, a llama else. Masked: ``mask_rate`` is the share of tokens that is hidden,
    ``whole_words`` hides words whole. Supervised: ``label_columns`` are keys of the documents'
    ``labels``, of which a step reads ``batch_rows`` documents, each cut at ``context_tokens``.

    ``init_from`` is the folder of a model whose weights training begins with (`training.start`);
    ``init_digest`` says which it was and is found by planning.

    Raises UsageError for numbers that make no run, or a setting of another objective.
    """

    depth: int = 4
    context_tokens: int = 256
    batch_rows: int = 0
    micro_batch_rows: int = 16
    objective: str = "causal"
    shape: str | None = None
    model: ModelOptions = field(default_factory=ModelOptions)
    mask_rate: float = 0.15
    whole_words: bool = False
    label_columns: tuple[str, ...] = ()
    num_steps: int = 1000
    warm_up_steps: int = 50
    peak_learning_rate: float | None = None
    final_learning_rate_ratio: float = 0.1
    optimizer: str = "muon"
    adamw: AdamWConfig = field(default_factory=AdamWConfig)
    packing: str = "concat"
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
    guard: GuardConfig = field(default_factory=GuardConfig)
    loss: LossTerms = field(default_factory=LossTerms)
    schedule: str = "cosine"
    decay_ratio: float = 0.2
    choose_checkpoint: str = "last"
    num_processes: int = 1
    source_weights: tuple[tuple[str, float], ...] = ()
    sample_prompt: str = told("")
    sample_tokens: int = told(40)
    tensorboard_folder: str | None = uncounted(None)
    init_from: str = uncounted("")
    init_digest: str = ""

    def __post_init__(self) -> None:
        check_finite(self)
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; give 1 or more")
        for name, allowed in _ONE_OF.items():
            if getattr(self, name) not in allowed:
                raise UsageError(f"{name} is {getattr(self, name)}; give {' or '.join(allowed)}")
        rate, floor = self.peak_learning_rate, self.final_learning_rate_ratio
        if (rate is not None and not 0 < rate < float("inf")) or not 0 <= floor <= 1:
            raise UsageError(
                f"peak_learning_rate is {rate} and final_learning_rate_ratio {floor}; give a rate "
                f"above 0 and a share of it from 0 to 1"
            )
        if not 0 <= self.seed < 1 << 63:
            raise UsageError(f"seed is {self.seed}; give a number from 0 to 2**63 - 1")
        if self.batch_rows < 0:
            raise UsageError(f"batch_rows is {self.batch_rows}; give 1 or more, or leave it out")
        if self.num_threads < 0:
            raise UsageError(f"num_threads is {self.num_threads}; give 1 or more, or 0 for all")
        if self.packing not in PACKINGS:
            raise UsageError(f"packing is {self.packing}; give {', '.join(PACKINGS)}")
        if self.dtype not in ("auto", *NAMES_OF_NUMBERS):
            choices = " or ".join(NAMES_OF_NUMBERS)
            raise UsageError(f"dtype is {self.dtype}; give auto, {choices}")
        if not 0 < self.decay_ratio <= 1:
            raise UsageError(f"decay_ratio is {self.decay_ratio}; give a share above 0, up to 1")
        if self.sample_tokens < 0:
            raise UsageError(f"sample_tokens is {self.sample_tokens}; give 0 or more")
        check_prompt(self.sample_prompt)
        loop_plan(self)
        schedule_of(self, rate or 1.0)
        self._check_shares()
        self._check_objective()
        preset(self.depth, 2, self.context_tokens, self.model_shape, **self.model.given())

    def _check_shares(self) -> None:
        """Check that each process has a row, and each named source a share."""
        if 0 < self.batch_rows < self.num_processes:
            raise UsageError(
                f"batch_rows is {self.batch_rows}, too few for num_processes = "
                f"{self.num_processes}; give each process a row"
            )
        for source, weight in self.source_weights:
            if not 0 < weight < float("inf"):
                raise UsageError(f"source_weights.{source} is {weight}; give a number above 0")

    def _check_objective(self) -> None:
        if self.objective not in OBJECTIVES:
            raise UsageError(f"objective is {self.objective!r}; give {', '.join(OBJECTIVES)}")
        if self.shape is not None and self.shape not in SHAPES:
            raise UsageError(f"shape is {self.shape!r}; give {', '.join(SHAPES)}")
        encoder = self.model_shape == "modernbert"
        if self.objective == ("causal" if encoder else "masked"):
            raise UsageError(
                f"shape is {self.shape}, which cannot learn the {self.objective} objective: an "
                "encoder (modernbert) sees what follows, a decoder (llama, gpt2) does not; leave "
                "shape out"
            )
        for objective, names in _OF_OBJECTIVES.items():
            defaults = {f.name: f.default for f in fields(self)}
            given = [name for name in names if getattr(self, name) != defaults[name]]
            if given and objective != self.objective:
                raise UsageError(
                    f"{given[0]} is set, but objective is {self.objective}; leave it out, or give "
                    f"objective = {objective!r}"
                )
        # Rows are documents, each read once an epoch, and targets are no tokens.
        plain = {"packing": PACKINGS[0], "loss": PLAIN, "source_weights": ()}
        for name, default in plain.items():
            if self.objective == "supervised" and getattr(self, name) != default:
                raise UsageError(f"{name} is set, but objective is supervised; leave it out")
        if not 0 < self.mask_rate < 1:
            raise UsageError(f"mask_rate is {self.mask_rate}; give a share above 0 and below 1")
        columns = self.label_columns
        if self.objective == "supervised" and not columns:
            raise UsageError("label_columns is empty; name the documents' labels to learn")
        if len(set(columns)) < len(columns):
            raise UsageError(f"label_columns is {list(columns)}; give each label once")

    @property
    def model_shape(self) -> str:
        """The shape of the model: the one asked for, or that of the objective."""
        return self.shape or ("modernbert" if self.objective == "masked" else "llama")


def config_of(plain: Mapping[str, Any]) -> PretrainConfig:
    """Return the config of plain values, as `dataclasses.asdict` and JSON leave them."""
    made = dict(plain)
    for known in fields(PretrainConfig):
        if is_dataclass(kind := known.default_factory):
            made[known.name] = kind(**plain[known.name])
        elif isinstance(known.default, tuple):
            made[known.name] = as_tuples(plain[known.name])
    return PretrainConfig(**made)


def as_tuples(value: Any) -> Any:
    """Return a value with tuples in place of lists, at any depth."""
    return tuple(map(as_tuples, value)) if isinstance(value, list | tuple) else value


def schedule_of(config: PretrainConfig, peak: float) -> Schedule:
    """Return the learning rate's schedule; raises UsageError if its parts do not fit the run."""
    return Schedule(
        peak,
        config.num_steps,
        config.warm_up_steps,
        config.final_learning_rate_ratio,
        config.schedule,
        config.decay_ratio,
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
        guard=config.guard if config.guard.max_incidents else None,
        choose_checkpoint=config.choose_checkpoint,
    )
