"""Where words may end, by character: Unicode's Word_Break property, fixed by the package.

One byte for each of the 0x110000 code points, from ``word_break_table.npz`` (made by
`tools.build_word_break_table`): a kind in the low bits, and two marks.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.kernels.unicode_table import NUM_CODE_POINTS

TABLE_PATH = Path(__file__).with_name("word_break_table.npz")

# Kinds: the property's values (UAX #29, table 3); Format and Extend, which no rule tells apart,
# are one. Kinds are numbers so that those which a rule names together stand together.
OTHER, WHITE_SPACE, REGIONAL_INDICATOR, KATAKANA, ALETTER, HEBREW_LETTER = range(6)
NUMERIC, EXTEND_NUM_LET = 6, 7
MID_LETTER, MID_NUM, MID_NUM_LET, SINGLE_QUOTE, DOUBLE_QUOTE = range(8, 13)  # with a character on
EXTEND, ZWJ = 13, 14  # part of what they follow
CR, LF, NEWLINE = 15, 16, 17  # always alone
NUM_KINDS = 18

KIND = 31  # mask of the kind
PICTOGRAPHIC = 32  # Extended_Pictographic
ALPHANUMERIC = 64  # str.isalnum

KIND_OF_NAME = {
    "Other": OTHER,
    "WSegSpace": WHITE_SPACE,
    "Regional_Indicator": REGIONAL_INDICATOR,
    "Katakana": KATAKANA,
    "ALetter": ALETTER,
    "Hebrew_Letter": HEBREW_LETTER,
    "Numeric": NUMERIC,
    "ExtendNumLet": EXTEND_NUM_LET,
    "MidLetter": MID_LETTER,
    "MidNum": MID_NUM,
    "MidNumLet": MID_NUM_LET,
    "Single_Quote": SINGLE_QUOTE,
    "Double_Quote": DOUBLE_QUOTE,
    "Extend": EXTEND,
    "Format": EXTEND,
    "ZWJ": ZWJ,
    "CR": CR,
    "LF": LF,
    "Newline": NEWLINE,
}


class WordBreakTable(NamedTuple):
    """The table: ``classes`` uint8 by code point, and where it was taken from."""

    classes: np.ndarray
    source: str


@cache
def load_word_break_table() -> WordBreakTable:
    """Read the package's table once; its array is read-only and 1.1 MB."""
    return read_word_break_table(TABLE_PATH)


def read_word_break_table(path: Path) -> WordBreakTable:
    """Read a table that `tools.build_word_break_table` wrote."""
    with np.load(path) as stored:
        lengths = np.diff(stored["run_starts"], append=NUM_CODE_POINTS)
        classes = np.repeat(stored["run_classes"], lengths)
        source = str(stored["source"])
    classes.flags.writeable = False
    return WordBreakTable(classes, source)
