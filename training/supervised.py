"""Supervised pre-training: name the labels of whole documents; the trunk is what is kept.

Stands beside `training.masked`. One linear head a label column reads one vector a document: the
mean of its tokens' states in an encoder, the state of its last token in a decoder. Fine-tuning
takes the trunk and draws a head of its own.

Shapes: B documents, T tokens, W width, L columns, C classes of a column, N documents of the shards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from data_contracts.errors import InputError
from training.classifier import key_of
from training.heldout import Scorer
from training.labelled_rows import LabelledRows
from training.loader import PADDING, Rows
from training.model import INIT_STD, Transformer, new_model
from training.model_config import ModelConfig
from training.objectives import IGNORED, Batch


class LabelModel(nn.Module):
    """A trunk and one head a label column."""

    def __init__(self, trunk: Transformer, nums_classes: Sequence[int]):
        super().__init__()
        self.trunk = trunk
        width = trunk.config.width
        self.heads = nn.ModuleList(nn.Linear(width, num_classes) for num_classes in nums_classes)

    @property
    def blocks(self) -> nn.ModuleList:
        """The trunk's blocks, whose matrices Muon takes."""
        return self.trunk.blocks

    def compile_parts(self) -> None:
        """Have torch compile the trunk's blocks."""
        self.trunk.compile_parts()

    def forward(self, tokens_BT: Tensor, own_BT: Tensor) -> list[Tensor]:
        """Return the logits [B, C] of each column; ``own_BT`` is 1 at a document's own tokens."""
        causal = self.trunk.config.causal
        hidden_BTW = self.trunk.hidden(tokens_BT, None if causal else own_BT)
        lengths_B = own_BT.sum(dim=1)
        if causal:
            rows_B = torch.arange(len(hidden_BTW), device=own_BT.device)
            pooled_BW = hidden_BTW[rows_B, lengths_B - 1]
        else:
            own_BT1 = own_BT.unsqueeze(2).to(hidden_BTW.dtype)
            pooled_BW = (hidden_BTW * own_BT1).sum(dim=1) / lengths_B.unsqueeze(1)
        return [head(pooled_BW) for head in self.heads]


def new_label_model(shape: ModelConfig, nums_classes: Sequence[int], seed: int) -> LabelModel:
    """Return a model with weights drawn from a seed; the trunk is that of `new_model`."""
    model = LabelModel(new_model(shape, seed), nums_classes)
    generator = torch.Generator().manual_seed(key_of("label heads", seed))
    for parameter in model.heads.parameters():
        if parameter.ndim == 2:
            nn.init.normal_(parameter, std=INIT_STD, generator=generator)
        else:
            nn.init.zeros_(parameter)
    return model


@dataclass(frozen=True)
class LabelsObjective:
    """Name each label that a document has; ``labels_NL`` are those of each row number."""

    labels_NL: NDArray[np.int64]

    def batch(self, rows: Rows) -> Batch:
        """Return the documents' tokens as inputs and their classes [B, L] as targets."""
        tokens_BT = torch.from_numpy(rows.tokens_BS)
        own_BT = (tokens_BT != PADDING).long()
        targets_BL = torch.from_numpy(self.labels_NL[rows.row_ids_B])
        return Batch(tokens_BT.clamp(min=0), own_BT, targets_BL)

    def loss_sum(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the summed cross-entropy of all labels, in nats."""
        logits = model(batch.tokens_BT, batch.documents_BT)
        losses = [
            F.cross_entropy(logits_BC.float(), targets_B, ignore_index=IGNORED, reduction="sum")
            for logits_BC, targets_B in zip(logits, batch.targets.unbind(dim=1), strict=True)
        ]
        return torch.stack(losses).sum()


@torch.no_grad()
def score_labels(
    model: LabelModel, rows: LabelledRows, objective: LabelsObjective, scorer: Scorer
) -> dict[str, float]:
    """Return loss in nats a label and accuracy on documents, about ``scorer.max_tokens`` of them.

    Raises InputError if no held-out document has a label.
    """
    documents = scored_documents(rows, scorer.max_tokens)
    nats = num_right = num_labels = 0.0
    for start in range(0, len(documents), scorer.batch_rows):
        batch = objective.batch(rows.rows(documents[start : start + scorer.batch_rows]))
        batch = batch.to(scorer.device)
        with scorer.precision.autocast(scorer.device):
            logits = model(batch.tokens_BT, batch.documents_BT)
        for logits_BC, targets_B in zip(logits, batch.targets.unbind(dim=1), strict=True):
            losses = F.cross_entropy(
                logits_BC.double(), targets_B, ignore_index=IGNORED, reduction="sum"
            )
            nats += float(losses)
            num_right += int((logits_BC.argmax(dim=1) == targets_B).sum())
            num_labels += int((targets_B != IGNORED).sum())
    return {"heldout_loss": nats / num_labels, "heldout_accuracy": num_right / num_labels}


def scored_documents(rows: LabelledRows, max_tokens: int | None) -> NDArray[np.int64]:
    """Return every k-th labelled document, the shortest first, so that little is filled up."""
    if not len(rows.chosen):
        raise InputError("no held-out document has an asked label; hold more out")
    lengths = rows.lengths_N[rows.chosen].clip(max=rows.context_tokens)
    every = 1 if max_tokens is None else max(1, -(-int(lengths.sum()) // max_tokens))
    return rows.chosen[::every][np.argsort(lengths[::every], kind="stable")]
