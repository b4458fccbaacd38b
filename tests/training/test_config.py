"""What of a training run's config is identity, and what would make no run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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
        {"packing": "first_fit"},
        {"num_steps": 0},
        {"warm_up_steps": 1000},
    ],
)
def test_numbers_that_make_no_run_are_named(wrong: dict[str, float | str]) -> None:
    (name,) = wrong
    with pytest.raises(UsageError, match=name):
        PretrainConfig(**wrong)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"objective": "guess"}, "objective is 'guess'; give causal, masked, supervised"),
        ({"shape": "t5"}, "shape is 't5'; give llama, modernbert, gpt2"),
        ({"shape": "modernbert"}, "cannot learn the causal objective"),
        ({"objective": "masked", "shape": "gpt2"}, "cannot learn the masked objective"),
        ({"mask_rate": 0.3}, "mask_rate is set, but objective is causal"),
        ({"objective": "supervised", "label_columns": ("a",), "whole_words": True}, "whole_words"),
        ({"objective": "masked", "mask_rate": 1.0}, "mask_rate is 1.0; give a share above 0"),
        ({"objective": "supervised"}, "label_columns is empty"),
        ({"objective": "supervised", "label_columns": ("a", "a")}, "give each label once"),
    ],
)
def test_settings_that_make_no_objective_are_named(wrong: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        PretrainConfig(**wrong)


def test_an_objective_has_its_shape() -> None:
    assert PretrainConfig().model_shape == "llama"
    assert PretrainConfig(objective="masked").model_shape == "modernbert"
    supervised = PretrainConfig(objective="supervised", label_columns=("a",))
    assert supervised.model_shape == "llama"
    assert replace(supervised, shape="modernbert").model_shape == "modernbert"
