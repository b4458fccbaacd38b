"""Rotary positions (Su et al. 2021): queries and keys are turned by the angle of their place.

A part of attention. Shapes: B rows, H heads, T tokens, D size of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor


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
    cos_TD, sin_TD = rotation_2TD.to(x_BHTD.dtype)
    return x_BHTD * cos_TD + x_BHTD.roll(x_BHTD.shape[-1] // 2, dims=-1) * sin_TD
