"""What datatrove 0.10 simplifies characters to, from ``simplify_table.npz``.

Lower case and decompositions are those of Python 3.11 (Unicode 14), digits those of the library
regex, punctuation is a list of datatrove's own. Made by `tools.build_simplify_table`.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.kernels.unicode_table import NUM_CODE_POINTS

TABLE_PATH = Path(__file__).with_name("simplify_table.npz")
MAX_PIECES = 3

DIGIT = 1  # \p{Nd}
SEPARATOR = 2  # may stand once between digits of one number
GAP = 4  # white space and what datatrove makes a space of
CASED = 8  # before a final sigma; \p{Cased} without the next
CASE_IGNORABLE = 16  # between such a letter and a sigma
NONSPACING = 32  # category Mn: left out
ORDER_SHIFT = 8  # above: the canonical combining class, by which neighbouring marks are ordered


class SimplifyTable(NamedTuple):
    """The table, by code point: ``classes`` uint16, ``simple`` int32.

    ``simple`` is the one code point that lower case and decomposition leave of a character, or
    ``-1 - p`` where they leave several, those of ``pieces[p]`` (int32, ``-1`` behind the last).
    """

    classes: np.ndarray
    simple: np.ndarray
    pieces: np.ndarray


@cache
def load_simplify_table() -> SimplifyTable:
    """Read the package's table once; its arrays are read-only and about 7 MB."""
    with np.load(TABLE_PATH) as stored:
        lengths = np.diff(stored["run_starts"], append=NUM_CODE_POINTS)
        classes = np.repeat(stored["run_classes"], lengths)
        simple = np.arange(NUM_CODE_POINTS, dtype=np.int32)
        simple[stored["simple_from"]] = stored["simple_to"]
        pieces = stored["pieces"]
    classes.flags.writeable = simple.flags.writeable = pieces.flags.writeable = False
    return SimplifyTable(classes, simple, pieces)
