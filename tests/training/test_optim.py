"""AdamW: its groups, its update against the paper's, and its state there and back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from data_contracts.errors import Damaged
from training.model import new_model
from training.model_config import ModelConfig
from training.optim import (
    AdamWConfig,
    load_optimizer_tensors,
    new_adamw,
    optimizer_tensors,
    set_learning_rate,
)

CONFIG = ModelConfig(40, 2, 16, 2, 1, 24, 16)


def test_matrices_decay_and_norms_do_not() -> None:
    model = new_model(CONFIG, 0)
    optimizer = new_adamw(model, AdamWConfig(weight_decay=0.3))
    decay = {p: g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert len(decay) == len(list(model.parameters())) == 14
    assert {name for name, p in model.named_parameters() if decay[p] == 0.0} == {
        name for name, _ in model.named_parameters() if "norm" in name
    }
    assert set(decay.values()) == {0.0, 0.3}


def test_two_updates_are_those_of_the_paper() -> None:
    model = nn.Linear(3, 2)
    config = AdamWConfig(beta_1=0.8, beta_2=0.9, epsilon=1e-6, weight_decay=0.5)
    optimizer = new_adamw(model, config)
    w = model.weight.detach().double().clone()
    m, v = torch.zeros_like(w), torch.zeros_like(w)
    for t, rate in ((1, 0.1), (2, 0.05)):
        g = torch.arange(6.0).view(2, 3) - 2.5 * t
        model.weight.grad, model.bias.grad = g.clone(), torch.zeros(2)
        set_learning_rate(optimizer, rate)
        optimizer.step()
        g = g.double()
        m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g * g
        w = w - rate * 0.5 * w
        w = w - rate * (m / (1 - 0.8**t)) / ((v / (1 - 0.9**t)).sqrt() + 1e-6)
    torch.testing.assert_close(model.weight.detach(), w.float())


def test_state_comes_back_as_it_was() -> None:
    def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        model(torch.arange(10)[None]).square().mean().backward()
        set_learning_rate(optimizer, 0.01)
        optimizer.step()

    straight = new_model(CONFIG, 0)
    optimizer = new_adamw(straight, AdamWConfig(weight_decay=0.1))
    assert optimizer_tensors(straight, optimizer) == {}
    step(straight, optimizer)
    tensors = {name: t.clone() for name, t in optimizer_tensors(straight, optimizer).items()}
    assert len(tensors) == 3 * 14
    other = new_model(CONFIG, 1)
    other.load_state_dict(straight.state_dict())
    again = new_adamw(other, AdamWConfig(weight_decay=0.1))
    load_optimizer_tensors(other, again, tensors)
    step(straight, optimizer)
    step(other, again)
    assert all(map(torch.equal, straight.parameters(), other.parameters()))


def test_state_of_another_model_is_refused() -> None:
    model = new_model(CONFIG, 0)
    optimizer = new_adamw(model, AdamWConfig(weight_decay=0.1))
    with pytest.raises(Damaged, match=r"nowhere\.weight:exp_avg fits no parameter"):
        load_optimizer_tensors(model, optimizer, {"nowhere.weight:exp_avg": torch.ones(1)})
