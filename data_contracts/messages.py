"""Schema of packed conversations: what `pack_messages` writes beside its token shards."""

from __future__ import annotations

import pyarrow as pa

from data_contracts.documents import DECISIONS

# One row per conversation: where the tokens of its samples lie, back to back, and what was asked.
ASIDE = ("messages.too_long", "messages.unanswered")  # why an exchange is in no sample

PACKED_MESSAGES = pa.schema(
    [
        *DECISIONS,  # reason: of `ASIDE`; values: tokens, and exchanges set aside by reason
        pa.field("split", pa.string(), nullable=False),  # "train" or "heldout"; also the shard
        pa.field("token_offset", pa.int64()),  # of the first BOS in the shard; null where dropped
        pa.field("num_tokens", pa.int64(), nullable=False),  # of all samples; 0 where dropped
        pa.field("num_asked", pa.int64(), nullable=False),  # tokens that a model is asked for
        pa.field("num_bytes", pa.int64(), nullable=False),  # UTF-8 bytes of what the samples say
        pa.field("num_samples", pa.int64(), nullable=False),  # documents of the shard
        pa.field("num_aside", pa.int64(), nullable=False),  # exchanges in no sample
    ]
)
