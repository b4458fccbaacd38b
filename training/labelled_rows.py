"""Rows of one document each, of those that have a label: a function of (shards, seed, step).

Stands beside `training.loader` for supervised pre-training, which reads a document's beginning, up
to the context. An epoch holds each labelled document once.

Shapes: B rows, S tokens of the longest, N documents of the shards, L columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import InputError
from training.document_labels import UNLABELLED
from training.loader import PADDING, Rows, TokenShards, check_ids, read_sums
from training.shuffle import Order


class LabelledRows:
    """Draws batches of ``batch_rows`` documents; row ids are places among all of the shards.

    A document is cut at ``context_tokens``. Raises InputError if fewer documents have a label than
    a batch takes.
    """

    def __init__(
        self,
        shards: TokenShards,
        labels_NL: NDArray[np.int64],
        context_tokens: int,
        batch_rows: int,
        seed: int,
    ):
        self.shards, self.batch_rows, self.seed = shards, batch_rows, seed
        self.context_tokens = context_tokens
        lengths = [np.diff(shard.offsets) for shard in shards.shards]
        self.lengths_N = np.concatenate([np.empty(0, np.int64), *lengths])
        self.starts = np.cumsum([0, *(len(part) for part in lengths)])
        if len(self.lengths_N) != len(labels_NL):
            raise InputError(
                f"the shards hold {len(self.lengths_N):,} documents, and {len(labels_NL):,} are "
                "labelled; pack the tokens of the same documents again"
            )
        self.chosen = np.flatnonzero((labels_NL != UNLABELLED).any(axis=1))
        if len(self.chosen) < batch_rows:
            raise InputError(
                f"{len(self.chosen):,} documents have a label, too few for one batch of "
                f"{batch_rows}; label more, or lower batch_rows"
            )
        self._order = Order(len(self.chosen), seed)

    def __call__(self, step: int) -> Rows:
        """Return the rows of a step; steps go on through as many epochs as asked for."""
        return self.rows(self.row_ids(step))

    def row_ids(self, step: int) -> NDArray[np.int64]:
        """Return the documents [B] of a step, in order."""
        first = step * self.batch_rows
        places_B = self._order.rows(np.arange(first, first + self.batch_rows, dtype=np.int64))
        return self.chosen[places_B]

    def rows(self, row_ids_B: NDArray[np.int64]) -> Rows:
        """Return documents as rows, filled up to the longest of them with `PADDING`."""
        lengths_B = self.lengths_N[row_ids_B].clip(max=self.context_tokens)
        tokens_BS = np.full((len(row_ids_B), lengths_B.max()), PADDING, dtype=np.int64)
        numbers = np.searchsorted(self.starts, row_ids_B, side="right") - 1
        for row, (document, number) in enumerate(zip(row_ids_B, numbers, strict=True)):
            shard = self.shards.shards[number]
            begin = shard.offsets[document - self.starts[number]]
            piece = shard.tokens[begin : begin + lengths_B[row]]
            check_ids(piece, self.shards.vocab_size)
            tokens_BS[row, : len(piece)] = piece
        return Rows(tokens_BS, row_ids_B)

    @property
    def num_cut(self) -> int:
        """How many of the labelled documents are longer than the context."""
        return int((self.lengths_N[self.chosen] > self.context_tokens).sum())

    def tokens_read(self, positions: Sequence[int]) -> NDArray[np.int64]:
        """Return how many tokens of documents were read, see `training.loader.read_sums`."""
        lengths_N = self.lengths_N.clip(max=self.context_tokens)
        return read_sums(lengths_N, self.row_ids, positions)
