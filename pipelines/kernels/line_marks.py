"""Kernel: hash signs and ellipses of a text, and how the lines of ``str.splitlines`` begin and end.

Nothing is left out: blank lines count, and marks count wherever they stand.
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes
from pipelines.kernels.marks import hash_signs_and_ellipses

_RETURN, _NEWLINE, _FULL_STOP, _ELLIPSIS = ord("\r"), ord("\n"), ord("."), ord("…")
_BULLETS = (ord("•"), ord("-"))


class MarkCounts(NamedTuple):
    """Marks and lines of each text, int64."""

    hash_signs: np.ndarray
    ellipses: np.ndarray  # "..." (not overlapping) and "…"
    lines: np.ndarray
    bullets: np.ndarray  # lines whose first character that is no white space is "•" or "-"
    open_ends: np.ndarray  # lines that end with "..." or "…", white space behind it aside


def count_marks(texts: Codes) -> MarkCounts:
    """Count marks and lines of each text."""
    counts = np.zeros((texts.num_texts, len(MarkCounts._fields)), dtype=np.int64)
    _count_all(*texts, table.load_unicode_table().classes, counts)
    return MarkCounts(*counts.T)


@compiled
def _count_all(
    offsets: np.ndarray, all_codes: np.ndarray, classes: np.ndarray, counts: np.ndarray
) -> None:
    for row in range(offsets.size - 1):
        codes = all_codes[offsets[row] : offsets[row + 1]]
        counts[row, 0], counts[row, 1] = hash_signs_and_ellipses(codes)
        _count_lines(codes, classes, counts[row])


@compiled
def _count_lines(codes: np.ndarray, classes: np.ndarray, counts: np.ndarray) -> None:
    num_lines = num_bullets = num_open_ends = num_stops = 0
    blank = at_start = True
    is_open = False  # whether the line so far, trimmed, ends with an ellipsis
    for at in range(codes.size):
        code = codes[at]
        bits = classes[code]
        if bits & table.LINE_BREAK:
            is_pair = code == _NEWLINE and at > 0 and codes[at - 1] == _RETURN
            num_lines += not is_pair
            num_open_ends += is_open
            blank, at_start, is_open, num_stops = True, True, False, 0
            continue
        at_start = False
        is_space = bits & table.SPACE != 0
        num_stops = num_stops + 1 if code == _FULL_STOP else 0
        if not is_space:
            num_bullets += blank and code in _BULLETS
            is_open = num_stops >= 3 or code == _ELLIPSIS
            blank = False
    counts[2] = num_lines + (not at_start)
    counts[3], counts[4] = num_bullets, num_open_ends + is_open
