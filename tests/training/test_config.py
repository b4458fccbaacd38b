"""What of a training run's config is identity, and what would make no run."""

from __future__ import annotations

from dataclasses import replace

import pytest

import store.step
from data_contracts.errors import UsageError
from store.identity import encode
from training import config
from training.config import PretrainConfig, counted_names

TOLD = {"evaluate_every_steps": 7, "heldout_max_tokens": 7, "log_every_steps": 7}
FREE = {"checkpoint_every_steps": 7, "keep_checkpoints": 7, "dtype_reason": "it was raining"}


@pytest.mark.parametrize("name", TOLD)
def test_what_decides_the_curve_counts_for_its_rows_and_not_for_the_weights(name: str) -> None:
    other = replace(PretrainConfig(), **{name: TOLD[name]})
    assert encode(PretrainConfig()) != encode(other)
    assert name not in counted_names(PretrainConfig)


@pytest.mark.parametrize("name", FREE)
def test_what_changes_no_row_counts_for_nothing(name: str) -> None:
    other = replace(PretrainConfig(), **{name: FREE[name]})
    assert encode(PretrainConfig()) == encode(other)
    assert name not in counted_names(PretrainConfig)


def test_the_store_and_training_mean_the_same_by_uncounted() -> None:
    assert config.uncounted(3).metadata == store.step.uncounted(3).metadata


@pytest.mark.parametrize(
    "wrong",
    [
        {"peak_learning_rate": -1.0},
        {"peak_learning_rate": 0.0},
        {"peak_learning_rate": float("nan")},
        {"final_learning_rate_ratio": -3.0},
        {"seed": -1},
        {"device": "gpu"},
        {"num_steps": 0},
        {"warm_up_steps": 1000},
    ],
)
def test_numbers_that_make_no_run_are_named(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(UsageError, match=name):
        PretrainConfig(**wrong)
