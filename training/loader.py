"""Batches of token rows as a function of (shards, seed, step): the loader has no state.

The shards' tokens stand in manifest order as one stream. Row r is the T+1 tokens from r·T, so that
each token but the first is a target exactly once an epoch; the last row is filled with `PADDING`.
Rows are drawn in an order that depends on seed and epoch alone. Any step's batch can be had at
once, so going on after a stop, or on other workers, cannot repeat, skip or reorder data.

Shapes: B rows of a batch, S = T+1 tokens of a row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import InputError
from training.shuffle import Shuffle

PADDING = -1
_SCANNED_TOKENS = 1 << 24


class TokenShard(Protocol):
    """One shard: its tokens back to back, where each document begins, and how long its text is."""

    @property
    def tokens(self) -> NDArray[np.unsignedinteger]:
        """All tokens, uint16 or int32; usually a memory map."""

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where documents begin, in tokens, and the end: [N+1]."""

    @property
    def num_bytes(self) -> NDArray[np.int64]:
        """Bytes of each document's text in UTF-8, [N]."""


class TokenShards(Protocol):
    """What training reads of a folder of shards; `data_contracts.shards.ShardSet` is one."""

    @property
    def shards(self) -> Sequence[TokenShard]:
        """The shards in the order of the index."""

    @property
    def vocab_size(self) -> int:
        """V; every id is below it."""

    @property
    def bos_id(self) -> int:
        """The id that begins every document and stands nowhere else."""

    @property
    def tokenizer_digest(self) -> str:
        """Fingerprint of the tokenizer that made the ids."""

    @property
    def num_tokens(self) -> int:
        """Tokens of all shards."""

    @property
    def num_bytes(self) -> int:
        """Bytes of text of all shards."""


@dataclass(frozen=True)
class Rows:
    """The rows of one step: ``tokens_BS`` int64, `PADDING` past the stream; their numbers [B]."""

    tokens_BS: NDArray[np.int64]
    row_ids_B: NDArray[np.int64]


class TokenStream:
    """Token arrays as one stream, cut into rows of S tokens that share one with the next row.

    Raises InputError if a row holds an id outside the vocabulary.
    """

    def __init__(self, arrays: Sequence[NDArray[np.integer]], vocab_size: int, context_tokens: int):
        self.arrays, self.vocab_size, self.context_tokens = arrays, vocab_size, context_tokens
        self.starts = np.cumsum([0, *(len(array) for array in arrays)])
        self.num_tokens = int(self.starts[-1])
        self.num_rows = max(0, -(-(self.num_tokens - 1) // context_tokens))

    def row(self, row: int) -> NDArray[np.int64]:
        """Return the tokens [S] of a row, gathered over arrays, filled up with `PADDING`."""
        start = row * self.context_tokens
        stop = start + self.context_tokens + 1
        tokens_S = np.full(stop - start, PADDING, dtype=np.int64)
        first = int(np.searchsorted(self.starts, start, side="right")) - 1
        for array, begin in zip(self.arrays[first:], self.starts[first:], strict=False):
            if begin >= stop:
                break
            piece = array[max(0, start - begin) : stop - begin]
            check_ids(piece, self.vocab_size)
            place = max(0, begin - start)
            tokens_S[place : place + len(piece)] = piece
        return tokens_S


class Loader:
    """Draws batches of ``batch_rows`` rows of ``context_tokens`` + 1 tokens.

    Raises InputError if the shards do not fill one batch, or hold an id outside the vocabulary.
    """

    def __init__(self, shards: TokenShards, context_tokens: int, batch_rows: int, seed: int):
        self.batch_rows, self.seed = batch_rows, seed
        arrays = [shard.tokens for shard in shards.shards]
        self.stream = TokenStream(arrays, shards.vocab_size, context_tokens)
        if self.stream.num_rows < batch_rows:
            raise InputError(
                f"the shards hold {self.stream.num_tokens:,} tokens, too few for one batch of "
                f"{batch_rows} rows of {context_tokens} tokens; add text or lower one of the two"
            )

    def __call__(self, step: int) -> Rows:
        """Return the rows of a step; steps go on through as many epochs as asked for."""
        row_ids_B = self.row_ids(step)
        return Rows(np.stack([self.stream.row(int(row)) for row in row_ids_B]), row_ids_B)

    def row_ids(self, step: int) -> NDArray[np.int64]:
        """Return the numbers [B] of a step's rows, in order."""
        positions_B = np.arange(self.batch_rows, dtype=np.int64) + step * self.batch_rows
        epochs_B, places_B = np.divmod(positions_B, self.stream.num_rows)
        row_ids_B = np.empty_like(places_B)
        for epoch in np.unique(epochs_B):
            here_B = epochs_B == epoch
            shuffle = Shuffle(self.stream.num_rows, self.seed, int(epoch))
            row_ids_B[here_B] = shuffle.rows(places_B[here_B])
        return row_ids_B


def check_shards(shards: TokenShards, tokenizer_digest: str | None) -> None:
    """Refuse shards of another tokenizer, or with ids that no embedding has, before training.

    Scans the first 16M tokens of each shard; `Loader` checks every row again as it reads it.
    Raises InputError.
    """
    if tokenizer_digest is not None and shards.tokenizer_digest != tokenizer_digest:
        raise InputError(
            f"the shards were made with tokenizer {shards.tokenizer_digest[:12]}, the model with "
            f"{tokenizer_digest[:12]}; tokenize the text again with the model's tokenizer"
        )
    for shard in shards.shards:
        check_ids(shard.tokens[:_SCANNED_TOKENS], shards.vocab_size)


def check_ids(tokens: NDArray[np.integer], vocab_size: int) -> None:
    """Raise InputError if an id is outside 0 … vocab_size-1."""
    if len(tokens) and not 0 <= tokens.min() <= tokens.max() < vocab_size:
        bad = tokens.max() if tokens.max() >= vocab_size else tokens.min()
        raise InputError(
            f"the shards hold the id {bad}, outside the vocabulary of {vocab_size}; "
            "write them again with their own tokenizer"
        )


def shards_fingerprint(shards: TokenShards) -> str:
    """Return 32 hex digits that change with the tokenizer, the shards' sizes, order or ends.

    Reads the first and last 4,096 tokens of each shard, not all of it; the store verifies the rest.
    """
    digest = hashlib.sha256(f"{shards.tokenizer_digest} {shards.vocab_size}".encode())
    for shard in shards.shards:
        digest.update(f" {len(shard.tokens)} {len(shard.num_bytes)} ".encode())
        for piece in (shard.tokens[:4096], shard.tokens[-4096:]):
            digest.update(np.ascontiguousarray(piece, dtype="<i4").tobytes())
    return digest.hexdigest()[:32]
