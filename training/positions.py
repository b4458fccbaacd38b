"""Rotary positions (Su et al. 2021): queries and keys are turned by the angle of their place.

A part of attention. Shapes: B rows, H heads, T tokens, D size of a head.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def rotation_table(head_size: int, context_tokens: int, base: float) -> Tensor:
    """Return cosines and sines [2, T, D] of each position's angle, as `rotate` wants them.

    The halves of D are alike, but that the sines of the first are negative.
    """
    half = torch.arange(0, head_size, 2, dtype=torch.float32) / head_size
    positions_T = torch.arange(context_tokens, dtype=torch.float32)
    angles_TD = torch.outer(positions_T, base**-half).repeat(1, 2)
    sines_TD = angles_TD.sin()
    sines_TD[:, : head_size // 2].neg_()
    return torch.stack([angles_TD.cos(), sines_TD])


def rotate(x_BHTD: Tensor, rotation_2TD: Tensor) -> Tensor:
    """Turn pairs (i, i + D/2) of each head by their position's angle (the layout of Llama's)."""
    if x_BHTD.dtype == torch.float32 and not x_BHTD.is_cuda:
        turned: Tensor = Rotation.apply(x_BHTD, rotation_2TD)
        return turned
    cos_TD, sin_TD = rotation_2TD.to(x_BHTD.dtype)
    return x_BHTD * cos_TD + x_BHTD.roll(x_BHTD.shape[-1] // 2, dims=-1) * sin_TD


class Rotation(torch.autograd.Function):
    """What `rotate` does, in few passes over memory; for a processor."""

    @staticmethod
    def forward(ctx: Any, x_BHTD: Tensor, rotation_2TD: Tensor) -> Tensor:
        """Add to each half the other one, times its sines."""
        ctx.save_for_backward(rotation_2TD)
        return turned_by(x_BHTD, *rotation_2TD)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BHTD: Tensor) -> tuple[Tensor, None]:
        """Turn back: by the same cosines, and by the other half's sines."""
        cos_TD, sin_TD = ctx.saved_tensors[0]
        return turned_by(grad_BHTD, cos_TD, sin_TD.roll(sin_TD.shape[-1] // 2, dims=-1)), None


def turned_by(x_BHTD: Tensor, cos_TD: Tensor, sin_TD: Tensor) -> Tensor:
    """Return x · cos + (x with its halves exchanged) · sin."""
    half = x_BHTD.shape[-1] // 2
    out_BHTD = x_BHTD * cos_TD
    out_BHTD[..., :half].addcmul_(x_BHTD[..., half:], sin_TD[:, :half])
    out_BHTD[..., half:].addcmul_(x_BHTD[..., :half], sin_TD[:, half:])
    return out_BHTD
