"""What a model is trained to do: how rows become inputs and targets, and what a mistake costs.

Stands between loader and loop. An objective is pure: the same rows give the same batch, and what is
random in it (masking) must be keyed by seed and row number, never by a running generator.

Shapes: B rows, T tokens, S = T+1, V vocabulary, N documents, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from training.config import PLAIN, LossTerms
from training.cross_entropy import cross_entropies
from training.loader import PADDING, Rows
from training.model import Transformer

IGNORED = -100


@dataclass(frozen=True)
class Batch:
    """Tensors of some rows; ``targets`` is `IGNORED` where nothing is asked.

    Tokens and documents are int64 [B, T]; targets are [B, T] (one a token), [B] (one a row) or
    [B, L] (one a row and column).
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
    """What the loop needs of an objective: `Causal` here, `training.masked.Masked` and others."""

    def batch(self, rows: Rows) -> Batch:
        """Return inputs and targets of rows."""

    def loss_sum(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the sum over targets of their loss in nats: a float32 scalar with a gradient."""


def document_numbers(rows: Rows, bos_id: int) -> Tensor:
    """Return the number of each token's document, [B, S]: the rows' own, or from each BOS on."""
    if rows.documents_BS is not None:
        return torch.from_numpy(rows.documents_BS)
    return (torch.from_numpy(rows.tokens_BS) == bos_id).cumsum(dim=1)


@dataclass(frozen=True)
class Causal:
    """Predict the next token of the same document (Radford et al. 2018).

    Documents are those that rows number, or begin at ``bos_id`` where they number none. The first
    token of one is never a target: it follows every end, and guessing it says nothing of text.
    """

    bos_id: int
    terms: LossTerms = PLAIN

    def batch(self, rows: Rows) -> Batch:
        """Return the first T tokens of each row as inputs and the last T as targets."""
        tokens_BS = torch.from_numpy(rows.tokens_BS)
        documents_BS = document_numbers(rows, self.bos_id)
        first_BT = documents_BS[:, 1:] != documents_BS[:, :-1]
        targets_BT = tokens_BS[:, 1:].clone()
        targets_BT[(targets_BT == PADDING) | first_BT] = IGNORED
        if rows.asked_BS is not None:
            targets_BT[~torch.from_numpy(rows.asked_BS[:, 1:])] = IGNORED
        return Batch(tokens_BS[:, :-1].clamp(min=0), documents_BS[:, :-1], targets_BT)

    def loss_sum(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the summed cross-entropy of the targets, in nats."""
        return token_losses(model, batch, self.terms).sum()


def token_losses(model: nn.Module, batch: Batch, terms: LossTerms = PLAIN) -> Tensor:
    """Return the cross-entropy of each target in nats, float32 [B, T]; 0 where ignored."""
    assert isinstance(model, Transformer)
    hidden_BTW = model.hidden(batch.tokens_BT, batch.documents_BT)
    losses_N = cross_entropies(
        model.before_head(hidden_BTW).flatten(0, 1),
        model.head_weight,
        batch.targets.flatten(),
        model.compiled,
        model.head_bias,
        terms,
    )
    return losses_N.view_as(batch.targets)


class Supervised:
    """Name the class of a document; rows hold one each, `PADDING` after it.

    ``labels_N`` is the class of each row number of the loader. ``documents_BT`` of a batch is 1 at
    a document's own tokens and 0 after it; the model gives logits [B, C].
    """

    def __init__(self, labels_N: NDArray[np.int64]):
        self.labels_N = torch.from_numpy(labels_N)

    def batch(self, rows: Rows) -> Batch:
        """Return all tokens of the rows as inputs and the rows' classes [B] as targets."""
        tokens_BT = torch.from_numpy(rows.tokens_BS)
        own_BT = (tokens_BT != PADDING).long()
        return Batch(tokens_BT.clamp(min=0), own_BT, self.labels_N[rows.row_ids_B])

    def loss_sum(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the summed cross-entropy of the classes, in nats."""
        logits_BC = model(batch.tokens_BT, batch.documents_BT)
        return F.cross_entropy(
            logits_BC.float(), batch.targets, ignore_index=IGNORED, reduction="sum"
        )
