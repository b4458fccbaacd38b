"""Batches of token rows as a function of (shards, plan, seed, step): the loader has no state.

The shards' tokens stand in manifest order as one stream, of which `training.packing` makes rows of
T+1 tokens; places that no token fills hold `PADDING`. Rows are drawn in an order that depends on
seed and epoch alone. Any step's batch can be had at once, so going on after a stop, or on other
workers, cannot repeat, skip or reorder data.

Shapes: B rows of a batch, S = T+1 tokens of a row, N documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import InputError
from training.packing import Packed, Plan, new_plan, padding_ratio
from training.shuffle import Order

PADDING = -1
_SCANNED_TOKENS = 1 << 24
_CHECKED_ROWS = 256


class TokenShard(Protocol):
    """One shard: its tokens back to back, where each document begins, and how long its text is."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def tokens(self) -> NDArray[np.unsignedinteger]:
        """All tokens, uint16 or int32; usually a memory map."""

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where documents begin, in tokens, and the end: [N+1]."""

    @property
    def num_bytes(self) -> NDArray[np.int64]:
        """Bytes of each document's text in UTF-8, [N]."""

    @property
    def mask(self) -> NDArray[np.uint8] | None:
        """0 where a token is read but never a target; None: all may be."""


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
    """The rows of one step: ``tokens_BS`` int64, `PADDING` where there is none; their numbers [B].

    ``documents_BS`` int64 numbers the documents of each row from 1 on, and what fills it up one
    above the last, so that numbers only rise (`training.tiled_attention`); None where documents are
    told apart by their BOS alone. ``asked_BS`` is False where a token is read but
    never a target; None: all may be. ``epochs_B`` is how often each row came before; None: that is
    not counted.
    """

    tokens_BS: NDArray[np.int64]
    row_ids_B: NDArray[np.int64]
    documents_BS: NDArray[np.int64] | None = None
    asked_BS: NDArray[np.bool_] | None = None
    epochs_B: NDArray[np.int64] | None = None


class TokenStream:
    """Token arrays as one stream; ``masks`` stand beside them, None where all may be asked for."""

    def __init__(
        self,
        arrays: Sequence[NDArray[np.integer]],
        vocab_size: int,
        masks: Sequence[NDArray[np.uint8] | None] = (),
    ):
        self.arrays, self.vocab_size = arrays, vocab_size
        self.masks = masks if any(mask is not None for mask in masks) else ()
        self.starts = np.cumsum([0, *(len(array) for array in arrays)])
        self.num_tokens = int(self.starts[-1])

    def read(self, start: int, tokens: NDArray[np.int64], asked: NDArray[np.bool_]) -> None:
        """Fill ``tokens`` with what stands in the stream from ``start`` on; so ``asked``."""
        stop = start + len(tokens)
        first = int(np.searchsorted(self.starts, start, side="right")) - 1
        for number in range(first, len(self.arrays)):
            begin = int(self.starts[number])
            if begin >= stop:
                break
            here = slice(max(0, start - begin), stop - begin)
            piece = self.arrays[number][here]
            place = max(0, begin - start)
            tokens[place : place + len(piece)] = piece
            mask = self.masks[number] if self.masks else None
            asked[place : place + len(piece)] = True if mask is None else mask[here]

    def rows(self, plan: Plan, row_ids_B: NDArray[np.int64], context_tokens: int) -> Rows:
        """Return some rows of a plan, the pieces of each side by side.

        Raises InputError if one holds an id outside the vocabulary.
        """
        tokens_BS = np.full((len(row_ids_B), context_tokens + 1), PADDING, np.int64)
        documents_BS = np.empty_like(tokens_BS)
        asked_BS = np.zeros(tokens_BS.shape, np.bool_)
        for row, tokens_S, documents_S, asked_S in zip(
            row_ids_B, tokens_BS, documents_BS, asked_BS, strict=True
        ):
            begin, number = 0, 0
            for number, (start, length) in enumerate(zip(*plan.pieces(row), strict=True), 1):
                own = slice(begin, begin + length)
                self.read(start, tokens_S[own], asked_S[own])
                documents_S[own] = number
                begin += length
            documents_S[begin:] = number + 1
            check_ids(tokens_S[:begin], self.vocab_size)
        return Rows(tokens_BS, row_ids_B, documents_BS, asked_BS if self.masks else None)


class Loader:
    """Draws batches of ``batch_rows`` rows of ``context_tokens`` + 1 tokens.

    ``packing`` names a plan of `training.packing`. Raises InputError if the shards do not fill one
    batch, or hold an id outside the vocabulary; UsageError if there is no such plan.
    """

    def __init__(
        self,
        shards: TokenShards,
        context_tokens: int,
        batch_rows: int,
        seed: int,
        packing: str = "concat",
    ):
        self.context_tokens, self.batch_rows, self.seed = context_tokens, batch_rows, seed
        arrays = [shard.tokens for shard in shards.shards]
        masks = [shard.mask for shard in shards.shards]
        self.stream = TokenStream(arrays, shards.vocab_size, masks)
        self.plan = new_plan(packing, stream_offsets(shards), context_tokens, seed)
        if self.plan.num_rows < batch_rows:
            raise InputError(
                f"the shards hold {self.stream.num_tokens:,} tokens, {self.plan.num_rows:,} rows, "
                f"too few for one batch of {batch_rows} rows of {context_tokens} tokens; add text "
                f"or lower one of the two"
            )
        self._order = Order(self.plan.num_rows, seed)
        if self.stream.masks:
            check_asked(self.stream, self.plan, context_tokens)

    def __call__(self, step: int) -> Rows:
        """Return the rows of a step; steps go on through as many epochs as asked for."""
        rows = self.stream.rows(self.plan, self.row_ids(step), self.context_tokens)
        return replace(rows, epochs_B=self.epochs(step))

    def epochs(self, step: int) -> NDArray[np.int64]:
        """Return the epoch [B] of each of a step's rows, counted from 0."""
        first = step * self.batch_rows
        return np.arange(first, first + self.batch_rows, dtype=np.int64) // self.plan.num_rows

    def row_ids(self, step: int) -> NDArray[np.int64]:
        """Return the numbers [B] of a step's rows, in order."""
        first = step * self.batch_rows
        return self._order.rows(np.arange(first, first + self.batch_rows, dtype=np.int64))

    def tokens_read(self, positions: Sequence[int]) -> NDArray[np.int64]:
        """Return how many tokens a model reads of the batches at some positions, see `read_sums`.

        A row's last token of T+1 is only asked for.
        """
        lengths_R = self.plan.lengths_R.clip(max=self.context_tokens)
        return read_sums(lengths_R, self.row_ids, positions)

    def facts(self) -> dict[str, float]:
        """Return how the plan fills rows, and what it leaves out: nothing but with one_per_row."""
        plan = self.plan
        cut = (plan.num_cut_documents, plan.num_cut_tokens) if isinstance(plan, Packed) else (0, 0)
        return {
            "rows_per_epoch": plan.num_rows,
            "padding_ratio": padding_ratio(plan, self.stream.num_tokens, self.context_tokens),
            "cut_documents": cut[0],
            "cut_tokens": cut[1],
        }


def read_sums(
    lengths_R: NDArray[np.int64],
    row_ids: Callable[[int], NDArray[np.int64]],
    positions: Sequence[int],
) -> NDArray[np.int64]:
    """Return how many tokens were read before each position, and after all of them: [N + 1].

    ``lengths_R`` is how many are read of each row, ``row_ids`` gives the rows of a position.
    """
    sums = [int(lengths_R[row_ids(position)].sum()) for position in positions]
    return np.cumsum([0, *sums], dtype=np.int64)


def check_asked(stream: TokenStream, plan: Plan, context_tokens: int) -> None:
    """Raise InputError if a row of a plan asks for nothing, as where a prompt fills a row."""
    for first in range(0, plan.num_rows, _CHECKED_ROWS):
        row_ids = np.arange(first, min(first + _CHECKED_ROWS, plan.num_rows))
        rows = stream.rows(plan, row_ids, context_tokens)
        assert rows.asked_BS is not None
        assert rows.documents_BS is not None
        same_BT = rows.documents_BS[:, 1:] == rows.documents_BS[:, :-1]
        nothing = np.flatnonzero(~(rows.asked_BS[:, 1:] & same_BT).any(axis=1))
        if len(nothing):
            start = int(plan.pieces(int(row_ids[nothing[0]]))[0][0])
            raise InputError(
                f"the row with token {start:,} of the shards asks for nothing: {context_tokens} "
                f"tokens of context are filled by what is only read; raise context_tokens, or pack "
                f"the conversations with max_tokens at most {context_tokens + 1}"
            )


def stream_offsets(shards: TokenShards) -> NDArray[np.int64]:
    """Return where documents begin in the stream of all shards, and its end: [N+1]."""
    parts, begin = [np.zeros(1, np.int64)], 0
    for shard in shards.shards:
        parts.append(begin + shard.offsets[1:])
        begin += len(shard.tokens)
    return np.concatenate(parts)


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


def lineage_of(shards: TokenShards, fingerprint: str) -> dict[str, Any]:
    """Return which shards, of what size, in which order, as plain values for a person."""
    return {
        "tokenizer_digest": shards.tokenizer_digest,
        "fingerprint": fingerprint,
        "shards": [
            {
                "name": shard.name,
                "num_tokens": len(shard.tokens),
                "num_documents": len(shard.num_bytes),
            }
            for shard in shards.shards
        ],
    }


def shards_fingerprint(shards: TokenShards) -> str:
    """Return 32 hex digits that change with the tokenizer and with anything that the shards hold.

    That is the order of the shards, every token, where documents begin, how long their texts are
    and what is asked for. Reads all of it, as opening shards does not, each time a run is begun or
    gone on with: about two seconds a gigabyte, or what the disk takes.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{shards.tokenizer_digest} {shards.vocab_size}".encode())
    for shard in shards.shards:
        for array in (shard.tokens, shard.offsets, shard.num_bytes, shard.mask):
            add_array(digest, array)
    return digest.hexdigest()


def add_array(digest: hashlib.blake2b, array: NDArray[Any] | None) -> None:
    """Add an array's type, length and numbers to a digest, a piece at a time."""
    if array is None:
        digest.update(b" none ")
        return
    digest.update(f" {array.dtype.str} {len(array)} ".encode())
    for start in range(0, len(array), _SCANNED_TOKENS):
        digest.update(np.ascontiguousarray(array[start : start + _SCANNED_TOKENS]).data)
