"""Kernel: pieces of texts, as lines and paragraphs are, and the copies among them."""

import secrets
from typing import NamedTuple

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes
from pipelines.kernels.first_copies import copies_scratch, find_first_copies
from pipelines.kernels.hashing import hash_words

_RETURN, _NEWLINE = ord("\r"), ord("\n")


class Pieces(NamedTuple):
    """The pieces of ``n`` texts: those of text ``i`` are ``offsets[i]:offsets[i + 1]``.

    Piece ``p`` is ``codes[starts[p]:ends[p]]`` of the `Codes` that it was found in, and may be
    empty. ``offsets`` is int64, ``starts`` and ``ends`` are int32.
    """

    offsets: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


class PieceCounts(NamedTuple):
    """Pieces of each text, int64, and those of them that are equal to an earlier one."""

    pieces: np.ndarray
    chars: np.ndarray
    copies: np.ndarray
    copied_chars: np.ndarray


def count_pieces(texts: Codes, pieces: Pieces) -> PieceCounts:
    """Count the pieces of each text, and the second and later copies among them.

    Compared are 64-bit hashes (`pipelines.kernels.hashing.hash_codes`).
    """
    per_text = np.diff(pieces.offsets)
    has_others = np.repeat(per_text > 1, per_text)  # a piece alone in its text is no copy
    hashed_ends = np.where(has_others, pieces.ends, pieces.starts)
    hashes = hash_words(texts.codes, pieces.starts, hashed_ends)
    layout_seed = np.uint64(secrets.randbits(64) | 1)  # lays out a table, decides no count
    counts = np.zeros((texts.num_texts, len(PieceCounts._fields)), dtype=np.int64)
    _count_all(*pieces, hashes, layout_seed, counts)
    return PieceCounts(*counts.T)


def sum_by_text(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the sum of the values (integers or truths, one a piece) of each text, int64."""
    running = np.zeros(values.size + 1, dtype=np.int64)
    np.cumsum(values, out=running[1:])
    return running[offsets[1:]] - running[offsets[:-1]]


def lines_and_paragraphs(texts: Codes) -> tuple[Pieces, Pieces]:
    """Return the lines of ``str.splitlines``, and the paragraphs that they form.

    Lines are trimmed of white space, and blank ones left out. A paragraph is lines without a blank
    one between them: all characters from the first of its first line to the last of its last.
    """
    classes = table.load_unicode_table().classes
    room = _count_breaks(texts.codes, classes) + texts.num_texts
    starts, ends = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    opens = np.empty(room, dtype=np.bool_)
    offsets = np.zeros(texts.num_texts + 1, dtype=np.int64)
    _find_lines(*texts, classes, offsets, starts, ends, opens)
    num_lines = offsets[-1]
    starts, ends, opens = starts[:num_lines], ends[:num_lines], opens[:num_lines]
    first_lines = np.flatnonzero(opens)
    last_lines = np.append(first_lines[1:], num_lines)[: first_lines.size] - 1
    paragraphs = Pieces(
        np.searchsorted(first_lines, offsets), starts[first_lines], ends[last_lines]
    )
    return Pieces(offsets, starts, ends), paragraphs


@compiled
def _count_breaks(codes: np.ndarray, classes: np.ndarray) -> int:
    num_breaks = 0
    for code in codes:
        num_breaks += classes[code] & table.LINE_BREAK != 0
    return num_breaks


@compiled
def _find_lines(
    text_offsets: np.ndarray,
    codes: np.ndarray,
    classes: np.ndarray,
    offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    opens: np.ndarray,
) -> None:
    """Find lines that are not blank; one ``opens`` a paragraph if none stands right above it."""
    num_lines = 0
    for row in range(text_offsets.size - 1):
        inside = False
        num_breaks = 2  # since the last line that is not blank
        for at in range(text_offsets[row], text_offsets[row + 1]):
            bits = classes[codes[at]]
            if bits & table.LINE_BREAK:
                is_pair = (
                    codes[at] == _NEWLINE and at > text_offsets[row] and codes[at - 1] == _RETURN
                )
                num_breaks += not is_pair
                num_lines += inside
                inside = False
            elif bits & table.SPACE == 0:
                if not inside:
                    starts[num_lines], opens[num_lines] = at, num_breaks > 1
                    inside, num_breaks = True, 0
                ends[num_lines] = at + 1
        num_lines += inside
        offsets[row + 1] = num_lines


@compiled
def _count_all(
    offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    hashes: np.ndarray,
    layout_seed: np.uint64,
    counts: np.ndarray,
) -> None:
    most = np.int64(0)  # one type throughout: `copies_scratch` compiles once
    for row in range(offsets.size - 1):
        most = max(most, offsets[row + 1] - offsets[row])
    slots, firsts = copies_scratch(most)
    for row in range(offsets.size - 1):
        begin, end = offsets[row], offsets[row + 1]
        find_first_copies(hashes[begin:end], layout_seed, slots, firsts)
        counts[row, 0] = end - begin
        for piece in range(end - begin):
            num_chars = ends[begin + piece] - starts[begin + piece]
            is_copy = firsts[piece] != piece
            counts[row, 1] += num_chars
            counts[row, 2] += is_copy
            counts[row, 3] += is_copy * num_chars
