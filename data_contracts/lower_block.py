"""U+2581 (``▁``) in texts, which SentencePiece would take for a space and decode as one.

It is spelt in its three bytes, as is any character without a piece; every SentencePiece decoder
turns them back into it. SentencePiece gives these ids to a character that stands in no piece: such
a one takes the place of U+2581 in the text, and its bytes are exchanged in the ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from data_contracts.errors import InputError

LOWER_BLOCK = "\u2581"

_CANDIDATES = range(0xE000, 0xF900)  # for private use, three bytes each


class LowerBlocks:
    """Exchanges U+2581 for ``stand_in`` in texts, and back in their ids.

    In a model without byte fallback both are the unknown piece.

    Raises:
        InputError: if every character for private use stands in a piece of the model.
    """

    def __init__(self, processor: Any) -> None:
        numbers = list(range(processor.vocab_size()))
        known = set("".join(processor.id_to_piece(numbers)))
        free = (chr(code) for code in _CANDIDATES if chr(code) not in known)
        self.stand_in = next(free, "")
        if not self.stand_in:
            raise InputError(
                "the tokenizer has pieces for all characters for private use, so that U+2581 "
                "cannot be told from a space; use another, or drop texts that hold U+2581."
            )
        self._theirs = _byte_ids(processor, self.stand_in)
        self._ours = _byte_ids(processor, LOWER_BLOCK)

    def hide(self, text: str) -> str:
        """Return the text with the stand-in for each U+2581."""
        return text.replace(LOWER_BLOCK, self.stand_in)

    def restore(self, text: str, ids: np.ndarray) -> None:
        """Change the ids of ``hide(text)``, an array of integers, into those of ``text``.

        Raises:
            InputError: if the model does not spell the stand-in in bytes, since it normalises.
        """
        if not self._theirs:
            return
        data = np.frombuffer(text.encode(), np.uint8)
        ours, theirs = (_starts(data, list(c.encode())) for c in (LOWER_BLOCK, self.stand_in))
        is_ours = ours[ours | theirs]
        found = np.flatnonzero(_starts(ids, self._theirs))
        if found.size != is_ours.size:
            raise InputError(
                "the tokenizer changes characters before it encodes them, U+2581 among them; drop "
                "texts that hold it with a rule of the policy."
            )
        for place, number in enumerate(self._ours):
            ids[found[is_ours] + place] = number


def encode_prompt(processor: Any, text: str) -> list[int]:
    """Return the ids of a text of a SentencePiece processor, as token shards hold them.

    Raises:
        InputError: as `LowerBlocks` does.
    """
    if LOWER_BLOCK not in text:
        return [int(number) for number in processor.encode(text)]
    blocks = LowerBlocks(processor)
    ids = np.array(processor.encode(blocks.hide(text)))
    blocks.restore(text, ids)
    return [int(number) for number in ids]


def _byte_ids(processor: Any, character: str) -> list[int]:
    """Return the ids of a character's bytes, or none if one has none."""
    ids = [processor.piece_to_id(f"<0x{byte:02X}>") for byte in character.encode()]
    return ids if all(processor.is_byte(ids)) else []


def _starts(values: np.ndarray, three: Sequence[int]) -> np.ndarray:
    """Return where three values stand in a row, bool, two shorter than the values."""
    mask = values[:-2] == three[0]
    mask &= values[1:-1] == three[1]
    mask &= values[2:] == three[2]
    return mask
