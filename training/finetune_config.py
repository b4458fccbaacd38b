"""What fine-tuning is asked for, as plain values. Imports no torch, so that planning is fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from data_contracts.errors import UsageError
from training.config import NAMES_OF_NUMBERS, check_finite, uncounted

POOLINGS = ("mean", "last")
CHOICES = ("macro_f1", "accuracy")
ARMS = ("pretrained", "scratch")


@dataclass(frozen=True)
class FinetuneConfig:
    """The schedules to try, for the pre-trained model and its twin alike, and how to run one.

    A trial is a peak learning rate and a number of epochs; all pairs are tried. ``choose_by`` says
    which score on dev picks one: ``macro_f1`` or ``accuracy``. ``num_seeds`` runs of the picked
    schedule are judged. A step reads at most ``batch_rows`` documents. ``curve_points`` is how
    often a run looks at dev. ``dtype`` is ``float32`` or ``bfloat16``; ``num_threads`` torch's of
    the processor (0: one per core); ``dropout_ratio`` the share of the pooled state that is dropped
    in training. ``arms`` are those to train: the pre-trained model and its twin ``scratch``, or the
    former alone where another pre-training of the same shape has the same twin.

    Raises UsageError for values that make no run, naming the field.
    """

    learning_rates: tuple[float, ...] = (5e-4, 1e-3, 2e-3, 4e-3)
    epochs: tuple[int, ...] = (2, 6)
    num_seeds: int = 3
    batch_rows: int = 32
    warm_up_ratio: float = 0.1
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    dropout_ratio: float = 0.0
    pooling: str = "mean"
    choose_by: str = "macro_f1"
    curve_points: int = 10
    dtype: str = "float32"
    num_threads: int = 0
    arms: tuple[str, ...] = ARMS
    checkpoint_every_steps: int = uncounted(1000)

    def __post_init__(self) -> None:
        check_finite(self, "finetune.")
        _check_grid("learning_rates", self.learning_rates, least_above=0.0)
        _check_grid("epochs", self.epochs, least_above=0)
        least_1 = ("num_seeds", "batch_rows", "curve_points")
        for name in (*least_1, "checkpoint_every_steps"):
            if getattr(self, name) < 1:
                raise UsageError(f"finetune.{name} is {getattr(self, name)}; give 1 or more")
        if self.num_threads < 0:
            raise UsageError(
                f"finetune.num_threads is {self.num_threads}; give 1 or more, or 0 for all"
            )
        for name in ("warm_up_ratio", "dropout_ratio"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"finetune.{name} is {getattr(self, name)}; give 0 to below 1")
        if not self.weight_decay >= 0 or not self.clip_norm > 0:
            raise UsageError(
                f"finetune.weight_decay is {self.weight_decay} and clip_norm {self.clip_norm}; "
                "give a decay of 0 or more and a norm above 0"
            )
        if self.arms not in (ARMS, ARMS[:1]):
            raise UsageError(f"finetune.arms is {list(self.arms)}; give {list(ARMS)} or the first")
        named = {"pooling": POOLINGS, "choose_by": CHOICES, "dtype": NAMES_OF_NUMBERS}
        for name, choices in named.items():
            if getattr(self, name) not in choices:
                raise UsageError(
                    f"finetune.{name} is {getattr(self, name)!r}; give {' or '.join(choices)}"
                )


def _check_grid(name: str, values: Sequence[float], least_above: float) -> None:
    """Raise UsageError unless there are values, each above a bound, and none twice."""
    if not values or len(set(values)) < len(values):
        raise UsageError(f"finetune.{name} is {list(values)}; give one value or more, each once")
    for value in values:
        if not least_above < value < float("inf"):
            raise UsageError(f"finetune.{name} has {value}; give numbers above 0")
