"""What a config leaves open: derived from the model, and another's if it is set."""

from __future__ import annotations

from dataclasses import asdict, fields, replace

import pytest

from data_contracts.errors import UsageError
from training.config import AdamWConfig, PretrainConfig, config_of
from training.derive import derived, model_of
from training.model_config import ModelConfig, ModelOptions
from training.presets import preset


def test_batch_rate_and_decay_follow_from_the_depth() -> None:
    config = derived(PretrainConfig(depth=12, context_tokens=1024, optimizer="adamw"), 32_000)
    assert config.batch_rows == 128
    assert config.peak_learning_rate == pytest.approx(6e-4)
    assert config.adamw.decay == pytest.approx(0.1)
    with_muon = derived(PretrainConfig(depth=6, context_tokens=1024), 32_000)
    assert with_muon.batch_rows == 64
    assert with_muon.peak_learning_rate == pytest.approx(4 * 1.2e-3)
    assert with_muon.adamw.decay == pytest.approx(0.05)


def test_what_is_set_stays() -> None:
    config = PretrainConfig(
        batch_rows=3, peak_learning_rate=0.5, adamw=AdamWConfig(weight_decay=0.0)
    )
    assert derived(config, 4096) == config


def test_a_batch_has_a_row_for_each_process() -> None:
    config = PretrainConfig(depth=2, context_tokens=8192, num_processes=4)
    assert derived(config, 4096).batch_rows == 4
    assert derived(replace(config, num_processes=1), 4096).batch_rows == 1


def test_an_optimiser_is_not_made_of_what_is_still_open() -> None:
    with pytest.raises(ValueError, match="not derived yet"):
        _ = AdamWConfig().decay


def test_options_are_fields_of_a_model() -> None:
    names = {known.name for known in fields(ModelOptions)}
    derived_by_others = {"vocab_size", "num_layers", "context_tokens", "shape"}
    assert names == {known.name for known in fields(ModelConfig)} - derived_by_others
    model = ModelOptions(width=96, num_heads=2, dropout_ratio=0.2, biases=True)
    config = PretrainConfig(depth=3, context_tokens=64, shape="gpt2", model=model)
    asked = {"width": 96, "num_heads": 2, "dropout_ratio": 0.2, "biases": True}
    assert model_of(config, 65) == preset(3, 65, 64, "gpt2", **asked)
    assert config_of(asdict(config)) == config


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (ModelOptions(width=100, num_heads=3), "model.width is 100"),
        (ModelOptions(dropout_ratio=1.0), "model.dropout_ratio is 1.0"),
        (ModelOptions(biases=True), "model.biases is set, but a llama has none"),
    ],
)
def test_a_model_that_cannot_be_is_named_before_any_text_is_read(
    model: ModelOptions, match: str
) -> None:
    with pytest.raises(UsageError, match=match):
        PretrainConfig(depth=4, model=model)
