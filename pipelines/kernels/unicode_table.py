"""What each character is, fixed by the package and not by the Python that runs it.

One byte of class bits and one folded code point for each of the 0x110000 code points, from
``unicode_table.npz`` (made by `tools.build_unicode_table`). Kernels get both arrays as
arguments. A byte that is not valid UTF-8 reads as the surrogate ``0xDC00 + byte``, as in Python's
``surrogateescape``: it is in no class and folds to itself.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

NUM_CODE_POINTS = 0x110000
TABLE_PATH = Path(__file__).with_name("unicode_table.npz")

SPACE = 1  # splits words: str.isspace
ALPHABETIC = 2  # str.isalpha, categories L*
DIGIT = 4  # str.isdecimal, category Nd
UPPER = 8  # str.isupper
LINE_BREAK = 16  # ends a line: str.splitlines
PUNCTUATION = 32  # categories P*
SYMBOL = 64  # categories S*; with PUNCTUATION all of string.punctuation
INVISIBLE = 128  # category Cf: soft hyphen, zero-width space and joiners, direction marks


class UnicodeTable(NamedTuple):
    """The table: ``classes`` uint8 bits and ``folded`` int32 code points, both by code point."""

    classes: np.ndarray
    folded: np.ndarray
    unicode_version: str


@cache
def load_unicode_table() -> UnicodeTable:
    """Read the package's table once; its arrays are read-only and about 6 MB.

    Folding is caseless matching by single characters: ``str.casefold`` where that is one character
    (``Σ``, ``σ`` and ``ς`` become ``σ``), else ``str.lower`` where that is one, else no change
    (``ß`` stays).
    """
    return read_unicode_table(TABLE_PATH)


def read_unicode_table(path: Path) -> UnicodeTable:
    """Read a table that `tools.build_unicode_table` wrote."""
    with np.load(path) as stored:
        lengths = np.diff(stored["run_starts"], append=NUM_CODE_POINTS)
        classes = np.repeat(stored["run_classes"], lengths)
        folded = np.arange(NUM_CODE_POINTS, dtype=np.int32)
        folded[stored["fold_from"]] = stored["fold_to"]
        version = str(stored["unicode_version"])
    classes.flags.writeable = folded.flags.writeable = False
    return UnicodeTable(classes, folded, version)
