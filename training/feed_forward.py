"""Feed-forward: each token's vector by itself through a wider, non-linear layer.

A layer of the model. Shapes: B rows, T tokens of a row, W width, F feed-forward width.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from training.model_config import ModelConfig


class GatedFeedForward(nn.Module):
    """SwiGLU, in a modernbert GeGLU (Shazeer 2020): gate and value from one matrix, in order."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.activation = F.gelu if config.shape == "modernbert" else F.silu
        self.gate_value = nn.Linear(config.width, 2 * config.feed_forward_width, bias=False)
        self.output = nn.Linear(config.feed_forward_width, config.width, bias=False)

    def forward(self, x_BTW: Tensor) -> Tensor:
        """Return the transformed stream, [B, T, W]."""
        gate_BTF, value_BTF = self.gate_value(x_BTW).chunk(2, dim=-1)
        return self.output(self.activation(gate_BTF) * value_BTF)


class PlainFeedForward(nn.Module):
    """GPT-2's: up, GELU by its approximation with tanh (Hendrycks and Gimpel 2016), down."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.up = nn.Linear(config.width, config.feed_forward_width, bias=config.biases)
        self.output = nn.Linear(config.feed_forward_width, config.width, bias=config.biases)

    def forward(self, x_BTW: Tensor) -> Tensor:
        """Return the transformed stream, [B, T, W]."""
        return self.output(F.gelu(self.up(x_BTW), approximate="tanh"))
