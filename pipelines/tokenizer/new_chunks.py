"""The ids of chunks that no table knows yet.

Most chunks of a BPE model are merged by a compiled loop. What is rare or long is asked of
SentencePiece itself: chunks that may hold a user-defined symbol, and characters without a piece,
whose bytes or unknown ids follow rules of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sentencepiece import SentencePieceProcessor

from data_contracts.errors import InputError
from pipelines.kernels.merges import ELSEWHERE, merge_chunks
from pipelines.kernels.piece_table import piece_table
from pipelines.tokenizer.model_proto import ModelSpec, PieceType

MAX_WHOLE_BYTES = 64 << 20  # SentencePiece takes some 45 bytes of memory for each
_FEWEST_IN_BATCH = 500  # a batch starts a thread, which takes some milliseconds


class NewChunks:
    """Encodes chunks whose spaces are normalised already; ``num_asked`` counts those asked for.

    ``processor`` is of the same model, without normalisation (`without_normalisation`).
    """

    def __init__(self, processor: SentencePieceProcessor, spec: ModelSpec) -> None:
        self.num_asked = 0
        self._processor = processor
        self._can_merge = _can_merge(spec)
        pieces = {
            number: piece.text.replace("\u2581", " ")
            for number, piece in enumerate(spec.pieces)
            if self._can_merge and piece.type is PieceType.NORMAL
        }
        self._table = piece_table(pieces, len(spec.pieces))
        self._scores = np.array([piece.score for piece in spec.pieces])
        self._is_special = np.zeros(256, np.bool_)
        for symbol in spec.of_type(PieceType.USER_DEFINED):
            self._is_special[[ord(" ") if symbol[0] == "\u2581" else symbol.encode()[0]]] = True

    def encode(
        self, data: np.ndarray, starts: np.ndarray, ends: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of the chunks ``data[starts[m]:ends[m]]``, int32, and their offsets."""
        counts = np.full(starts.size, ELSEWHERE, np.int64)
        merged = np.empty(0, np.int32)
        if self._can_merge:
            merged = np.empty(int((ends - starts).sum()), np.int32)
            num_ids = merge_chunks(
                data, starts, ends, *self._table, self._scores, self._is_special, counts, merged
            )
            merged = merged[:num_ids]
        elsewhere = np.flatnonzero(counts == ELSEWHERE)
        self.num_asked += elsewhere.size
        pieces = slices(data, starts[elsewhere], ends[elsewhere])
        asked, bounds = ask(self._processor, pieces)
        counts[elsewhere] = np.diff(bounds)
        is_asked = np.zeros(starts.size, np.bool_)
        is_asked[elsewhere] = True
        ids = np.empty(merged.size + asked.size, np.int32)
        where = np.repeat(is_asked, counts)
        ids[where], ids[~where] = asked, merged
        return ids, np.concatenate([[0], np.cumsum(counts)])


def ask(processor: SentencePieceProcessor, texts: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Return SentencePiece's ids of some texts in one array, int32, and where each one's begin.

    Raises:
        InputError: if one has more than `MAX_WHOLE_BYTES`.
    """
    check_length(max(map(len, texts), default=0))
    if len(texts) < _FEWEST_IN_BATCH:
        rows = [processor.encode(text, return_type="numpy") for text in texts]
    else:
        rows = processor.encode(list(texts), num_threads=1, return_type="numpy")
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(ids) for ids in rows], out=offsets[1:])
    return np.concatenate([np.empty(0, np.int32), *rows]), offsets


def check_length(num_bytes: int) -> None:
    """Raise InputError if so many bytes are more than may be encoded at once."""
    if num_bytes > MAX_WHOLE_BYTES:
        raise InputError(
            f"a text has {num_bytes:,} bytes that cannot be cut without changing its ids, over "
            f"{MAX_WHOLE_BYTES:,}; drop such texts with a rule of the policy."
        )


def slices(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> list[bytes]:
    """Return some stretches of bytes."""
    view = data.data
    return [bytes(view[i:j]) for i, j in zip(starts.tolist(), ends.tolist(), strict=True)]


def _can_merge(spec: ModelSpec) -> bool:
    """Return whether merging by scores is all that a model does to chunks without its symbols.

    Unused pieces are taken apart again; a piece with a plain space never matches; the text of a
    control symbol stands for the symbol.
    """
    normal = set(spec.of_type(PieceType.NORMAL))
    others = spec.of_type(PieceType.CONTROL, PieceType.UNKNOWN, PieceType.BYTE)
    return (
        spec.model_type == "bpe"
        and not spec.of_type(PieceType.UNUSED)
        and normal.isdisjoint(others)
        and not any(" " in piece or not piece for piece in normal)
    )
