"""Masked pre-training: guess the hidden tokens of a document from both sides (Devlin et al. 2019).

Stands between loader and loop beside `training.objectives`, and scores held-out documents. What a
masked model loses on its targets is no likelihood of a text, so it has no bits per byte: its scores
are the loss of a guess and the share of right ones, on the same hidden tokens for every model.

Shapes: B rows, T tokens of a row, R rows of a run, N guesses, C guesses of a chunk, V vocabulary,
M tokens of some documents back to back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from data_contracts.errors import InputError
from training.config import PLAIN, LossTerms
from training.cross_entropy import chunks_of, cross_entropies
from training.heldout import DocumentRun, Losses, Scorer, document_runs, sampling_interval
from training.loader import PADDING, Rows, TokenShards
from training.masking import Masker
from training.model import Transformer
from training.objectives import IGNORED, Batch, document_numbers

SCORING_SEED = 0  # hides the same tokens from every model, whatever seed it was trained with


@dataclass(frozen=True)
class Masked:
    """Guess the tokens that a `training.masking.Masker` hides; documents do not see each other."""

    masker: Masker
    bos_id: int
    terms: LossTerms = PLAIN

    def batch(self, rows: Rows) -> Batch:
        """Return the first T tokens of each row as a model may see them, and what it must guess."""
        tokens_BT = rows.tokens_BS[:, :-1]
        documents_BT = document_numbers(rows, self.bos_id)[:, :-1]
        epochs_B = np.zeros_like(rows.row_ids_B) if rows.epochs_B is None else rows.epochs_B
        return self.hide(tokens_BT, documents_BT, rows.row_ids_B, epochs_B)

    def hide(
        self,
        tokens_BT: NDArray[np.int64],
        documents_BT: Tensor,
        row_ids_B: NDArray[np.int64],
        epochs_B: NDArray[np.int64],
    ) -> Batch:
        """Return rows with their hidden tokens; what fills them up is a document of its own.

        It is numbered above the others of its row, so that numbers only rise.
        """
        seen_BT, chosen_BT = self.masker.mask(tokens_BT, row_ids_B, epochs_B)
        targets_BT = np.where(chosen_BT, tokens_BT, IGNORED)
        padding_BT = torch.from_numpy(tokens_BT == PADDING)
        return Batch(
            torch.from_numpy(seen_BT.clip(min=0)),
            torch.where(padding_BT, documents_BT.amax(dim=1, keepdim=True) + 1, documents_BT),
            torch.from_numpy(targets_BT),
        )

    def loss_sum(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the summed cross-entropy of the guesses, in nats.

        Only the states of hidden tokens go through the head: an eighth of its work at a rate of
        15 %.
        """
        assert isinstance(model, Transformer)
        states_NW, targets_N = asked_states(model, batch)
        if not len(targets_N):
            return nothing(model, states_NW)
        losses_N = cross_entropies(
            states_NW, model.head_weight, targets_N, model.compiled, model.head_bias, self.terms
        )
        return losses_N.sum()


def nothing(model: Transformer, states_NW: Tensor) -> Tensor:
    """Return the loss of no guess: 0, of which every weight has a gradient all the same.

    Other processes have guesses, and add up their gradients with those of this one.
    """
    total = states_NW.float().sum() + 0 * model.head_weight.sum()
    return total if model.head_bias is None else total + 0 * model.head_bias.sum()


def asked_states(model: Transformer, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return what enters the head at the hidden tokens [N, W], and these tokens [N]."""
    hidden_BTW = model.hidden(batch.tokens_BT, batch.documents_BT)
    asked_BT = batch.targets != IGNORED
    return model.before_head(hidden_BTW[asked_BT]), batch.targets[asked_BT]


@dataclass(frozen=True)
class MaskedScores(Losses):
    """Losses of guesses, which are those of no text, and how many were right: [N]."""

    num_right_N: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """Share of right guesses."""
        return float(self.num_right_N.sum() / max(1, self.num_targets_N.sum()))


def score_masked(
    model: Transformer, shards: TokenShards, scorer: Scorer, masker: Masker
) -> MaskedScores:
    """Score documents of the shards, the same hidden tokens for any model.

    A document sees as much of itself as lies in the same row. Raises InputError if there is none.
    """
    runs = list(document_runs(shards, sampling_interval(shards, scorer.max_tokens)))
    if not runs:
        raise InputError("there is no held-out document to score; hold some out, or ask for none")
    objective = Masked(replace(masker, seed=SCORING_SEED), shards.bos_id)
    scored = []
    for number, run in enumerate(runs):
        scored.append(score_run(model, run, objective, scorer, number))
    nats, targets, right = (np.concatenate(parts) for parts in zip(*scored, strict=True))
    return MaskedScores(
        indexes_N=np.concatenate([run.indexes_N for run in runs]),
        nats_N=nats,
        num_targets_N=targets.astype(np.int64),
        num_right_N=right.astype(np.int64),
        num_bytes_N=np.concatenate([run.num_bytes_N for run in runs]),
    )


@torch.no_grad()
def score_run(
    model: Transformer, run: DocumentRun, objective: Masked, scorer: Scorer, number: int
) -> NDArray[np.float64]:
    """Return nats, guesses and right ones of a run's documents, [3, N documents]."""
    tokens_RT = in_rows(run.tokens_M.astype(np.int64), scorer.context_tokens)
    numbers_M = np.repeat(np.arange(len(run.lengths_N)), run.lengths_N)
    documents_RT = in_rows(numbers_M, scorer.context_tokens)
    sums = np.zeros((3, len(run.lengths_N)))
    for start in range(0, len(tokens_RT), scorer.batch_rows):
        rows = np.arange(start, min(start + scorer.batch_rows, len(tokens_RT)))
        documents_BT = torch.from_numpy(documents_RT[rows])
        runs_B = np.full_like(rows, number)  # rows of a run count from 0, as epochs do for masking
        batch = objective.hide(tokens_RT[rows], documents_BT, rows, runs_B).to(scorer.device)
        with scorer.precision.autocast(scorer.device):
            losses_N, right_N = guess(model, batch)
        of_N = batch.documents_BT[batch.targets != IGNORED].cpu().numpy()
        for sums_D, values_N in zip(
            sums, (losses_N, torch.ones_like(losses_N), right_N), strict=True
        ):
            np.add.at(sums_D, of_N, values_N.double().cpu().numpy())
    return sums


def guess(model: Transformer, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the loss of each guess in nats [N], and whether the likeliest token is right [N]."""
    states_NW, targets_N = asked_states(model, batch)
    losses, right = [], []
    for states_CW, targets_C in chunks_of(len(model.head_weight), states_NW, targets_N):
        logits_CV = F.linear(states_CW, model.head_weight, model.head_bias).float()
        losses.append(F.cross_entropy(logits_CV, targets_C, reduction="none"))
        right.append(logits_CV.argmax(dim=1) == targets_C)
    return torch.cat(losses), torch.cat(right)


def in_rows(values_M: NDArray[np.int64], context_tokens: int) -> NDArray[np.int64]:
    """Cut numbers into rows [R, T], the last one filled up with `PADDING`."""
    num_rows = -(-len(values_M) // context_tokens)
    rows_RT = np.full((num_rows, context_tokens), PADDING, dtype=np.int64)
    rows_RT.flat[: len(values_M)] = values_M
    return rows_RT
