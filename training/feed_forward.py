"""Feed-forward: each token's vector by itself through a wider, non-linear layer.

A layer of the model. Shapes: B rows, T tokens of a row, W width, F feed-forward width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from training.model_config import ModelConfig


class GatedFeedForward(nn.Module):
    """SwiGLU, in a modernbert GeGLU (Shazeer 2020): gate and value from one matrix, in order."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.encoder = config.shape == "modernbert"
        self.gate_value = nn.Linear(config.width, 2 * config.feed_forward_width, bias=False)
        self.output = nn.Linear(config.feed_forward_width, config.width, bias=False)

    def forward(self, x_BTW: Tensor) -> Tensor:
        """Return the transformed stream, [B, T, W]."""
        gate_value = self.gate_value(x_BTW)
        if not self.encoder and gate_value.dtype == torch.float32 and not gate_value.is_cuda:
            return self.output(SwiGLU.apply(gate_value))
        gate_BTF, value_BTF = gate_value.chunk(2, dim=-1)
        return self.output((F.gelu if self.encoder else F.silu)(gate_BTF) * value_BTF)


class SwiGLU(torch.autograd.Function):
    """gate · sigmoid(gate) · value, of gate and value side by side; for a processor.

    Keeps its input only, and writes both gradients where one matrix product wants them: half the
    passes over memory that autograd makes of the same.
    """

    @staticmethod
    def forward(ctx: Any, gate_value: Tensor) -> Tensor:
        """Return [..., F] of [..., 2F]."""
        ctx.save_for_backward(gate_value)
        gate, value = gate_value.chunk(2, dim=-1)
        return F.silu(gate).mul_(value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """With s = sigmoid(gate) and a = gate · s, a's derivative is s + a (1 - s)."""
        (gate_value,) = ctx.saved_tensors
        gate, value = gate_value.chunk(2, dim=-1)
        grad_gate_value = torch.empty_like(gate_value)
        grad_gate, grad_value = grad_gate_value.chunk(2, dim=-1)
        shares = gate.sigmoid()
        active = shares * gate
        torch.mul(grad, active, out=grad_value)
        active.addcmul_(active, shares, value=-1).add_(shares).mul_(value)
        torch.mul(grad, active, out=grad_gate)
        return grad_gate_value


class PlainFeedForward(nn.Module):
    """GPT-2's: up, GELU, down.

    GELU is GPT-2's approximation with tanh (Hendrycks and Gimpel 2016), or exact as nanoGPT's, for
    which processors have a faster kernel.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.approximate = "none" if config.exact_gelu else "tanh"
        self.up = nn.Linear(config.width, config.feed_forward_width, bias=config.biases)
        self.output = nn.Linear(config.feed_forward_width, config.width, bias=config.biases)

    def forward(self, x_BTW: Tensor) -> Tensor:
        """Return the transformed stream, [B, T, W]."""
        return self.output(F.gelu(self.up(x_BTW), approximate=self.approximate))
