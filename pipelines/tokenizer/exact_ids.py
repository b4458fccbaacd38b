"""Ids that decode to the very text, U+2581 included: what SentencePiece would lose is spelt out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.lower_block import LOWER_BLOCK
from pipelines.tokenizer.encoder import ChunkEncoder, Encoded


def encode_exactly(
    encoder: ChunkEncoder, texts: pa.Array, *, bos: int = -1, eos: int = -1
) -> Encoded:
    """Return `ChunkEncoder.encode`'s ids, and for U+2581 those of its bytes.

    Raises:
        UsageError, InputError: as `ChunkEncoder.encode` and `LowerBlocks` do.
    """
    held = np.flatnonzero(pc.match_substring(texts, LOWER_BLOCK))
    if held.size == 0:
        return encoder.encode(texts, bos=bos, eos=eos)
    blocks = encoder.lower_blocks
    hidden = pc.replace_substring(texts, LOWER_BLOCK, blocks.stand_in)
    offsets, ids = encoder.encode(hidden, bos=bos, eos=eos)
    for row in held.tolist():
        blocks.restore(texts[row].as_py(), ids[offsets[row] : offsets[row + 1]])
    return Encoded(offsets, ids)
