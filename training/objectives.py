"""What a model is trained to do: how rows become inputs and targets, and what a mistake costs.

Stands between loader and loop. An objective is pure: the same rows give the same batch, and what is
random in it (masking) must be keyed by seed and row number, never by a running generator.

Shapes: B rows, T tokens, S = T+1, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.loader import PADDING, Rows

IGNORED = -100


@dataclass(frozen=True)
class Batch:
    """Tensors of some rows; ``targets`` is `IGNORED` where nothing is asked.

    Tokens and documents are int64 [B, T], targets [B, T] (one a token) or [B] (one a row).
    """

    tokens_BT: Tensor
    documents_BT: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.tokens_BT)

    @property
    def num_targets(self) -> int:
        """How many targets count."""
        return int((self.targets != IGNORED).sum())

    def part(self, start: int, stop: int) -> Batch:
        """Return some of the rows."""
        return Batch(
            self.tokens_BT[start:stop], self.documents_BT[start:stop], self.targets[start:stop]
        )

    def to(self, device: torch.device) -> Batch:
        """Return the same on a device."""
        tensors = (self.tokens_BT, self.documents_BT, self.targets)
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in tensors))


class Objective(Protocol):
    """What the loop needs of an objective: `Causal` here; masked and supervised come beside it."""

    def batch(self, rows: Rows) -> Batch:
        """Return inputs and targets of rows."""

    def loss_sum(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the sum over targets of their loss in nats: a float32 scalar with a gradient."""


@dataclass(frozen=True)
class Causal:
    """Predict the next token of the same document (Radford et al. 2018).

    A document begins at ``bos_id``. That id itself is never a target: it follows every end, and
    guessing it says nothing of text.
    """

    bos_id: int

    def batch(self, rows: Rows) -> Batch:
        """Return the first T tokens of each row as inputs and the last T as targets."""
        tokens_BS = torch.from_numpy(rows.tokens_BS)
        targets_BT = tokens_BS[:, 1:].clone()
        targets_BT[(targets_BT == PADDING) | (targets_BT == self.bos_id)] = IGNORED
        inputs_BT = tokens_BS[:, :-1].clamp(min=0)
        documents_BT = (inputs_BT == self.bos_id).cumsum(dim=1)
        return Batch(inputs_BT, documents_BT, targets_BT)

    def loss_sum(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the summed cross-entropy of the targets, in nats."""
        return token_losses(model, batch).sum()


def token_losses(model: nn.Module, batch: Batch) -> Tensor:
    """Return the cross-entropy of each target in nats, float32 [B, T]; 0 where ignored."""
    logits_BTV = model(batch.tokens_BT, batch.documents_BT)
    losses = F.cross_entropy(
        logits_BTV.flatten(0, 1).float(),
        batch.targets.flatten(),
        ignore_index=IGNORED,
        reduction="none",
    )
    return losses.view_as(batch.targets)
