"""The estimate of memory against what a training takes, and the sentence when it is too much."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from data_contracts.errors import UsageError
from training.config import AdamWConfig
from training.memory import Memory, check_memory, free_memory, training_memory
from training.model import new_model
from training.model_config import ModelConfig
from training.objectives import Batch, token_losses
from training.optim import new_optimizer
from training.presets import preset

ROWS = 4

TRAININGS = [
    pytest.param(3, 128, "llama", "adamw", id="llama"),
    pytest.param(4, 64, "llama", "muon", id="llama, muon"),
    pytest.param(3, 128, "gpt2", "adamw", id="gpt2"),
    pytest.param(3, 128, "modernbert", "adamw", id="modernbert"),
]


def most_allocated(config: ModelConfig, optimizer_name: str) -> int:
    """Return the most bytes that tensors held in two steps of two micro-batches each."""
    tokens = torch.zeros(ROWS, config.context_tokens, dtype=torch.int64)
    batch = Batch(tokens, tokens, tokens)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        model = new_model(config, 0)
        optimizer = new_optimizer(model, optimizer_name, AdamWConfig(weight_decay=0.1))
        for _ in range(2):
            for _ in range(2):
                token_losses(model, batch).sum().backward()
            optimizer.step()
    events: Any = found.profiler.kineto_results.events()
    sizes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    return max(accumulate(size for _, size in sizes))


@pytest.mark.parametrize(("depth", "context", "shape", "optimizer"), TRAININGS)
def test_the_estimate_is_within_a_quarter_of_the_peak(
    depth: int, context: int, shape: str, optimizer: str
) -> None:
    config = preset(depth, 4096, context, shape)
    estimate = training_memory(config, ROWS, optimizer)
    assert estimate.total == pytest.approx(most_allocated(config, optimizer), rel=0.25)


def test_weights_gradients_and_states_are_counted_by_optimiser() -> None:
    config = preset(4, 4096, 128)
    adamw, muon = (training_memory(config, 2, name) for name in ("adamw", "muon"))
    assert adamw.weights == adamw.gradients == adamw.optimizer // 2
    assert adamw.weights < muon.optimizer < adamw.optimizer


def test_half_the_rows_keep_half_and_bfloat16_too() -> None:
    config = preset(4, 4096, 128)
    whole, rows, numbers = (
        training_memory(config, 8),
        training_memory(config, 4),
        training_memory(config, 8, dtype="bfloat16"),
    )
    assert whole.activations == 2 * rows.activations == 2 * numbers.activations


def test_too_little_memory_is_one_sentence_with_what_to_lower() -> None:
    config = preset(12, 32_000, 1024)
    needed = training_memory(config, 32)
    check_memory(needed, needed.total, config, 32)
    check_memory(needed, None, config, 32)
    with pytest.raises(
        UsageError, match=r"about \d+\.\d GiB .* lower pretrain.micro_batch_rows \(now 32\)"
    ):
        check_memory(needed, needed.total - 1, config, 32)
    with pytest.raises(UsageError, match=r"lower pretrain\.depth \(now 12\)"):
        check_memory(training_memory(config, 1), 1 << 20, config, 1)
    assert Memory(1, 2, 3, 4, 5).total == 15


def test_this_machine_says_what_is_free() -> None:
    free = free_memory(torch.device("cpu"))
    assert free is None or 0 < free < 1 << 50
