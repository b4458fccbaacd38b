"""How well a model predicts held-out documents: nats for each, bits per byte over all.

Bytes are those of the text, counted when it was tokenized, so that models with other tokenizers
can be compared. Every token of a document but its first is predicted once; the end counts as one.
Where shards have a mask, what it does not ask for is read, and counts as no target.

Shapes: N documents, T tokens of a row, M tokens of some documents back to back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from data_contracts.errors import InputError
from training.loader import TokenShard, TokenShards, TokenStream
from training.metrics import bits_per_byte
from training.objectives import Causal, token_losses
from training.packing import Concat
from training.precision import Precision

_RUN_TOKENS = 1 << 16


@dataclass(frozen=True)
class Losses:
    """Loss in nats, targets and bytes of each scored document, in the order of the shards: [N].

    ``indexes_N`` are the documents' places among all of the shard set, counted from 0.
    """

    indexes_N: NDArray[np.int64]
    nats_N: NDArray[np.float64]
    num_targets_N: NDArray[np.int64]
    num_bytes_N: NDArray[np.int64]

    @property
    def loss(self) -> float:
        """Mean loss of a target in nats."""
        return float(self.nats_N.sum() / max(1, self.num_targets_N.sum()))


class DocumentScores(Losses):
    """Losses of predicted tokens, which are those of texts."""

    @property
    def bits_per_byte(self) -> float:
        """Bits per byte of all of them together."""
        return bits_per_byte(float(self.nats_N.sum()), int(self.num_bytes_N.sum()))


@dataclass(frozen=True)
class Scorer:
    """What scoring needs to know; ``max_tokens`` None scores every document.

    Otherwise every k-th document is scored, so that about that many tokens are read. ``batch_rows``
    rows of ``context_tokens`` go through the model at once.
    """

    context_tokens: int
    batch_rows: int
    precision: Precision
    device: torch.device
    max_tokens: int | None = None


def score_documents(model: nn.Module, shards: TokenShards, scorer: Scorer) -> DocumentScores:
    """Score documents of the shards; the same ones, in the same order, for any model.

    A document sees as much of its own beginning as lies in the same row. Raises InputError if there
    is none, if they do not say how many bytes they have, or an id is outside the vocabulary.
    """
    check_measurable(shards)
    runs = list(document_runs(shards, sampling_interval(shards, scorer.max_tokens)))
    if not runs:
        raise InputError("there is no held-out document to score; hold some out, or ask for none")
    return DocumentScores(
        indexes_N=np.concatenate([run.indexes_N for run in runs]),
        nats_N=np.concatenate([score_run(model, run, shards, scorer) for run in runs]),
        num_targets_N=np.concatenate([run.num_targets_N for run in runs]),
        num_bytes_N=np.concatenate([run.num_bytes_N for run in runs]),
    )


def sampling_interval(shards: TokenShards, max_tokens: int | None) -> int:
    """Return k, so that every k-th document together has about ``max_tokens`` tokens."""
    return 1 if max_tokens is None else max(1, -(-shards.num_tokens // max_tokens))


def check_measurable(shards: TokenShards) -> None:
    """Raise InputError if bits per byte cannot be told, as shards of other tools have no bytes."""
    if shards.num_tokens and not shards.num_bytes:
        raise InputError(
            "the held-out shards do not say how many bytes of text they have, so that bits per "
            "byte cannot be told; pack the held-out text with pack_tokens, or hold none out"
        )


@dataclass(frozen=True)
class DocumentRun:
    """Some whole documents of one shard, their tokens [M] back to back; what is asked for of each.

    ``asked_M`` None: all but each one's first.
    """

    tokens_M: NDArray[np.integer]
    lengths_N: NDArray[np.int64]
    num_bytes_N: NDArray[np.int64]
    indexes_N: NDArray[np.int64]
    asked_M: NDArray[np.uint8] | None = None

    @property
    def num_targets_N(self) -> NDArray[np.int64]:
        """How many tokens of each document are asked for."""
        if self.asked_M is None:
            return self.lengths_N - 1
        firsts_N = np.cumsum(self.lengths_N) - self.lengths_N
        return np.add.reduceat(self.asked_M, firsts_N, dtype=np.int64)


def document_runs(shards: TokenShards, every: int) -> Iterator[DocumentRun]:
    """Yield every so many documents, in runs of about 64 thousand tokens."""
    first = 0
    for shard in shards.shards:
        num_documents = len(shard.num_bytes)
        chosen = np.arange(-first % every, num_documents, every)
        chosen_tokens = np.cumsum(np.diff(shard.offsets)[chosen])
        cuts = np.flatnonzero(np.diff(chosen_tokens // _RUN_TOKENS)) + 1
        for part in np.split(chosen, cuts):
            if len(part):
                yield _run(shard, part, first)
        first += num_documents


def _run(shard: TokenShard, chosen: NDArray[np.int64], first: int) -> DocumentRun:
    begins, ends = shard.offsets[chosen], shard.offsets[chosen + 1]
    own = [slice(begin, end) for begin, end in zip(begins, ends, strict=True)]
    return DocumentRun(
        np.concatenate([shard.tokens[piece] for piece in own]),
        ends - begins,
        shard.num_bytes[chosen],
        first + chosen,
        None if shard.mask is None else np.concatenate([shard.mask[piece] for piece in own]),
    )


@torch.no_grad()
def score_run(
    model: nn.Module, run: DocumentRun, shards: TokenShards, scorer: Scorer
) -> NDArray[np.float64]:
    """Return the nats [N] of a run's documents."""
    stream = TokenStream([run.tokens_M], shards.vocab_size)
    offsets = np.concatenate([[0], np.cumsum(run.lengths_N)])
    plan = Concat(offsets, scorer.context_tokens)
    objective = Causal(shards.bos_id)
    losses = []
    for start in range(0, plan.num_rows, scorer.batch_rows):
        row_ids_B = np.arange(start, min(start + scorer.batch_rows, plan.num_rows))
        rows = stream.rows(plan, row_ids_B, scorer.context_tokens)
        batch = objective.batch(rows).to(scorer.device)
        with scorer.precision.autocast(scorer.device):
            losses.append(token_losses(model, batch).flatten().double().cpu().numpy())
    documents_M = np.repeat(np.arange(len(run.lengths_N)), run.lengths_N)
    nats = np.concatenate(losses)[: len(documents_M) - 1]
    if run.asked_M is not None:
        nats = nats * run.asked_M[1:]
    sums_N: NDArray[np.float64] = np.zeros(len(run.lengths_N))
    np.add.at(sums_N, documents_M[1:], nats)
    return sums_N
