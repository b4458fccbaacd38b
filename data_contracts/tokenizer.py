"""The tokenizer as everybody but its trainer sees it: load, encode, decode.

Text and ids map to each other exactly: ``decode(encode(text)) == text`` for every text without
U+2581 (``▁``), which SentencePiece uses for the space itself and decodes as one. `LOST_CHARACTER`
names it; `pack_tokens` counts the texts that hold it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from data_contracts.errors import Damaged, InputError
from data_contracts.shards import Vocabulary

LOST_CHARACTER = "\u2581"

# One row: the model that `train_tokenizer` made.
TOKENIZERS = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),  # file name to export it under
        pa.field("digest", pa.string(), nullable=False),  # `store.identity.digest_bytes(data)`
        pa.field("data", pa.binary(), nullable=False),  # a SentencePiece ModelProto
    ]
)


class Tokenizer:
    """A SentencePiece model; may be used by many threads at once.

    Raises:
        Damaged: if ``model`` is not a SentencePiece model.
        InputError: if it has no BOS or no EOS, which every document needs.
    """

    def __init__(self, model: bytes) -> None:
        self.model = model
        self._processor = _load(model)
        if min(self._processor.bos_id(), self._processor.eos_id()) < 0:
            raise InputError(
                "the tokenizer has no BOS or no EOS, so documents cannot be told apart; use one "
                "that has both."
            )

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Its size, special ids and digest, as token shards carry them."""
        from store.identity import digest_bytes  # here, so that decoding does without BLAKE3

        processor = self._processor
        pad_id = processor.pad_id()
        return Vocabulary(
            vocab_size=processor.vocab_size(),
            bos_id=processor.bos_id(),
            eos_id=processor.eos_id(),
            pad_id=pad_id if pad_id >= 0 else None,
            tokenizer_digest=digest_bytes(self.model),
        )

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of a text, int32 [T], without BOS and EOS; an empty text has none."""
        (ids,) = self._batch([text], with_marks=False)
        return ids

    def encode_documents(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the ids of each text between BOS and EOS, int32 [T], on the calling thread's core.

        The interpreter's lock is released meanwhile.
        """
        return self._batch(list(texts), with_marks=True)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Return the text of some ids; BOS, EOS and PAD stand for nothing.

        Bytes that are not UTF-8 (a document cut in the middle of a character) become U+FFFD.

        Raises:
            IndexError: for an id outside the vocabulary.
        """
        return self._processor.decode([int(number) for number in ids])

    def piece(self, number: int) -> str:
        """Return a piece as SentencePiece shows it, spaces as ``▁`` and bytes as ``<0x0A>``."""
        return self._processor.id_to_piece(number)

    def _batch(self, texts: list[str], with_marks: bool) -> list[np.ndarray]:
        ids = self._processor.encode(
            texts, return_type="numpy", add_bos=with_marks, add_eos=with_marks, num_threads=1
        )
        return [np.asarray(row, np.int32) for row in ids]


def tokenizer_of(table: pa.Table) -> Tokenizer:
    """Return the tokenizer in a table of `TOKENIZERS`.

    Raises:
        Damaged: if the table does not hold exactly one, or its bytes are not what they were.
    """
    from store.identity import digest_bytes

    if len(table) != 1:
        raise Damaged(
            f"a tokenizer's table has {len(table)} rows, not 1; run train_tokenizer again."
        )
    (row,) = table.to_pylist()
    if digest_bytes(row["data"]) != row["digest"]:
        raise Damaged(f"{row['name']} is not as it was written; run train_tokenizer again.")
    return Tokenizer(row["data"])


def _load(model: bytes) -> Any:
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(model)
    except RuntimeError as error:
        raise Damaged(
            f"the tokenizer's {len(model)} bytes are not a SentencePiece model; run "
            f"train_tokenizer again."
        ) from error
    return processor
