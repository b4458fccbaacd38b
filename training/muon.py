"""Muon for the matrices of the blocks, AdamW for everything else, as one optimiser.

Muon takes the momentum of a matrix's gradient and replaces it by the nearest matrix whose singular
values are all alike (Jordan et al. 2024, "Muon: An optimizer for hidden layers"). Its step is
scaled to the root mean square that AdamW's has (Liu et al. 2025, section 2.2), so that both follow
one schedule. torch's own always iterates in bfloat16, which most processors only emulate; here that
is done in float32 on a processor and in bfloat16 on a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from training.config import AdamWConfig

MOMENTUM = 0.95
_ITERATIONS = 5
_QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan et al. 2024: steep at 0, singular values end near 1
_ADAMW_RMS = 0.2


class MuonAdamW(torch.optim.Optimizer):
    """Muon on ``matrices``, AdamW on ``rest``; weights of both decay as AdamW's config says.

    One state and one list of groups, matrices first, so that rates are set and checkpoints are
    written as for any other optimiser. Vectors in ``rest`` (norms) do not decay.
    """

    def __init__(
        self, matrices: Sequence[nn.Parameter], rest: Sequence[nn.Parameter], config: AdamWConfig
    ):
        decayed = [p for p in rest if p.ndim >= 2]
        groups = [
            {"params": list(matrices), "weight_decay": config.decay},
            {"params": decayed, "weight_decay": config.decay},
            {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
        ]
        super().__init__(groups, {"lr": 0.0})
        self._adamw = torch.optim.AdamW(
            self.param_groups[1:],
            lr=0.0,
            betas=(config.beta_1, config.beta_2),
            eps=config.epsilon,
            fused=True,
        )
        self._adamw.state = self.state
        self.param_groups[1:] = self._adamw.param_groups

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take one step; every matrix must have a gradient, and there is no closure."""
        group = self.param_groups[0]
        for parameter in group["params"]:
            assert parameter.grad is not None
            state = self.state[parameter]
            if not state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
            update = orthogonalised(parameter.grad.lerp(state["momentum"], MOMENTUM))
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            scale = _ADAMW_RMS * max(parameter.shape) ** 0.5
            parameter.add_(update, alpha=-group["lr"] * scale)
        self._adamw.step()


def orthogonalised(matrix: Tensor) -> Tensor:
    """Return about U V' of a matrix U S V': singular values between 0.7 and 1.2, float32."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide.to(torch.bfloat16 if matrix.is_cuda else torch.float32)
    x = x / (x.norm() + 1e-7)
    a, b, c = _QUINTIC
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    x = x.to(torch.float32)
    return x if wide is matrix else x.T
