"""The ids of chunks of a unigram model, and how far into a text they are sure to be the text's.

SentencePiece adds scores up from the beginning of a text, in numbers of 24 binary places, and keeps
the greater of two sums. Along two divisions of a chunk of L characters it rounds at most L times
each, by at most 2**-24 of a sum's size; so that the better one stays the better while sums are
below ``lead * 2**24 / (2 * L)``. Half of that is trusted; beyond it a chunk is searched with the
very sum before it (`pipelines.kernels.unigram_search`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sentencepiece import SentencePieceProcessor

from pipelines.kernels.chunk_table import MAX_BYTES, MAX_TRUST
from pipelines.kernels.piece_table import piece_table
from pipelines.kernels.second_best import best_two
from pipelines.kernels.unigram_search import Unigram, search_all
from pipelines.tokenizer.model_proto import ModelSpec, Piece, PieceType
from pipelines.tokenizer.new_chunks import check_length

_UNKNOWN_PENALTY = 10.0  # kUnkPenalty of unigram_model.cc
_BONUS = 0.1  # of each byte but the first of a symbol of the user's, in sentencepiece 0.2.3
_PROBE_PIECES = [48] * 64 + [40_000] * 2  # in the last two, sums begin again
_ROUNDINGS = 4.0 / 2**24  # for each character: two sums, and twice that to be sure
_SAME = 1e-3


class UnigramChunks:
    """Encodes chunks whose spaces are normalised already; ``model`` is what searches need."""

    def __init__(self, spec: ModelSpec) -> None:
        normal = [piece.score for piece in spec.pieces if piece.type is PieceType.NORMAL]
        unknown = np.float32(min(normal, default=0.0)) - np.float32(_UNKNOWN_PENALTY)
        matched = (PieceType.NORMAL, PieceType.USER_DEFINED)
        pieces = {i: p.text for i, p in enumerate(spec.pieces) if p.type in matched}
        self._probed = list(pieces), list(_within(spec.of_type(PieceType.USER_DEFINED), pieces))
        scores = np.array([_score(piece, unknown) for piece in spec.pieces], np.float64)
        heaviest = float(max(np.abs(scores).max(), abs(unknown)))
        self._most_per_byte = 1 if "\u2581" in pieces.values() or not spec.byte_fallback else 3
        self.model = Unigram(
            *piece_table(pieces, len(spec.pieces)), scores, heaviest, unknown, *_spelling(spec)
        )

    def most_ids(self, num_bytes: int) -> int:
        """Return how many ids so many bytes of text have at most."""
        return self._most_per_byte * num_bytes

    def encode(
        self, data: np.ndarray, starts: np.ndarray, ends: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of the chunks ``data[starts[m]:ends[m]]``, int32, and their offsets.

        Raises:
            InputError: if one is too long to be searched at once.
        """
        check_length(int((ends - starts).max(initial=0)))
        ids = np.empty(self.most_ids(int((ends - starts).sum())), np.int32)
        offsets = np.zeros(starts.size + 1, np.int64)
        search_all(data, starts, ends, self.model, ids, offsets)
        return ids[: offsets[-1]], offsets

    def agree_with(self, processor: SentencePieceProcessor) -> bool:
        """Return whether searches find what a processor of the same model does for made-up texts.

        How it rounds, and where sums begin again, is nothing that SentencePiece promises, and
        another version may do otherwise; two of the texts are so long that they do. The processor
        must not normalise.
        """
        draw, table = np.random.default_rng(0), self.model
        for number, num_pieces in enumerate(_PROBE_PIECES):
            few = draw.choice(self._probed[number % 2], 6)  # pieces that come again make ties
            drawn = draw.choice(few, num_pieces)
            data = np.concatenate([table.data[table.starts[n] : table.ends[n]] for n in drawn])
            ids, _ = self.encode(data, np.zeros(1, np.int64), np.array([data.size]))
            if ids.tolist() != processor.encode(data.tobytes()):
                return False
        return True

    def trusts(self, chunks: Sequence[bytes], ids: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Return the trust of each chunk, int64 (`pipelines.kernels.chunk_ids.emit_searched`).

        It is 0, none, where the ids are not what is best here.
        """
        shown = [chunk.replace(b" ", b"\xe2\x96\x81") for chunk in chunks]
        ends = np.cumsum([len(chunk) for chunk in shown], dtype=np.int64)
        lengths = np.diff(ends, prepend=0)
        text = np.frombuffer(b"".join(shown), np.uint8)
        best, gaps = np.empty(ends.size), np.empty(ends.size)
        *table, scores, heaviest, unknown, _, _ = self.model
        best_two(text, ends - lengths, ends, *table, scores, float(unknown),
                 3 * MAX_BYTES, best, gaps)  # fmt: skip
        sums = np.concatenate([[0.0], np.cumsum(scores[ids])])
        is_same = np.abs(sums[offsets[1:]] - sums[offsets[:-1]] - best) < _SAME
        reach = gaps / (_ROUNDINGS * lengths) - lengths * heaviest
        trust = np.floor(np.log2(np.maximum(reach, 0.0) + 1.0)).astype(np.int64)
        return np.where(is_same, np.minimum(trust, MAX_TRUST - 1), 0)


def _within(symbols: Sequence[str], pieces: Mapping[int, str]) -> Iterable[int]:
    """Return the ids of pieces of nothing but characters of symbols; of all, if there are none."""
    characters = set("".join(symbols))
    return [i for i, piece in pieces.items() if characters.issuperset(piece)] or pieces


def _spelling(spec: ModelSpec) -> tuple[np.ndarray, int]:
    """Return the ids of the 256 bytes and -1; or, of a model that has none, the unknown id."""
    numbers = {p.text: i for i, p in enumerate(spec.pieces) if p.type is PieceType.BYTE}
    byte_ids = np.array([numbers.get(f"<0x{byte:02X}>", -1) for byte in range(256)], np.int32)
    unknown = next(i for i, p in enumerate(spec.pieces) if p.type is PieceType.UNKNOWN)
    return byte_ids, -1 if spec.byte_fallback else unknown


def _score(piece: Piece, unknown: np.float32) -> float:
    """Return what an id adds to the sum; the bytes of a character without a piece, once."""
    if piece.type is PieceType.USER_DEFINED:
        return float(np.float32(_BONUS * (len(piece.text.encode()) - 1)))
    if piece.type is PieceType.BYTE:
        return 0.0 if 0x80 <= int(piece.text[1:-1], 16) < 0xC0 else float(unknown)
    return float(unknown) if piece.type is PieceType.UNKNOWN else piece.score
