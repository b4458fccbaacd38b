"""Muon beside its definition (singular values), torch's own, and a checkpoint's round trip."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from training.checkpoint import newest_checkpoint, resume, save_checkpoint
from training.config import AdamWConfig, PretrainConfig
from training.model import new_model
from training.model_config import ModelConfig
from training.muon import MOMENTUM, MuonAdamW, orthogonalised
from training.optim import new_adamw, new_optimizer, set_learning_rate

SHAPE = ModelConfig(40, 2, 16, 2, 1, 32, 12)


def matrix(rows: int, columns: int, seed: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 99), st.floats(1e-4, 1e4))
def test_singular_values_end_near_one(rows: int, columns: int, seed: int, size: float) -> None:
    drawn = matrix(rows, columns, seed)
    left, values, right = torch.linalg.svd(drawn, full_matrices=False)
    values = values.clamp(min=values.max() / 20)  # what is nearly 0 needs more iterations
    made = orthogonalised(size * (left * values) @ right)
    assert made.shape == drawn.shape
    found = torch.linalg.svdvals(made)
    assert 0.5 < found.min() <= found.max() < 1.3
    directions = (left.T @ made @ right.T).diagonal()
    assert (directions > 0.5).all()  # the same singular vectors, turned by nothing


def test_the_step_is_that_of_torch_but_for_its_bfloat16() -> None:
    ours, theirs = (nn.Parameter(matrix(24, 16, 0)) for _ in range(2))
    config = AdamWConfig(weight_decay=0.1)
    mine = MuonAdamW([ours], [], config)
    oracle = torch.optim.Muon(
        [theirs], lr=0.02, weight_decay=0.1, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"
    )
    set_learning_rate(mine, 0.02)
    for step in range(5):
        for parameter, optimizer in ((ours, mine), (theirs, oracle)):
            parameter.grad = matrix(24, 16, 100 + step)
            optimizer.step()
    moved = (theirs - matrix(24, 16, 0)).norm()
    assert (ours - theirs).norm() < 0.02 * moved


def gradients_of(model: nn.Module, step: int) -> None:
    tokens_BT = torch.randint(
        3, SHAPE.vocab_size, (2, 8), generator=torch.Generator().manual_seed(step)
    )
    model.zero_grad()
    model(tokens_BT).square().mean().backward()


def test_what_is_no_matrix_of_a_block_moves_as_under_adamw() -> None:
    config = AdamWConfig(weight_decay=0.1)
    models = [new_model(SHAPE, 0) for _ in range(2)]
    optimizers = [new_optimizer(models[0], "muon", config), new_adamw(models[1], config)]
    for model, optimizer in zip(models, optimizers, strict=True):
        set_learning_rate(optimizer, 0.01)
        gradients_of(model, 0)
        optimizer.step()
    one, other = (dict(model.named_parameters()) for model in models)
    equal = {name for name in one if torch.equal(one[name], other[name])}
    assert equal == {name for name in one if "blocks" not in name or one[name].ndim == 1}
    assert len(equal) < len(one)


def test_going_on_from_a_checkpoint_changes_no_bit(tmp_path: Path) -> None:
    model = new_model(SHAPE, 0)
    optimizer = new_optimizer(model, "muon", AdamWConfig(weight_decay=0.1))
    for step in range(3):
        if step == 2:
            save_checkpoint(tmp_path, step, model, optimizer, {}, 1)
        one_step(model, optimizer, step)
    again = new_model(SHAPE, 1)
    other = new_optimizer(again, "muon", AdamWConfig(weight_decay=0.1))
    found = newest_checkpoint(tmp_path)
    assert found is not None
    resume(found, again, other)
    one_step(again, other, 2)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def one_step(model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    set_learning_rate(optimizer, 0.01 * (step + 1))
    gradients_of(model, step)
    optimizer.step()


def test_another_optimizer_is_refused_by_name() -> None:
    with pytest.raises(Exception, match="optimizer is sgd; give muon or adamw"):
        PretrainConfig(optimizer="sgd")
