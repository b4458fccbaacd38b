"""Root mean square normalisation (Zhang and Sennrich 2019), quick on a processor too.

A layer of the model. On a GPU torch has one kernel for it; on a processor torch takes it apart into
a dozen passes over memory, three times as slow forward and backward as what stands here.

Shapes: W width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


class Norm(nn.Module):
    """Divides vectors of W numbers by their root mean square and scales each place by a weight."""

    def __init__(self, width: int, epsilon: float):
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised vectors [..., W]."""
        if x.is_cuda or x.dtype != self.weight.dtype:
            return F.rms_norm(x, self.weight.shape, self.weight, self.epsilon)
        normed: Tensor = FewPasses.apply(x, self.weight, self.epsilon)
        return normed


class FewPasses(torch.autograd.Function):
    """x · r · weight with r = (mean of x² + epsilon)^-½, and its gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_W: Tensor, epsilon: float) -> Tensor:
        """Keep x and r; both are needed again."""
        lengths = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        r = lengths.square().div(x.shape[-1]).add(epsilon).rsqrt()
        ctx.save_for_backward(x, weight_W, r)
        return (x * r).mul_(weight_W)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        """With n = x · r, g = grad · weight: the weight's is grad · n, x's r (g - n · mean of g n).

        That is LayerNorm's for a mean of 0, for which torch has a kernel, but for the mean of g,
        which that takes away.
        """
        x, weight_W, r = ctx.saved_tensors
        grad_x, grad_weight_W, _ = torch.ops.aten.native_layer_norm_backward(
            grad, x, weight_W.shape, torch.zeros_like(r), r, weight_W, None, [True, True, False]
        )
        means = (grad @ weight_W).unsqueeze(-1).div_(x.shape[-1])
        return grad_x.add_(means.mul_(r)), grad_weight_W, None
