"""Kernel: the words of texts with what tells facts from slips when two texts are compared.

The words are those of `pipelines.kernels.normal_words`, with the same hashes in the same order, so
shingles can be made of them. Beside each stand its class, read from the raw characters, and its
spelling; 18 bytes a word are all that `pipelines.kernels.differences` needs of a text.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes
from pipelines.kernels.english_words import (
    AGENCY_WORDS,
    COMMON_WORDS,
    DATE_WORDS,
    NEGATION_WORDS,
    NUMBER_WORDS,
    PAGE_WORDS,
)
from pipelines.kernels.hashing import HASH_START, hash_codes, hash_step
from pipelines.kernels.spelling import FIRST_DENSE, NO_SPELLING, letter_value, spell, spelled

# Bits of a word's class.
NUMBER = 1  # has a digit, or is an English word for a number
CAPITAL = 2  # begins with a capital
NEGATION = 4  # an English word that turns a sentence round
PAGE = 8  # an English word that stands around articles: copyright, share, posted
BREAK = 16  # a line or a sentence may end before it: see `marked_words`
SIGN = 32  # has neither letter nor digit: a bullet, a currency
LETTERS = 64  # has a letter
COMMON = 128  # a short English word, or one that is often met a letter away from another
LINE = 256  # a line ends before it, or it is the first word of its text
DATE = 512  # the English name of a month or a day, or its short form
AGENCY = 1024  # the name of an agency that sells news
STOP = 2048  # a full stop, an exclamation or a question mark stands before it

_GAP = table.SPACE | table.PUNCTUATION
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_LINE_FEED, _HYPHEN = np.uint32(10), np.uint32(45)
_APOSTROPHES = (np.uint32(39), np.uint32(0x2019))
_T = hash_codes([ord("t")])

_LISTS = (
    (NUMBER, NUMBER_WORDS),
    (NEGATION, NEGATION_WORDS),
    (PAGE, PAGE_WORDS),
    (COMMON, COMMON_WORDS),
    (DATE, DATE_WORDS),
    (AGENCY, AGENCY_WORDS),
)
_TABLE_BITS = 11
_TABLE_SHIFT = np.uint64(64 - _TABLE_BITS)
_TABLE_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_TABLE_MASK = np.uint64((1 << _TABLE_BITS) - 1)


class MarkedWords(NamedTuple):
    """The words of ``n`` texts: those of text ``i`` are ``offsets[i]:offsets[i + 1]``.

    ``offsets`` is int64 of length ``n + 1``; ``hashes`` uint64, as `normal_words` gives them;
    ``classes`` uint16, bits of this module; ``spellings`` uint64 (`pipelines.kernels.spelling`).
    """

    offsets: np.ndarray
    hashes: np.ndarray
    classes: np.ndarray
    spellings: np.ndarray


def marked_words(texts: Codes) -> MarkedWords:
    """Return the words of some texts' normalised forms, marked. Time is linear in the characters.

    `BREAK` marks the first word of a text, and one with a line break before it, or with a mark
    among ``. ! ? : ; … – — •`` and the full stops of Chinese and Japanese, a hyphen beside white
    space, or a word that is a `SIGN`.
    """
    unicode = table.load_unicode_table()
    offsets = np.zeros(texts.num_texts + 1, dtype=np.int64)
    room = (texts.codes.size + texts.num_texts + 1) // 2  # a word and a gap each, or a text's end
    hashes, spellings = np.empty(room, dtype=np.uint64), np.empty(room, dtype=np.uint64)
    classes = np.empty(room, dtype=np.uint16)
    _mark_all(
        *texts,
        unicode.classes,
        unicode.folded,
        *_known_words(),
        offsets,
        hashes,
        classes,
        spellings,
    )
    size = offsets[-1]
    return MarkedWords(offsets, hashes[:size], classes[:size], spellings[:size])


@cache
def _known_words() -> tuple[np.ndarray, np.ndarray]:
    """Return an open table of the listed words: hashes (0 where free) and their classes."""
    hashes = np.zeros(1 << _TABLE_BITS, dtype=np.uint64)
    classes = np.zeros(1 << _TABLE_BITS, dtype=np.uint16)
    for mark, words in _LISTS:
        for word in words.split():
            key = hash_codes(map(ord, word))
            slot = _slot_of(hashes, key)
            hashes[slot] = key
            classes[slot] |= mark
    return hashes, classes


@compiled
def _slot_of(hashes: np.ndarray, key: np.uint64) -> np.uint64:
    slot = (key * _TABLE_FACTOR) >> _TABLE_SHIFT
    while hashes[slot] != np.uint64(0) and hashes[slot] != key:
        slot = (slot + _ONE) & _TABLE_MASK
    return slot


@compiled
def _ends_sentence(code: int) -> bool:
    if code < 128:
        return code == 33 or code == 46 or code == 58 or code == 59 or code == 63
    if code < FIRST_DENSE:
        return code == 0x2013 or code == 0x2014 or code == 0x2022 or code == 0x2026
    return code == 0x3002 or code == 0xFF01 or code == 0xFF1F


@compiled
def _is_stop(code: int) -> bool:
    return code in (33, 46, 63, 0x3002, 0xFF01, 0xFF1F)


@compiled
def _mark_all(
    offsets: np.ndarray,
    codes: np.ndarray,
    char_classes: np.ndarray,
    folded: np.ndarray,
    known_hashes: np.ndarray,
    known_classes: np.ndarray,
    ends: np.ndarray,
    hashes: np.ndarray,
    classes: np.ndarray,
    spellings: np.ndarray,
) -> None:
    num_words = 0
    for row in range(offsets.size - 1):
        value, marks, letters, shift, last = HASH_START, 0, _ZERO, _ZERO, _ZERO
        inside, dense, spaced, hyphen, pause, line = False, False, False, False, True, True
        stop = False
        last_gap, quoted = _LINE_FEED, False
        for at in range(offsets[row], offsets[row + 1] + 1):  # a gap stands behind the last
            code = np.uint32(codes[at]) if at < offsets[row + 1] else _LINE_FEED
            bits = char_classes[code]
            if bits & _GAP:
                if inside:
                    if value != _T or quoted:
                        marks |= known_classes[_slot_of(known_hashes, value)]
                    is_sign = bool(marks & (LETTERS | NUMBER) == 0)
                    hashes[num_words] = value
                    spellings[num_words] = NO_SPELLING if dense else spelled(letters, shift)
                    classes[num_words] = marks | SIGN if is_sign else marks
                    num_words += 1
                    inside, spaced, hyphen, pause, line = False, False, False, is_sign, False
                    stop = False
                line |= bool(bits & table.LINE_BREAK)
                pause |= line or _ends_sentence(code)
                stop |= _is_stop(code)
                spaced |= bool(bits & table.SPACE)
                hyphen |= bool(code == _HYPHEN)
                last_gap = code
            elif bits & table.INVISIBLE == 0:
                if not inside:
                    value, inside, dense = HASH_START, True, False
                    letters, shift, last = _ZERO, _ZERO, _ZERO
                    quoted = last_gap == _APOSTROPHES[0] or last_gap == _APOSTROPHES[1]
                    marks = BREAK if pause or (spaced and hyphen) else 0
                    marks |= (LINE if line else 0) | (STOP if stop else 0)
                    marks |= CAPITAL if bits & table.UPPER else 0
                letter = folded[code]
                value = hash_step(value, letter)
                letters, shift, last = spell(letters, shift, last, letter_value(letter))
                dense |= bool(code >= FIRST_DENSE)
                marks |= (bits & table.ALPHABETIC) << 5 | (bits & table.DIGIT) >> 2
        ends[row + 1] = num_words
