"""The cost of each target, computed without ever holding the logits of all tokens.

Stands between the model's last hidden states and the objectives. The head and its softmax run over
a chunk of tokens at a time, forward and backward in one go: what is kept is the gradient of the
hidden states and that of the head, not N × V logits. The losses are those of `F.cross_entropy` on
all logits; the gradients too, but for the rounding of sums that are added in another order. What
`training.config.LossTerms` adds to a loss is added here, from the same logits.

Shapes: N tokens, C tokens of a chunk, V vocabulary, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from training.config import PLAIN, LossTerms

CHUNK_BYTES = {"cpu": 1 << 22, "cuda": 1 << 30}  # of logits in float32: of a cache, of a device
MIN_CHUNK_TOKENS = 256  # of fewer, products spend their time on reading and adding up V × W numbers

Losses = Callable[..., tuple[Tensor, Tensor]]  # of logits [C, V] and targets [C]


def cross_entropies(
    hidden_NW: Tensor,
    weight_VW: Tensor,
    targets_N: Tensor,
    compiled: bool = False,
    bias_V: Tensor | None = None,
    terms: LossTerms = PLAIN,
) -> Tensor:
    """Return the cross-entropy of each target in nats, float32 [N]; 0 where it is negative.

    The logits are ``hidden_NW @ weight_VW.T + bias_V``, in autocast's numbers where that is on;
    ``terms`` changes each loss as `losses_and_errors` says. Meant to be summed: other weightings
    of the losses are as right, but cost the head's products once more.
    """
    losses_of = compiled_losses() if compiled else losses_and_errors
    if terms != PLAIN:
        losses_of = partial(losses_of, terms=terms)
    dtype = working_dtype(hidden_NW)
    wanted = torch.is_grad_enabled() and (hidden_NW.requires_grad or weight_VW.requires_grad)
    if wanted:
        return ChunkedLosses.apply(hidden_NW, weight_VW, targets_N, bias_V, dtype, losses_of)
    weight_VW, bias_V = in_numbers(weight_VW, bias_V, dtype)
    chunks = chunks_of(len(weight_VW), hidden_NW, targets_N)
    losses = [losses_of(F.linear(h.to(dtype), weight_VW, bias_V), t)[0] for h, t in chunks]
    return torch.cat(losses)


def working_dtype(tensor: Tensor) -> torch.dtype:
    """Return the numbers in which a matrix product of this tensor is computed here."""
    if torch.is_autocast_enabled(tensor.device.type):
        return torch.get_autocast_dtype(tensor.device.type)
    return tensor.dtype


def chunks_of(vocab_size: int, *tensors_N: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Return tensors of N tokens in chunks, so that C × V logits fill the memory set for them.

    A chunk has `MIN_CHUNK_TOKENS` where a vocabulary is so large that fewer would fill it.
    """
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
        bias_V: Tensor | None,
        dtype: torch.dtype,
        losses_of: Losses,
    ) -> Tensor:
        """Compute losses and gradients chunk by chunk, in numbers of ``dtype``."""
        head_VW, head_bias_V = in_numbers(weight_VW, bias_V, dtype)
        of_head = HeadGradient(weight_VW, bias_V)
        losses, grads = [], []
        for hidden_CW, targets_C in chunks_of(len(weight_VW), hidden_NW, targets_N):
            hidden_CW = hidden_CW.to(dtype)
            logits_CV = F.linear(hidden_CW, head_VW, head_bias_V)
            losses_C, errors_CV = losses_of(logits_CV, targets_C)
            asked_C = (targets_C >= 0).to(dtype)
            losses.append(losses_C)
            grads.append((errors_CV @ head_VW) * asked_C[:, None])
            of_head.add(errors_CV, hidden_CW, asked_C)
        ctx.save_for_backward(
            hidden_NW, weight_VW, targets_N, bias_V, torch.cat(grads), *of_head.gradients()
        )
        ctx.dtype, ctx.losses_of = dtype, losses_of
        return torch.cat(losses)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_N: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the gradients; where losses are weighted one by one, make the head's again.

        Losses that were summed have one gradient for all, which has no stride.
        """
        hidden_NW, weight_VW, targets_N, bias_V, grad_hidden_NW, *of_head = ctx.saved_tensors
        if grad_N.stride() == (0,):
            of_head = [None if grad is None else grad * grad_N[0] for grad in of_head]
        else:
            hidden = hidden_NW.to(ctx.dtype)
            of_head = weighted_head_gradients(
                hidden, weight_VW, bias_V, targets_N, grad_N, ctx.losses_of
            )
        grad_hidden_NW = (grad_hidden_NW * grad_N[:, None]).to(hidden_NW.dtype)
        return grad_hidden_NW, of_head[0], None, of_head[1], None, None


class HeadGradient:
    """The gradients of the head's matrix [V, W] and of its bias [V], summed in float32."""

    def __init__(self, weight_VW: Tensor, bias_V: Tensor | None):
        self.dtype = weight_VW.dtype
        self.weight_VW = torch.zeros_like(weight_VW, dtype=torch.float32)
        self.bias_V = None if bias_V is None else torch.zeros_like(bias_V, dtype=torch.float32)

    def add(self, errors_CV: Tensor, hidden_CW: Tensor, weights_C: Tensor) -> None:
        """Add what a chunk's tokens make, each times its weight."""
        hidden_CW = hidden_CW * weights_C[:, None]
        if errors_CV.dtype == self.weight_VW.dtype:
            self.weight_VW.addmm_(errors_CV.T, hidden_CW)
        else:
            self.weight_VW += errors_CV.T @ hidden_CW
        if self.bias_V is not None:
            self.bias_V += weights_C @ errors_CV

    def gradients(self) -> tuple[Tensor, Tensor | None]:
        """Return both in the numbers of the head."""
        bias_V = self.bias_V
        return self.weight_VW.to(self.dtype), None if bias_V is None else bias_V.to(self.dtype)


def losses_and_errors(
    logits_CV: Tensor, targets_C: Tensor, terms: LossTerms = PLAIN
) -> tuple[Tensor, Tensor]:
    """Return losses [C] in float32, and the gradient of each with respect to its logits [C, V].

    Where a target is negative, the loss is 0 and the row of the gradient means nothing. Smoothed
    by e, a target counts 1 - e and every id e / V (Szegedy et al. 2016); the z-loss adds a share of
    the square of log Σ exp(logits) (Chowdhery et al. 2022, section 5).
    """
    smoothing, z_loss = terms.label_smoothing, terms.z_loss
    places_C1 = targets_C.clamp(min=0)[:, None]
    log_shares_CV = torch.log_softmax(logits_CV, dim=-1, dtype=torch.float32)
    of_target_C = log_shares_CV.gather(1, places_C1)[:, 0]
    losses_C = -of_target_C
    if smoothing:
        losses_C = losses_C * (1 - smoothing) - smoothing * log_shares_CV.mean(dim=1)
    errors_CV = log_shares_CV.exp_()
    if z_loss:
        log_sums_C = logits_CV.gather(1, places_C1)[:, 0].float() - of_target_C
        losses_C = losses_C + z_loss * log_sums_C.square()
        errors_CV.mul_(1 + 2 * z_loss * log_sums_C[:, None])
    if smoothing:
        errors_CV.sub_(smoothing / logits_CV.shape[1])
    ones_C1 = torch.full_like(places_C1, 1 - smoothing, dtype=torch.float32)
    errors_CV.scatter_add_(1, places_C1, -ones_C1)
    return losses_C.masked_fill(targets_C < 0, 0), errors_CV.to(logits_CV.dtype)


@cache
def compiled_losses() -> Losses:
    """Return `losses_and_errors` as torch compiles it: fewer passes over the logits."""
    return torch.compile(losses_and_errors)


def weighted_head_gradients(
    hidden_NW: Tensor,
    weight_VW: Tensor,
    bias_V: Tensor | None,
    targets_N: Tensor,
    grad_N: Tensor,
    losses_of: Losses,
) -> tuple[Tensor, Tensor | None]:
    """Return the gradients of the head for losses with a weight each, computed from the start."""
    head_VW, head_bias_V = in_numbers(weight_VW, bias_V, hidden_NW.dtype)
    of_head = HeadGradient(weight_VW, bias_V)
    weights_N = grad_N.masked_fill(targets_N < 0, 0).to(hidden_NW.dtype)
    for hidden_CW, targets_C, weights_C in chunks_of(
        len(weight_VW), hidden_NW, targets_N, weights_N
    ):
        errors_CV = losses_of(F.linear(hidden_CW, head_VW, head_bias_V), targets_C)[1]
        of_head.add(errors_CV, hidden_CW, weights_C)
    return of_head.gradients()


def in_numbers(
    weight_VW: Tensor, bias_V: Tensor | None, dtype: torch.dtype
) -> tuple[Tensor, Tensor | None]:
    """Return the head's matrix and bias in other numbers."""
    return weight_VW.to(dtype), None if bias_V is None else bias_V.to(dtype)
