"""Kernel: pieces between runs of newlines, which are the lines and paragraphs of datatrove."""

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes
from pipelines.kernels.pieces import Pieces

_NEWLINE = ord("\n")


def newline_lines(texts: Codes) -> Pieces:
    r"""Return what ``re.split(r"\n+", text)`` gives; the first and last may be empty."""
    return _split(texts, *_whole(texts), 1)


def newline_paragraphs(texts: Codes) -> Pieces:
    r"""Return what ``re.split(r"\n{2,}", text.strip())`` gives."""
    begins, ends = _whole(texts)
    _trim(texts.codes, table.load_unicode_table().classes, begins, ends)
    return _split(texts, begins, ends, 2)


def without_blank(texts: Codes, pieces: Pieces) -> Pieces:
    """Return the pieces that have something other than white space."""
    kept = np.empty(pieces.starts.size, dtype=np.bool_)
    _find_nonblank(texts.codes, table.load_unicode_table().classes, *pieces[1:], kept)
    num_before = np.append(0, np.cumsum(kept))
    return Pieces(num_before[pieces.offsets], pieces.starts[kept], pieces.ends[kept])


def _whole(texts: Codes) -> tuple[np.ndarray, np.ndarray]:
    return texts.offsets[:-1].copy(), texts.offsets[1:].copy()


def _split(texts: Codes, begins: np.ndarray, ends: np.ndarray, least: int) -> Pieces:
    room = int(np.count_nonzero(texts.codes == _NEWLINE)) // least + texts.num_texts
    piece_starts, piece_ends = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    offsets = np.zeros(texts.num_texts + 1, dtype=np.int64)
    _split_all(texts.codes, begins, ends, least, offsets, piece_starts, piece_ends)
    return Pieces(offsets, piece_starts[: offsets[-1]], piece_ends[: offsets[-1]])


@compiled
def _trim(codes: np.ndarray, classes: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> None:
    """Move both ends of each text inwards to where its white space ends."""
    for row in range(begins.size):
        begin, end = begins[row], ends[row]
        while begin < end and classes[codes[begin]] & table.SPACE:
            begin += 1
        while begin < end and classes[codes[end - 1]] & table.SPACE:
            end -= 1
        begins[row], ends[row] = begin, end


@compiled
def _split_all(
    codes: np.ndarray,
    begins: np.ndarray,
    ends: np.ndarray,
    least: int,
    offsets: np.ndarray,
    piece_starts: np.ndarray,
    piece_ends: np.ndarray,
) -> None:
    """Cut texts at runs of at least ``least`` newlines."""
    num_pieces = 0
    for row in range(begins.size):
        piece_starts[num_pieces] = begins[row]
        num_newlines = 0  # right before ``at``
        for at in range(begins[row], ends[row]):
            if codes[at] == _NEWLINE:
                num_newlines += 1
                continue
            if num_newlines >= least:
                piece_ends[num_pieces] = at - num_newlines
                num_pieces += 1
                piece_starts[num_pieces] = at
            num_newlines = 0
        if num_newlines >= least:
            piece_ends[num_pieces] = ends[row] - num_newlines
            num_pieces += 1
            piece_starts[num_pieces] = ends[row]
        piece_ends[num_pieces] = ends[row]
        num_pieces += 1
        offsets[row + 1] = num_pieces


@compiled
def _find_nonblank(
    codes: np.ndarray,
    classes: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    nonblank: np.ndarray,
) -> None:
    for piece in range(starts.size):
        at = starts[piece]
        while at < ends[piece] and classes[codes[at]] & table.SPACE:
            at += 1
        nonblank[piece] = at < ends[piece]
