"""Presets: their sizes without making them, each value another's if asked, published numbers."""

from __future__ import annotations

import pytest
import torch

from data_contracts.errors import UsageError
from training.model import Transformer
from training.model_config import SHAPES, ModelConfig
from training.presets import (
    best_batch_tokens,
    num_parameters,
    peak_learning_rate,
    preset,
    training_preset,
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("depth", [1, 2, 5, 12, 52])
@pytest.mark.parametrize("tied", [True, False])
def test_parameters_are_counted_without_making_them(shape: str, depth: int, tied: bool) -> None:
    config = preset(depth, 4096, 64, shape, tied_head=tied)
    with torch.device("meta"):
        assert num_parameters(config) == Transformer(config).num_parameters


def test_the_sizes_of_published_models_are_theirs() -> None:
    gpt2 = preset(12, 50_257, 1024, "gpt2", biases=True)
    assert num_parameters(gpt2) == 124_439_808
    llama = ModelConfig(32_000, 32, 4096, 32, 32, 11_008, 4096, tied_head=False)
    assert num_parameters(llama) == 6_738_415_616
    modernbert = ModelConfig(50_368, 22, 768, 12, 12, 1152, 8192, shape="modernbert")
    assert num_parameters(modernbert) == 149_655_232


@pytest.mark.parametrize(("depth", "millions"), [(2, 0.918), (12, 110), (52, 6900)])
def test_presets_span_from_one_million_to_seven_billion(depth: int, millions: float) -> None:
    config = preset(depth, 32_000 if depth > 2 else 4096, 64)
    assert num_parameters(config) / 1e6 == pytest.approx(millions, rel=0.12)


def test_every_derived_value_can_be_another() -> None:
    config = preset(4, 4096, 64, num_layers=7, feed_forward_width=100, rope_base=5e5)
    assert (config.num_layers, config.feed_forward_width, config.rope_base) == (7, 100, 5e5)
    assert config.width == 256
    wide = preset(4, 4096, 64, width=384)
    assert (wide.num_heads, wide.num_kv_heads, wide.feed_forward_width) == (6, 3, 1024)
    with pytest.raises(UsageError, match=r"model\.num_kv_heads is 3"):
        preset(4, 4096, 64, num_kv_heads=3)


def test_a_batch_is_that_of_a_published_training() -> None:
    """DeepSeek's 7B: 2,304 rows of 4,096 tokens in a step, 2e12 tokens in all."""
    assert best_batch_tokens(6 * 6.9e9 * 2e12) == pytest.approx(2304 * 4096, rel=0.1)


def test_what_a_step_takes_off_a_weight_is_the_same_at_any_width() -> None:
    small, large = (training_preset(preset(depth, 32_000, 1024)) for depth in (12, 26))
    assert (small.batch_tokens, large.batch_tokens) == (1 << 17, 1 << 19)
    assert small.peak_learning_rate == pytest.approx(6e-4)
    share = small.peak_learning_rate * small.weight_decay
    assert share == pytest.approx(large.peak_learning_rate * large.weight_decay)


@pytest.mark.parametrize(("width", "published"), [(768, 6e-4), (1024, 3e-4), (2048, 2e-4)])
def test_peak_rates_are_near_the_published_ones(width: int, published: float) -> None:
    assert published * 0.85 < peak_learning_rate(width) < published * 1.6
