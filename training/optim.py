"""The optimisers: AdamW in two groups, or Muon; their state as named tensors for checkpoints."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from data_contracts.errors import Damaged
from training.config import AdamWConfig
from training.model import Transformer
from training.muon import MuonAdamW
from training.supervised import LabelModel


def new_optimizer(
    model: Transformer | LabelModel, name: str, config: AdamWConfig
) -> torch.optim.Optimizer:
    """Return the optimiser of a name for a model: ``muon`` or ``adamw``."""
    if name == "adamw":
        return new_adamw(model, config)
    matrices = [parameter for parameter in model.blocks.parameters() if parameter.ndim == 2]
    held = {id(parameter) for parameter in matrices}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in held]
    return MuonAdamW(matrices, rest, config)


def new_adamw(model: nn.Module, config: AdamWConfig) -> torch.optim.AdamW:
    """Return AdamW, fused into one kernel; matrices decay, norms and biases do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=0.0,
        betas=(config.beta_1, config.beta_2),
        eps=config.epsilon,
        fused=all(parameter.device.type in ("cpu", "cuda") for parameter in parameters),
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Give every group this rate."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's state as tensors named ``parameter:key``; empty before a step."""
    return {
        f"{name}:{key}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def load_optimizer_tensors(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Put back what `optimizer_tensors` returned, onto each parameter's device.

    Raises Damaged if a tensor belongs to no parameter of the model.
    """
    parameters = dict(model.named_parameters())
    states: dict[str, dict[str, Tensor]] = {}
    for label, tensor in tensors.items():
        name, _, key = label.rpartition(":")
        if name not in parameters:
            raise Damaged(f"optimiser state {label} fits no parameter; delete the checkpoint")
        states.setdefault(name, {})[key] = tensor.to(parameters[name].device)
    optimizer.state.clear()
    for name, state in states.items():
        optimizer.state[parameters[name]] = state
