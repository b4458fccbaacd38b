"""How far into a text a unigram model's choice for a chunk is sure to be that for the text.

SentencePiece adds scores up from the beginning of a text, in numbers of 24 binary places, and keeps
the greater of two sums. Along two divisions of a chunk of L characters it rounds at most L times
each, by at most 2**-24 of a sum's size; so that the better one stays the better while sums are
below ``lead * 2**24 / (2 * L)``. Half of that is trusted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.kernels.chunk_table import MAX_BYTES, MAX_TRUST
from pipelines.kernels.piece_table import piece_table
from pipelines.kernels.second_best import best_two
from pipelines.tokenizer.model_proto import ModelSpec, Piece, PieceType

_UNKNOWN_PENALTY = 10.0  # kUnkPenalty of unigram_model.cc
_LEAST_MAX_SCORE = float(np.finfo(np.float32).tiny)  # what the greatest score begins at there
_ROUNDINGS = 4.0 / 2**24  # for each character: two sums, and twice that to be sure
_SAME = 1e-3


class ChunkTrust:
    """Tells how far to trust chunks of a unigram model.

    ``weights`` float64 [V]: how much each id adds to the size of a text's sum of scores.
    """

    def __init__(self, spec: ModelSpec) -> None:
        normal = [piece.score for piece in spec.pieces if piece.type is PieceType.NORMAL]
        most = max([_LEAST_MAX_SCORE, *normal])
        self._unknown = min(normal, default=0.0) - _UNKNOWN_PENALTY
        scores = [_score(piece, most, self._unknown) for piece in spec.pieces]
        self._scores = np.array(scores, np.float64)
        self.weights = np.abs(self._scores)
        self._heaviest = float(max(self.weights.max(), abs(self._unknown)))
        matched = (PieceType.NORMAL, PieceType.USER_DEFINED)
        pieces = {i: p.text for i, p in enumerate(spec.pieces) if p.type in matched}
        self._table = piece_table(pieces, len(spec.pieces))

    def of(self, chunks: Sequence[bytes], ids: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Return the trust of each chunk, int64 (`pipelines.kernels.chunk_ids.emit`).

        It is 0, none, where the ids are not what is best here.
        """
        shown = [chunk.replace(b" ", b"\xe2\x96\x81") for chunk in chunks]
        ends = np.cumsum([len(chunk) for chunk in shown], dtype=np.int64)
        lengths = np.diff(ends, prepend=0)
        text = np.frombuffer(b"".join(shown), np.uint8)
        best, gaps = np.empty(ends.size), np.empty(ends.size)
        table = self._table
        best_two(text, ends - lengths, ends, *table, self._scores, self._unknown,
                 3 * MAX_BYTES, best, gaps)  # fmt: skip
        sums = np.concatenate([[0.0], np.cumsum(self._scores[ids])])
        is_same = np.abs(sums[offsets[1:]] - sums[offsets[:-1]] - best) < _SAME
        reach = gaps / (_ROUNDINGS * lengths) - lengths * self._heaviest
        trust = np.floor(np.log2(np.maximum(reach, 0.0) + 1.0)).astype(np.int64)
        return np.where(is_same, np.minimum(trust, MAX_TRUST - 1), 0)


def _score(piece: Piece, most: float, unknown: float) -> float:
    """Return what an id adds to the sum; the bytes of a character without a piece, once."""
    if piece.type is PieceType.USER_DEFINED:
        return len(piece.text.encode()) * most - 0.1
    if piece.type is PieceType.BYTE:
        return 0.0 if 0x80 <= int(piece.text[1:-1], 16) < 0xC0 else unknown
    return unknown if piece.type is PieceType.UNKNOWN else piece.score
