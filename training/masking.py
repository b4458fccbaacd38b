"""Which tokens a masked model must guess, and what it sees in their place (Devlin et al. 2019).

Stands between the loader's rows and the masked objective. Of the tokens of text a share is chosen;
a chosen one is hidden behind the mask's id (80 %), behind a random id (10 %) or stays (10 %).
Nothing is drawn from a running generator: each draw is a hash of (seed, epoch, row, position), so a
row is masked alike in any batch, in any order and after any stop, and otherwise in each epoch.

Shapes: B rows, T tokens, V vocabulary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.shuffle import mix

MASKED_RATIO, RANDOM_RATIO = 0.8, 0.1  # of the chosen tokens; the rest stays as it is
MAX_WORD_TOKENS = 16

CONTINUES, BEGINS, SPACE = range(3)  # what a piece is within words

_STRIDE = np.uint64(0x9E3779B97F4A7C15)  # of SplitMix64's counter
_DRAWS = 3  # of each position: chosen or not, what becomes of it, which random id


@dataclass(frozen=True)
class Pieces:
    """What masking must know of a vocabulary.

    ``special_ids`` are never chosen and never stand for another. ``kinds_V`` says of each piece
    whether it continues a word, begins one or is white space: given, words are chosen whole.
    """

    mask_id: int
    special_ids: tuple[int, ...]
    kinds_V: NDArray[np.uint8] | None = None

    def fingerprint(self) -> str:
        """Return 32 hex digits of all of it."""
        digest = hashlib.sha256(repr((self.mask_id, self.special_ids)).encode())
        digest.update(b"" if self.kinds_V is None else self.kinds_V.tobytes())
        return digest.hexdigest()[:32]


@dataclass(frozen=True)
class Masker:
    """How to mask; ``rate`` is the share of text tokens that is chosen.

    Where words are chosen whole, a run without white space counts as words of at most
    `MAX_WORD_TOKENS` tokens, so that a line of base64, or of Chinese, is not one word.
    """

    vocab_size: int
    pieces: Pieces
    rate: float
    seed: int

    def mask(
        self, tokens_BT: NDArray[np.int64], row_ids_B: NDArray[np.int64], epochs_B: NDArray
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return what the model sees [B, T], and which tokens it must guess [B, T].

        A negative token fills up: it is no text, and stays.
        """
        special_V = self.specials()
        text_BT = (tokens_BT >= 0) & ~special_V[tokens_BT.clip(min=0)]
        chosen, becomes, other = draws(self.seed, epochs_B, row_ids_B, tokens_BT.shape[1])
        places_BT = np.broadcast_to(np.arange(tokens_BT.shape[1]), tokens_BT.shape)
        if self.pieces.kinds_V is not None:
            places_BT = word_begins(self.pieces.kinds_V[tokens_BT.clip(min=0)], text_BT)
        chosen = np.take_along_axis(chosen, places_BT, axis=1)
        chosen_BT = text_BT & (shares(chosen) < self.rate)
        becomes_BT = shares(becomes)
        plain_ids = np.flatnonzero(~special_V)
        random_BT = plain_ids[(other % np.uint64(len(plain_ids))).astype(np.int64)]
        seen_BT = np.where(becomes_BT < MASKED_RATIO + RANDOM_RATIO, random_BT, tokens_BT)
        seen_BT = np.where(becomes_BT < MASKED_RATIO, self.pieces.mask_id, seen_BT)
        return np.where(chosen_BT, seen_BT, tokens_BT), chosen_BT

    def specials(self) -> NDArray[np.bool_]:
        """Return which ids stand for no text, [V]."""
        special_V = np.zeros(self.vocab_size, dtype=bool)
        special_V[[self.pieces.mask_id, *self.pieces.special_ids]] = True
        return special_V


def draws(seed: int, epochs_B: NDArray, row_ids_B: NDArray, num_places: int) -> NDArray[np.uint64]:
    """Return three unrelated 64-bit draws of each place of each row, [3, B, T].

    They depend on seed, epoch, row and place alone.
    """
    key_B = mix(np.full(len(row_ids_B), seed % (1 << 64), dtype=np.uint64) + _STRIDE)
    for number_B in (epochs_B, row_ids_B):
        key_B = mix(key_B + _STRIDE + number_B.astype(np.uint64))
    counters = np.arange(_DRAWS * num_places, dtype=np.uint64).reshape(_DRAWS, 1, num_places)
    return mix(key_B[None, :, None] + (counters + np.uint64(1)) * _STRIDE)


def shares(values: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return 64-bit draws as numbers from 0 to below 1."""
    return (values >> np.uint64(11)).astype(np.float64) * 2.0**-53


def word_begins(kinds_BT: NDArray[np.uint8], text_BT: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each token the place of the first of its word, [B, T]; words end with the row."""
    after_text_BT = np.zeros_like(text_BT)
    after_text_BT[:, 1:] = text_BT[:, :-1] & (kinds_BT[:, :-1] != SPACE)
    begins_BT = ~(text_BT & after_text_BT & (kinds_BT == CONTINUES))
    places_T = np.arange(kinds_BT.shape[1])
    firsts_BT = np.maximum.accumulate(np.where(begins_BT, places_T, 0), axis=1)
    return places_T - (places_T - firsts_BT) % MAX_WORD_TOKENS


def piece_kinds(pieces: Sequence[str]) -> NDArray[np.uint8]:
    """Return what each SentencePiece piece is within words, [V].

    ``▁`` (U+2581) stands for the space before a word; a piece of white space alone is a word of its
    own, and another begins after it.
    """
    return np.array([kind_of(piece) for piece in pieces], dtype=np.uint8)


def kind_of(piece: str) -> int:
    """Return whether a piece continues a word, begins one, or is white space."""
    if not piece.replace("\u2581", " ").strip() or piece in ("<0x09>", "<0x0A>", "<0x0D>"):
        return SPACE
    return BEGINS if piece.startswith("\u2581") else CONTINUES
