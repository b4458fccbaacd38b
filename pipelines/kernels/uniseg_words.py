"""Kernel: words as Unicode divides text (UAX #29, word boundaries), as spans of code points.

The rules are those of https://www.unicode.org/reports/tr29/ (revision 45, Unicode 16.0) and their
numbers stand below; properties of characters are those of uniseg 0.10.1, and so are the answers.
"""

import numpy as np

from pipelines.kernels import word_break_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes, Words

_LETTERS = (table.ALETTER, table.HEBREW_LETTER)
_LETTER_MIDS = (table.MID_LETTER, table.MID_NUM_LET, table.SINGLE_QUOTE)
_NUMBER_MIDS = (table.MID_NUM, table.MID_NUM_LET, table.SINGLE_QUOTE)


def uniseg_words(texts: Codes) -> Words:
    """Return the stretches between word boundaries that begin with a letter, digit or number.

    That is ``str.isalnum`` of their first character; stretches of spaces and marks are left out.
    """
    offsets = np.zeros(texts.num_texts + 1, dtype=np.int64)
    starts = np.empty(texts.codes.size, dtype=np.int32)  # an ideograph is a word
    ends = np.empty(texts.codes.size, dtype=np.int32)
    _split_all(*texts, table.load_word_break_table().classes, offsets, starts, ends)
    return Words(offsets, starts[: offsets[-1]], ends[: offsets[-1]])


def _joined_pairs() -> np.ndarray:
    """Return which kinds stand together: ``[before, kind]``, bool."""
    pairs = np.zeros((table.NUM_KINDS, table.NUM_KINDS), dtype=np.bool_)
    wordlike = (*_LETTERS, table.NUMERIC)
    pairs[np.ix_(wordlike, wordlike)] = True  # WB5, WB8, WB9, WB10
    pairs[table.KATAKANA, table.KATAKANA] = True  # WB13
    connected = (*wordlike, table.KATAKANA, table.EXTEND_NUM_LET)
    pairs[connected, table.EXTEND_NUM_LET] = True  # WB13a
    pairs[table.EXTEND_NUM_LET, connected] = True  # WB13b
    pairs[table.HEBREW_LETTER, table.SINGLE_QUOTE] = True  # WB7a
    return pairs


def _joined_triples() -> np.ndarray:
    """Return which kinds a mark joins, ``[before, mark, after]``, bool."""
    triples = np.zeros((table.NUM_KINDS,) * 3, dtype=np.bool_)
    triples[np.ix_(_LETTERS, _LETTER_MIDS, _LETTERS)] = True  # WB6, WB7
    triples[table.HEBREW_LETTER, table.DOUBLE_QUOTE, table.HEBREW_LETTER] = True  # WB7b, WB7c
    triples[np.ix_((table.NUMERIC,), _NUMBER_MIDS, (table.NUMERIC,))] = True  # WB11, WB12
    return triples


_PAIRS, _TRIPLES = _joined_pairs(), _joined_triples()


@compiled
def _split_all(
    offsets: np.ndarray,
    codes: np.ndarray,
    classes: np.ndarray,
    word_offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
) -> None:
    num_words = 0
    for row in range(offsets.size - 1):
        num_words += _split(
            codes[: offsets[row + 1]],
            offsets[row],
            classes,
            starts[num_words:],
            ends[num_words:],
        )
        word_offsets[row + 1] = num_words


@compiled
def _split(
    codes: np.ndarray, begin: int, classes: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> int:
    """Write the words of ``codes[begin:]`` and return how many there are."""
    num_words = 0
    in_word = False  # the stretch that we are in begins with a letter, digit or number
    touching = table.NEWLINE  # kind of the character before, and of the last that is not EXTEND
    before = table.NEWLINE
    is_bridged = False  # the mark before joins what is on its sides
    indicators = 0  # regional indicators before, in a row
    for at in range(begin, codes.size):
        bits = classes[codes[at]]
        kind = bits & table.KIND
        is_joined = _PAIRS[before, kind] | is_bridged
        if table.MID_LETTER <= kind <= table.DOUBLE_QUOTE:
            after = at + 1
            while after < codes.size and _extends(classes[codes[after]] & table.KIND):
                after += 1
            after_kind = classes[codes[after]] & table.KIND if after < codes.size else table.NEWLINE
            is_bridged = _TRIPLES[before, kind, after_kind]
            is_joined |= is_bridged
        elif kind == table.REGIONAL_INDICATOR:
            is_joined = indicators % 2 == 1  # WB15, WB16
        if not _touch(touching, kind, bits, is_joined):
            if in_word:
                ends[num_words] = at
                num_words += 1
            in_word = bits & table.ALPHANUMERIC != 0
            starts[num_words] = at
        touching = kind
        if not _extends(kind):  # WB4
            before = kind
            is_bridged &= table.MID_LETTER <= kind <= table.DOUBLE_QUOTE
            indicators = indicators + 1 if kind == table.REGIONAL_INDICATOR else 0
    if in_word:
        ends[num_words] = codes.size
        num_words += 1
    return num_words


@compiled
def _extends(kind: int) -> bool:
    return kind == table.EXTEND or kind == table.ZWJ


@compiled
def _touch(touching: int, kind: int, bits: int, is_joined: bool) -> bool:
    """Return whether no boundary is before a character; ``is_joined`` is what WB5 to WB16 say."""
    if touching >= table.CR or kind >= table.CR:
        return touching == table.CR and kind == table.LF  # WB3, WB3a, WB3b
    if touching == table.ZWJ and bits & table.PICTOGRAPHIC:
        return True  # WB3c
    if touching == kind == table.WHITE_SPACE:
        return True  # WB3d
    return _extends(kind) or is_joined  # WB4
