"""What spaCy's English tokenizer knows, fixed by the package: classes of characters, exceptions.

``spacy_table.npz`` is made by `tools.build_spacy_table` from spaCy 3.8.18 (MIT
licence), whose rules for English lie in ``lang/punctuation.py``, ``lang/char_classes.py``,
``lang/tokenizer_exceptions.py`` and ``lang/en/``. The classes are those of its regular expressions,
asked of each code point, and of the Python that ran it (3.11, Unicode 14). A byte that is not valid
UTF-8 reads as a surrogate (`pipelines.kernels.utf8`) and is in no class; spaCy refuses such text.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

NUM_CODE_POINTS = 0x110000
TABLE_PATH = Path(__file__).with_name("spacy_table.npz")
MAX_TEXT_CHARS = 12  # of the longest exception
MAX_UNIT_CHARS = 5  # of the longest suffix behind a digit

SPACE = 1  # str.isspace
MARKED = 2  # may begin a prefix, infix or suffix, or be beside one; a chunk without is one word
PREFIX = 4  # a prefix by itself
SUFFIX = 8  # a suffix by itself
INFIX = 16  # an infix by itself: ellipses and icons
ALPHA = 32  # spaCy's ALPHA: letters of the scripts that it names
LOWER = 64  # ALPHA_LOWER: lower case, or of a script without case
UPPER = 128  # ALPHA_UPPER: upper case, or of a script without case
QUOTE = 256  # CONCAT_QUOTES
STOPPED = 512  # a full stop after it, at the end, is a suffix
WORD = 1024  # \w
DECIMAL = 2048  # \d
HOST = 4096  # may begin a label of a host's name
PUNCTUATION = 8192  # categories P*
SENTENCE_END = 16384  # punct_chars of the sentencizer
SECOND = 32768  # begins the second word of a phrase


EXCEPTIONS, PHRASES, UNITS = range(3)  # lists of the tree


class SpacyTable(NamedTuple):
    """The table: ``classes`` uint16 bits by code point, ``tree`` the lists of texts, read-only.

    `EXCEPTIONS` are the chunks that the tokenizer divides by a list: bit ``c`` of the value is set
    where a word ends after character ``c``. `PHRASES` are those of them that it looks for among
    words, with the ends of the words that affixes alone divide them into. `UNITS` are suffixes
    behind a digit: ``km``, ``US$``, ``+``. `pipelines.kernels.spacy_tree` says what a tree is.
    """

    classes: np.ndarray
    tree: np.ndarray


@cache
def load_spacy_table() -> SpacyTable:
    """Read the package's table once; it is about 2.5 MB."""
    from pipelines.kernels.spacy_tree import text_tree

    with np.load(TABLE_PATH) as stored:
        lengths = np.diff(stored["run_starts"], append=NUM_CODE_POINTS)
        classes = np.repeat(stored["run_classes"], lengths)
        texts, units = stored["exceptions"].tolist(), stored["units"].tolist()
        exceptions = dict(zip(texts, stored["splits"].tolist(), strict=True))
        phrases = dict(zip(texts, stored["phrases"].tolist(), strict=True))
    searched = {text: ends for text, ends in phrases.items() if ends}
    tree = text_tree([exceptions, searched, dict.fromkeys(units, 1)])
    classes.flags.writeable = tree.flags.writeable = False
    return SpacyTable(classes, tree)
