"""What of a training run's config is identity, and what would make no run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import store.step
from data_contracts.errors import UsageError
from store.identity import encode
from training import config
from training.config import AdamWConfig, GuardConfig, PretrainConfig, counted_names
from training.finetune_config import FinetuneConfig

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
        {"clip_norm": float("nan")},
        {"clip_norm": float("inf")},
        {"decay_ratio": float("nan")},
        {"mask_rate": float("nan")},
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


def test_parts_that_do_not_fit_together_are_named() -> None:
    plan = {"num_steps": 100, "warm_up_steps": 90}
    with pytest.raises(UsageError, match=r"warm_up_steps is 90 and decay_ratio 0\.5, more than"):
        PretrainConfig(**plan, schedule="wsd", decay_ratio=0.5)
    assert PretrainConfig(**plan, decay_ratio=0.5).warm_up_steps == 90  # a cosine has no decay
    with pytest.raises(UsageError, match="batch_rows is 4, too few for num_processes = 8; give"):
        PretrainConfig(batch_rows=4, num_processes=8)
    assert PretrainConfig(num_processes=8).batch_rows == 0  # derived, a row for each at least
    for weight in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(UsageError, match=r"source_weights\.web is .*; give a number above 0"):
            PretrainConfig(source_weights=(("books", 1.0), ("web", weight)))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: AdamWConfig(beta_1=1.5), "adamw.beta_1 is 1.5; give 0 up to below 1"),
        (lambda: AdamWConfig(beta_2=math.nan), "adamw.beta_2 is nan; give 0 up to below 1"),
        (lambda: AdamWConfig(epsilon=-1), "adamw.epsilon is -1; give a number above 0"),
        (lambda: AdamWConfig(epsilon=math.inf), "adamw.epsilon is inf"),
        (lambda: GuardConfig(max_z=math.inf), "guard.max_z is inf; give a finite number"),
        (lambda: FinetuneConfig(clip_norm=math.inf), "finetune.clip_norm is inf; give a finite"),
        (lambda: FinetuneConfig(weight_decay=math.nan), "finetune.weight_decay is nan"),
        (lambda: FinetuneConfig(warm_up_ratio=math.nan), "finetune.warm_up_ratio is nan"),
    ],
)
def test_numbers_that_make_no_part_of_a_run_are_named(
    make: Callable[[], object], match: str
) -> None:
    with pytest.raises(UsageError, match=match):
        make()
