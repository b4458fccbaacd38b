"""The cost of each target, computed without ever holding the logits of all tokens.

Stands between the model's last hidden states and the objectives. The head and its softmax run over
a chunk of tokens at a time, forward and backward in one go: what is kept is the gradient of the
hidden states and that of the head, not N × V logits. The losses are those of `F.cross_entropy` on
all logits; the gradients too, but for the rounding of sums that are added in another order.

Shapes: N tokens, C tokens of a chunk, V vocabulary, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

CHUNK_BYTES = {"cpu": 1 << 22, "cuda": 1 << 30}  # of logits in float32: of a cache, of a device
MIN_CHUNK_TOKENS = 16

Losses = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def cross_entropies(
    hidden_NW: Tensor, weight_VW: Tensor, targets_N: Tensor, compiled: bool = False
) -> Tensor:
    """Return the cross-entropy of each target in nats, float32 [N]; 0 where it is negative.

    The logits are ``hidden_NW @ weight_VW.T``, in autocast's numbers where that is on. Meant to be
    summed: other weightings of the losses are as right, but cost the head's products once more.
    """
    losses_of = compiled_losses() if compiled else losses_and_errors
    dtype = working_dtype(hidden_NW)
    wanted = torch.is_grad_enabled() and (hidden_NW.requires_grad or weight_VW.requires_grad)
    if wanted:
        return ChunkedLosses.apply(hidden_NW, weight_VW, targets_N, dtype, losses_of)
    weight_VW = weight_VW.to(dtype)
    chunks = chunks_of(len(weight_VW), hidden_NW, targets_N)
    losses = [losses_of(F.linear(h.to(dtype), weight_VW), targets)[0] for h, targets in chunks]
    return torch.cat(losses)


def working_dtype(tensor: Tensor) -> torch.dtype:
    """Return the numbers in which a matrix product of this tensor is computed here."""
    if torch.is_autocast_enabled(tensor.device.type):
        return torch.get_autocast_dtype(tensor.device.type)
    return tensor.dtype


def chunks_of(vocab_size: int, *tensors_N: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Return tensors of N tokens in chunks, so that C × V logits fill the memory set for them."""
    size = CHUNK_BYTES[tensors_N[0].device.type] // (4 * vocab_size)
    return zip(*(tensor.split(max(MIN_CHUNK_TOKENS, size)) for tensor in tensors_N), strict=True)


class ChunkedLosses(torch.autograd.Function):
    """Losses [N] whose gradients are made with them, for their sum, and then only scaled."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden_NW: Tensor,
        weight_VW: Tensor,
        targets_N: Tensor,
        dtype: torch.dtype,
        losses_of: Losses,
    ) -> Tensor:
        """Compute losses and gradients chunk by chunk, in numbers of ``dtype``."""
        head_VW = weight_VW.to(dtype)
        grad_head_VW = torch.zeros_like(weight_VW, dtype=torch.float32)
        losses, grads = [], []
        for hidden_CW, targets_C in chunks_of(len(weight_VW), hidden_NW, targets_N):
            hidden_CW = hidden_CW.to(dtype)
            losses_C, errors_CV = losses_of(F.linear(hidden_CW, head_VW), targets_C)
            asked_C1 = (targets_C >= 0)[:, None].to(dtype)
            losses.append(losses_C)
            grads.append((errors_CV @ head_VW) * asked_C1)
            add_product(grad_head_VW, errors_CV, hidden_CW * asked_C1)
        ctx.save_for_backward(
            hidden_NW, weight_VW, targets_N, torch.cat(grads), grad_head_VW.to(weight_VW.dtype)
        )
        ctx.dtype, ctx.losses_of = dtype, losses_of
        return torch.cat(losses)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_N: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the gradients; where losses are weighted one by one, make the head's again.

        Losses that were summed have one gradient for all, which has no stride.
        """
        hidden_NW, weight_VW, targets_N, grad_hidden_NW, grad_head_VW = ctx.saved_tensors
        if grad_N.stride() == (0,):
            grad_head_VW = grad_head_VW * grad_N[0]
        else:
            grad_head_VW = weighted_head_gradient(
                hidden_NW.to(ctx.dtype), weight_VW, targets_N, grad_N, ctx.losses_of
            )
        grad_hidden_NW = (grad_hidden_NW * grad_N[:, None]).to(hidden_NW.dtype)
        return grad_hidden_NW, grad_head_VW, None, None, None


def losses_and_errors(logits_CV: Tensor, targets_C: Tensor) -> tuple[Tensor, Tensor]:
    """Return losses [C] in float32, and the gradient of each with respect to its logits [C, V].

    Where a target is negative, the loss is 0 and the row of the gradient means nothing.
    """
    places_C1 = targets_C.clamp(min=0)[:, None]
    log_shares_CV = torch.log_softmax(logits_CV, dim=-1, dtype=torch.float32)
    losses_C = -log_shares_CV.gather(1, places_C1)[:, 0].masked_fill(targets_C < 0, 0)
    errors_CV = log_shares_CV.exp_()
    errors_CV.scatter_add_(1, places_C1, -torch.ones_like(places_C1, dtype=torch.float32))
    return losses_C, errors_CV.to(logits_CV.dtype)


@cache
def compiled_losses() -> Losses:
    """Return `losses_and_errors` as torch compiles it: fewer passes over the logits."""
    return torch.compile(losses_and_errors)


def weighted_head_gradient(
    hidden_NW: Tensor, weight_VW: Tensor, targets_N: Tensor, grad_N: Tensor, losses_of: Losses
) -> Tensor:
    """Return the head's gradient [V, W] of losses with a weight each, computed from the start."""
    head_VW = weight_VW.to(hidden_NW.dtype)
    sum_VW = torch.zeros_like(weight_VW, dtype=torch.float32)
    weights_N = grad_N.masked_fill(targets_N < 0, 0).to(hidden_NW.dtype)
    for hidden_CW, targets_C, weights_C in chunks_of(
        len(weight_VW), hidden_NW, targets_N, weights_N
    ):
        errors_CV = losses_of(F.linear(hidden_CW, head_VW), targets_C)[1]
        add_product(sum_VW, errors_CV, hidden_CW * weights_C[:, None])
    return sum_VW.to(weight_VW.dtype)


def add_product(sum_VW: Tensor, errors_CV: Tensor, hidden_CW: Tensor) -> None:
    """Add a chunk's gradient of the head to the sum, which is in float32."""
    if errors_CV.dtype == sum_VW.dtype:
        sum_VW.addmm_(errors_CV.T, hidden_CW)
    else:
        sum_VW += errors_CV.T @ hidden_CW
