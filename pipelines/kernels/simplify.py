"""Kernel: texts as datatrove 0.10 simplifies them before it compares their words.

``simplify_text`` of ``datatrove/utils/text.py`` with its defaults, step by step: lower case;
numbers become ``0``, with one decimal separator and what follows; punctuation and white space
become single spaces; characters are decomposed (NFD) and nonspacing marks left out; spaces are cut
from the ends. Since marks are left out last, spaces round a mark alone both stay.
"""

import numpy as np

from pipelines.kernels import simplify_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes

_SPACE, _ZERO = ord(" "), ord("0")
_SIGMA, _FINAL_SIGMA = ord("Σ"), ord("ς")


def simplify_texts(texts: Codes) -> Codes:
    """Return the simplified texts, code point by code point as datatrove's on valid UTF-8.

    A byte that is not UTF-8 (`pipelines.kernels.utf8`) stays; datatrove fails on it. Linear time.
    """
    simplify = table.load_simplify_table()
    written = np.empty(_room_for(texts.codes, simplify.simple), dtype=np.int32)
    offsets = np.zeros(texts.num_texts + 1, dtype=np.int64)
    _simplify_all(*texts, *simplify, written, offsets)
    return Codes(offsets, written[: offsets[-1]])


@compiled
def _room_for(codes: np.ndarray, simple: np.ndarray) -> int:
    room = codes.size
    for code in codes:
        room += (table.MAX_PIECES - 1) * (simple[code] < 0)
    return room


@compiled
def _simplify_all(
    offsets: np.ndarray,
    codes: np.ndarray,
    classes: np.ndarray,
    simple: np.ndarray,
    pieces: np.ndarray,
    written: np.ndarray,
    ends: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        text = codes[offsets[row] : offsets[row + 1]]
        form = written[ends[row] :]
        size = _decompose(text, classes, simple, pieces, form)
        ends[row + 1] = ends[row] + _drop_marks(form, size, classes)


@compiled
def _decompose(
    text: np.ndarray,
    classes: np.ndarray,
    simple: np.ndarray,
    pieces: np.ndarray,
    form: np.ndarray,
) -> int:
    """Write the text with all but marks done, marks at its ends included; return its size."""
    size = at = 0
    after_gap = False
    while at < text.size:
        code = text[at]
        bits = classes[code]
        at += 1
        if bits & table.GAP and bits & table.DIGIT == 0:
            after_gap = size > 0
            continue
        if after_gap:
            form[size] = _SPACE
            size += 1
            after_gap = False
        if bits & table.DIGIT:
            at = _number_end(text, at, classes)
            code = _ZERO
        elif code == _SIGMA and _is_final(text, at - 1, classes):
            code = _FINAL_SIGMA
        left = simple[code]
        form[size] = left
        size += 1
        if left < 0:
            size -= 1
            for piece in pieces[-1 - left]:
                form[size] = piece
                size += piece >= 0
    return size


@compiled
def _number_end(text: np.ndarray, at: int, classes: np.ndarray) -> int:
    """Return where a number ends of which the first digit stands before ``at``."""
    while at < text.size and classes[text[at]] & table.DIGIT:
        at += 1
    if at + 1 < text.size and classes[text[at]] & table.SEPARATOR:
        after = at + 1
        while after < text.size and classes[text[after]] & table.DIGIT:
            after += 1
        at = after if after > at + 1 else at
    return at


@compiled
def _is_final(text: np.ndarray, at: int, classes: np.ndarray) -> bool:
    """Whether the capital sigma at ``at`` ends a word (Final_Sigma, Unicode chapter 3.13)."""
    before, after = at - 1, at + 1
    while before >= 0 and classes[text[before]] & table.CASE_IGNORABLE:
        before -= 1
    while after < text.size and classes[text[after]] & table.CASE_IGNORABLE:
        after += 1
    follows = before >= 0 and classes[text[before]] & table.CASED != 0
    return follows and not (after < text.size and classes[text[after]] & table.CASED)


@compiled
def _drop_marks(form: np.ndarray, size: int, classes: np.ndarray) -> int:
    """Order marks, leave nonspacing ones out and spaces at the ends; return the size left."""
    written = first_mark = 0  # of marks in a row that stay
    for at in range(size):
        code = form[at]
        bits = classes[code]
        is_mark = bits >> table.ORDER_SHIFT != 0
        if not is_mark:
            if written - first_mark > 1:
                _order_marks(form[first_mark:written], classes)
            first_mark = written
        if bits & table.NONSPACING or (code == _SPACE and written == 0):
            continue
        form[written] = code
        written += 1
        if not is_mark:
            first_mark = written
    if written - first_mark > 1:
        _order_marks(form[first_mark:written], classes)
    while written > 0 and form[written - 1] == _SPACE:
        written -= 1
    return written


@compiled
def _order_marks(marks: np.ndarray, classes: np.ndarray) -> None:
    """Sort marks by combining class, equal ones as they stood: two turns for each class there."""
    unordered = marks.copy()
    done, last = 0, 0
    while done < unordered.size:
        least = 0xFF + 1
        for code in unordered:
            order = int(classes[code] >> table.ORDER_SHIFT)
            least = order if last < order < least else least
        for code in unordered:
            if classes[code] >> table.ORDER_SHIFT == least:
                marks[done] = code
                done += 1
        last = least
