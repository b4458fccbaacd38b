"""Token shards: what one is. `pack_tokens` writes them, trainers read them.

A shard is one headerless file of tokens and its sidecars (`data_contracts.sidecars`), all made from
one vector of document lengths, so that most trainers read the same bytes::

    NAME.bin             token ids, <u2 if the vocabulary is below 65,500, else <i4
    NAME.idx             Megatron-core's index
    NAME.ds.index, NAME.ds.metadata    datatrove's and nanotron's, for a link NAME.ds to NAME.bin
    NAME.offsets.npy     int64 [D+1], where each document starts in *tokens*; the last is the end
    NAME.num_bytes.npy   int64 [D], UTF-8 bytes of each document's text (for bits per byte)
    NAME.mask            where there is one: a byte a token, 0 where it is read but not asked for
    index.json           what the numbers mean, and the shards of the folder with their digests

Every document is ``[BOS] … [EOS]``, has neither in between, and lies whole in one shard. See
`data_contracts.write_shards` and `data_contracts.open_shards`; `data_contracts.shard_index` is
about the index.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa

SMALL_VOCABULARY = 65_500  # below it, ids fit in 16 bits; Megatron's `optimal_dtype`

Dtype = Literal["<u2", "<i4"]

# One row per document: where its tokens lie, and exactly how much text they stand for.
TOKEN_DOCUMENTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),  # name of the source in the recipe
        pa.field("split", pa.string(), nullable=False),  # "train" or "heldout"
        pa.field("shard", pa.string(), nullable=False),  # name within the partition's folder
        pa.field("token_offset", pa.int64(), nullable=False),  # of BOS, in tokens of the shard
        pa.field("num_tokens", pa.int64(), nullable=False),  # BOS and EOS among them
        pa.field("num_bytes", pa.int64(), nullable=False),  # UTF-8 bytes of the text
    ]
)


@dataclass(frozen=True)
class Vocabulary:
    """What the numbers in a shard mean: the tokenizer that made them, and its special ids.

    Ids are in ``[0, vocab_size)``. ``pad_id`` and ``mask_id``, which no document holds, are None
    where the tokenizer has none.
    """

    vocab_size: int
    bos_id: int
    eos_id: int
    pad_id: int | None
    tokenizer_digest: str
    mask_id: int | None = None

    @property
    def dtype(self) -> Dtype:
        """How an id is stored."""
        return "<u2" if self.vocab_size < SMALL_VOCABULARY else "<i4"


@dataclass(frozen=True)
class Shard:
    """One opened shard.

    ``tokens``: [num_tokens] ``<u2`` or ``<i4``, a read-only memory map; ``offsets``: int64 [D+1],
    document ``i`` is ``tokens[offsets[i] : offsets[i + 1]]``; ``num_bytes``: int64 [D]. ``mask``:
    uint8 [num_tokens], 0 where a token is read but never asked for; None: all are asked for.
    """

    name: str
    tokens: np.ndarray
    offsets: np.ndarray
    num_bytes: np.ndarray
    mask: np.ndarray | None = None


@dataclass(frozen=True)
class ShardSet:
    """Shards that one tokenizer made, in the order in which they were named or listed."""

    vocabulary: Vocabulary
    shards: tuple[Shard, ...]

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return self.vocabulary.vocab_size

    @property
    def bos_id(self) -> int:
        """The id that starts every document."""
        return self.vocabulary.bos_id

    @property
    def eos_id(self) -> int:
        """The id that ends every document."""
        return self.vocabulary.eos_id

    @property
    def pad_id(self) -> int | None:
        """The id that fills rows up; no document holds it."""
        return self.vocabulary.pad_id

    @property
    def mask_id(self) -> int | None:
        """The id that stands for a token to be guessed; no document holds it."""
        return self.vocabulary.mask_id

    @property
    def tokenizer_digest(self) -> str:
        """Digest of the tokenizer's model file."""
        return self.vocabulary.tokenizer_digest

    @cached_property
    def num_tokens(self) -> int:
        """Tokens of all shards, BOS and EOS among them."""
        return sum(len(shard.tokens) for shard in self.shards)

    @cached_property
    def num_documents(self) -> int:
        """Documents of all shards."""
        return sum(len(shard.num_bytes) for shard in self.shards)

    @cached_property
    def num_bytes(self) -> int:
        """UTF-8 bytes of the texts of all shards."""
        return sum(int(shard.num_bytes.sum()) for shard in self.shards)
