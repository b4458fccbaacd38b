"""What a config leaves open and a model's size decides: batch, learning rate, weight decay.

Stands before all that reads a config of pre-training. Imports no torch, so that a corpus that is
too small is found at once.
"""

from __future__ import annotations

from dataclasses import replace

from training.config import PretrainConfig
from training.model_config import ModelConfig
from training.presets import preset, training_preset


def model_of(config: PretrainConfig, vocab_size: int) -> ModelConfig:
    """Return the shape of a config's model: that of its depth, and what is set otherwise."""
    return preset(
        config.depth, vocab_size, config.context_tokens, config.model_shape, **config.model.given()
    )


def derived(config: PretrainConfig, vocab_size: int) -> PretrainConfig:
    """Return the config with nothing left open, as `training.presets.training_preset` says.

    A batch has a row for each process at least. What is set stays.
    """
    begin = training_preset(model_of(config, vocab_size), config.optimizer)
    rows = max(begin.batch_tokens // config.context_tokens, config.num_processes)
    decay = config.adamw.weight_decay
    return replace(
        config,
        batch_rows=config.batch_rows or rows,
        peak_learning_rate=config.peak_learning_rate or begin.peak_learning_rate,
        adamw=replace(config.adamw, weight_decay=begin.weight_decay if decay is None else decay),
    )
