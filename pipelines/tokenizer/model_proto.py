"""What a SentencePiece model says of itself: its pieces, and what it does to a text beforehand.

The Python package does not tell these things, and reads no protocol buffers without a library that
it does not install, so that the few fields are read here.
Source: ``sentencepiece_model.proto``; https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from data_contracts.errors import Damaged

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_PIECES, _TRAINER, _NORMALIZER, _SELF_TEST = 1, 2, 3, 4  # of ModelProto
_NO_NORMALISATION = bytes([_NORMALIZER << 3 | _BYTES, 4, 3 << 3, 0, 4 << 3, 0])


class PieceType(IntEnum):
    """What an id stands for."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True)
class Piece:
    """One id: its text, with ``▁`` for the space, its score and type."""

    text: str
    score: float
    type: PieceType


@dataclass(frozen=True)
class ModelSpec:
    """A model's pieces by id, and the options that decide what `encode` does.

    ``model_type`` is ``unigram``, ``bpe``, ``word`` or ``char``; ``charsmap`` is the compiled rule
    of normalisation, empty for none.
    """

    pieces: tuple[Piece, ...]
    model_type: str
    space_is_suffix: bool
    byte_fallback: bool
    charsmap: bytes
    add_dummy_prefix: bool
    remove_extra_spaces: bool
    escape_spaces: bool

    def of_type(self, *types: PieceType) -> list[str]:
        """Return the texts of the pieces of some types, in the order of ids."""
        return [piece.text for piece in self.pieces if piece.type in types]


def read_spec(model: bytes) -> ModelSpec:
    """Return what a serialised ModelProto says.

    Raises:
        Damaged: if it is none.
    """
    try:
        return _spec(model)
    except (ValueError, KeyError, IndexError, struct.error) as error:
        raise Damaged(f"the tokenizer is not a SentencePiece model ({error}).") from error


def without_normalisation(model: bytes) -> bytes:
    """Return the model, but spaces are neither removed nor added; its charsmap is untouched.

    A message that occurs twice is merged, so that the two fields can be appended. The model's own
    test samples, which loading checks, are left out: they hold for the model as it was.
    """
    kept = [model[start:end] for number, _, start, end in _spans(model) if number != _SELF_TEST]
    return b"".join(kept) + _NO_NORMALISATION


def _spec(model: bytes) -> ModelSpec:
    pieces: list[Piece] = []
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    for number, value in _fields(model):
        if number == _PIECES:
            pieces.append(_piece(_as_bytes(value)))
        elif number == _TRAINER:
            trainer.update(_fields(_as_bytes(value)))
        elif number == _NORMALIZER:
            normalizer.update(_fields(_as_bytes(value)))
    types = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}
    return ModelSpec(
        pieces=tuple(pieces),
        model_type=types[int(trainer.get(3, 1))],
        space_is_suffix=bool(trainer.get(24, 0)),
        byte_fallback=bool(trainer.get(35, 0)),
        charsmap=_as_bytes(normalizer.get(2, b"")),
        add_dummy_prefix=bool(normalizer.get(3, 1)),
        remove_extra_spaces=bool(normalizer.get(4, 1)),
        escape_spaces=bool(normalizer.get(5, 1)),
    )


def _piece(data: bytes) -> Piece:
    fields = dict(_fields(data))
    (score,) = struct.unpack("<f", _as_bytes(fields.get(2, bytes(4))))
    return Piece(_as_bytes(fields.get(1, b"")).decode(), score, PieceType(int(fields.get(3, 1))))


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a field has another type")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield each field's number and value: an integer of a varint, else its bytes."""
    for number, value, _, _ in _spans(data):
        yield number, value


def _spans(data: bytes) -> Iterator[tuple[int, int | bytes, int, int]]:
    """Yield each field's number, its value, and where it starts and ends."""
    at = 0
    while at < len(data):
        start = at
        key, at = _varint(data, at)
        kind = key & 7
        value: int | bytes
        if kind == _VARINT:
            value, at = _varint(data, at)
        elif kind in (_FIXED_64, _FIXED_32, _BYTES):
            size = 8 if kind == _FIXED_64 else 4
            if kind == _BYTES:
                size, at = _varint(data, at)
            value = data[at : at + size]
            at += size
        else:
            raise ValueError(f"a field of wire type {kind} at byte {start}")
        if at > len(data):
            raise ValueError(f"it ends within the field at byte {start}")
        yield key >> 3, value, start, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError(f"a number of more than 64 bits before byte {at}")
