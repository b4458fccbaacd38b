"""The tokenizer as everybody but its trainer sees it: load, encode, decode.

Text and ids map to each other exactly, ``decode(encode(text)) == text``, with every model that has
byte fallback and does not normalise. The ids are SentencePiece's, but for U+2581, which it would
decode as a space (`data_contracts.lower_block`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from data_contracts.errors import Damaged, InputError
from data_contracts.lower_block import LOWER_BLOCK, LowerBlocks
from data_contracts.shards import Vocabulary

# How models spell the ids that training asks for by their role; all are control symbols.
ROLES = {"mask": ("<mask>", "[MASK]"), "sep": ("<sep>", "[SEP]"), "cls": ("<cls>", "[CLS]")}

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
        self._processor = load_processor(model)
        if min(self._processor.bos_id(), self._processor.eos_id()) < 0:
            raise InputError(
                "the tokenizer has no BOS or no EOS, so documents cannot be told apart; use one "
                "that has both."
            )

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Its size, special ids and digest, as token shards carry them."""
        from store.identity import digest_bytes  # here, so that decoding does without BLAKE3

        special = self.special_ids
        return Vocabulary(
            vocab_size=self._processor.vocab_size(),
            bos_id=special["bos"],
            eos_id=special["eos"],
            pad_id=special.get("pad"),
            tokenizer_digest=digest_bytes(self.model),
            mask_id=special.get("mask"),
        )

    @cached_property
    def special_ids(self) -> dict[str, int]:
        """The ids of ``unk``, ``bos``, ``eos``, ``pad``, ``mask``, ``sep``, ``cls`` that it has.

        The last three are the control symbols that `ROLES` names, in one of their spellings.
        """
        processor = self._processor
        ids = {role: getattr(processor, f"{role}_id")() for role in ("unk", "bos", "eos", "pad")}
        for role, spellings in ROLES.items():
            ids[role] = next((self.control_ids[s] for s in spellings if s in self.control_ids), -1)
        return {role: number for role, number in ids.items() if number >= 0}

    @cached_property
    def control_ids(self) -> dict[str, int]:
        """The id of each control symbol, by its text: BOS, a mask, marks of a chat.

        No text is encoded to one, even if it spells it.
        """
        numbers = list(range(self._processor.vocab_size()))
        is_control = self._processor.is_control(numbers)
        controls = [number for number in numbers if is_control[number]]
        return {self.piece(number): number for number in controls}

    @cached_property
    def lower_blocks(self) -> LowerBlocks:
        """What makes ids of texts with U+2581."""
        return LowerBlocks(self._processor)

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of a text, int32 [T], without BOS and EOS; an empty text has none.

        Raises:
            InputError: if it holds a lone surrogate, which is no character.
        """
        (ids,) = self._batch([text], with_marks=False)
        return ids

    def encode_documents(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the ids of each text between BOS and EOS, int32 [T], on the calling thread's core.

        The interpreter's lock is released meanwhile.

        Raises:
            InputError: if one holds a lone surrogate.
        """
        return self._batch(list(texts), with_marks=True)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Return the text of some ids; control symbols stand for nothing.

        Bytes that are not UTF-8 (a document cut in the middle of a character) become U+FFFD.

        Raises:
            IndexError: for an id outside the vocabulary.
        """
        numbers, size = [int(number) for number in ids], self._processor.vocab_size()
        if numbers and not 0 <= min(numbers) <= max(numbers) < size:
            outside = next(number for number in numbers if not 0 <= number < size)
            raise IndexError(f"id {outside} is outside the tokenizer's vocabulary of {size:,}")
        return self._processor.decode(numbers)

    def piece(self, number: int) -> str:
        """Return a piece as SentencePiece shows it, spaces as ``▁`` and bytes as ``<0x0A>``."""
        return self._processor.id_to_piece(number)

    @cached_property
    def is_piece(self) -> np.ndarray:
        """Which ids stand for text of their own, bool [V] (`pieces_of`)."""
        return pieces_of(self._processor)

    def _batch(self, texts: list[str], with_marks: bool) -> list[np.ndarray]:
        _check_texts(texts)
        hidden = [self.lower_blocks.hide(t) if LOWER_BLOCK in t else t for t in texts]
        found = self._processor.encode(
            hidden, return_type="numpy", add_bos=with_marks, add_eos=with_marks, num_threads=1
        )
        rows = [np.array(row, np.int32) for row in found]
        for text, ids in zip(texts, rows, strict=True):
            if LOWER_BLOCK in text:
                self.lower_blocks.restore(text, ids)
        return rows


def pieces_of(processor: Any) -> np.ndarray:
    """Return which ids of a SentencePiece processor are pieces or symbols of text, bool [V].

    Control symbols, the unknown piece, bytes and what is marked as unused are not.
    """
    numbers = list(range(processor.vocab_size()))
    others = (processor.is_control, processor.is_unknown, processor.is_byte, processor.is_unused)
    return ~np.logical_or.reduce([np.array(is_other(numbers), np.bool_) for is_other in others])


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


def _check_texts(texts: Sequence[str]) -> None:
    for number, text in enumerate(texts):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"text {number} has the lone surrogate U+{ord(text[error.start]):04X} at character "
                f"{error.start}, which has no bytes in UTF-8; replace it."
            ) from error


def load_processor(model: bytes) -> Any:
    """Return SentencePiece's processor of a model.

    Raises:
        Damaged: if it is none.
    """
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
