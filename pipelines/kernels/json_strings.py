"""Kernel: strings of JSON, unescaped, with marks of what their characters are."""

import unicodedata
from functools import cache

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.utf8 import encode_char, read_char

IS_UNCLEAN, IS_VISIBLE = 1, 2  # marks: holds what may need cleaning; holds more than white space
_IS_PLAIN = 4

_QUOTE, _BACKSLASH, _SLASH, _SPACE, _NEWLINE = (ord(char) for char in '"\\/ \n')
_BACKSPACE, _TAB, _FORM_FEED, _RETURN = (ord(char) for char in "\b\t\f\r")
_LETTER_A, _LETTER_B, _LETTER_F, _LETTER_N, _LETTER_R, _LETTER_T, _LETTER_U = map(ord, "abfnrtu")
_ZERO, _NINE = ord("0"), ord("9")

# Marks of the bytes that stand for themselves in a string, 0 for all others.
_BYTE_KINDS = np.zeros(256, dtype=np.uint8)
_BYTE_KINDS[0x20:0x80] = _IS_PLAIN | IS_VISIBLE
_BYTE_KINDS[_SPACE] = _IS_PLAIN
_BYTE_KINDS[[_QUOTE, _BACKSLASH]] = 0

# Of an index that is never negative, numba looks for no turn: a third of the time of a copy.
_index = np.uint64


@cache
def char_kinds() -> np.ndarray:
    """Return the marks of a text that holds a character of the basic plane, uint8.

    Clean is what is no control but tab and newline, no byte order mark, and neither changed by
    normalising (NFC) nor joined to what stands before it, nor moved (UAX #15, quick check).
    """
    kinds = np.full(0x10000, IS_UNCLEAN, dtype=np.uint8)
    for code in (ord("\t"), ord("\n"), *range(0x20, 0xD800), *range(0xE000, 0x10000)):
        char = chr(code)
        if not unicodedata.combining(char) and unicodedata.is_normalized("NFC", char):
            kinds[code] = 0 if char.isspace() else IS_VISIBLE
    for code in range(0x10000):  # no other plane has what joins one of this
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            kinds[int(parts[1], 16)] |= IS_UNCLEAN
    for code in (0xFEFF, *range(0x1161, 0x1176), *range(0x11A8, 0x11C3)):  # joined to Hangul
        kinds[code] |= IS_UNCLEAN
    kinds.flags.writeable = False
    return kinds


@compiled
def copy_string(
    data: np.ndarray, at: int, values: np.ndarray, to: int, kinds: np.ndarray
) -> tuple[int, int, int]:
    """Unescape a string whose content begins at ``at``, as UTF-8.

    Return where it ends, -1 if it is odd, where its copy ends, its marks.
    """
    marks = 0
    while True:
        byte = data[_index(at)]
        kind = _BYTE_KINDS[byte]
        if kind:
            values[_index(to)] = byte
            marks |= kind
            at, to = at + 1, to + 1
            continue
        if byte == _QUOTE:
            return at + 1, to, marks
        if byte < _SPACE:
            return -1, to, 0
        code, at = _escaped(data, at + 1) if byte == _BACKSLASH else read_char(data, at)
        if code < 0 or 0xD800 <= code < 0xE000:
            return -1, to, 0
        marks |= kinds[code] if code < 0x10000 else IS_UNCLEAN
        to = encode_char(code, values, to)


@compiled
def skip_name(data: np.ndarray, at: int) -> int:
    """Return where a string without escapes and controls ends, -1 if there is none."""
    if data[at] != _QUOTE:
        return -1
    at += 1
    while data[at] != _QUOTE:
        if data[at] < _SPACE or data[at] == _BACKSLASH:
            return -1
        at += 1
    return at + 1


@compiled
def skip_string(data: np.ndarray, at: int) -> int:
    """Return where a string ends whose content begins at ``at``, -1 if not in its line."""
    while data[at] != _QUOTE:
        if data[at] == _BACKSLASH:
            at += 1
        if data[at] == _NEWLINE:
            return -1
        at += 1
    return at + 1


@compiled
def _escaped(data: np.ndarray, at: int) -> tuple[int, int]:
    """Return the character that an escape stands for, -1 if it is none, and where it ends."""
    byte = data[at]
    if byte == _LETTER_U:
        high = _four_digits(data, at + 1)
        if high & 0xFC00 == 0xD800 and data[at + 5] == _BACKSLASH and data[at + 6] == _LETTER_U:
            low = _four_digits(data, at + 7)
            if low & 0xFC00 == 0xDC00:
                return 0x10000 + ((high & 0x3FF) << 10 | (low & 0x3FF)), at + 11
        return high, at + 5
    if byte in (_QUOTE, _BACKSLASH, _SLASH):
        return int(byte), at + 1
    if byte == _LETTER_N:
        return _NEWLINE, at + 1
    if byte == _LETTER_T:
        return _TAB, at + 1
    if byte == _LETTER_R:
        return _RETURN, at + 1
    if byte == _LETTER_B:
        return _BACKSPACE, at + 1
    if byte == _LETTER_F:
        return _FORM_FEED, at + 1
    return -1, at


@compiled
def _four_digits(data: np.ndarray, at: int) -> int:
    """Return the number of four hexadecimal digits, -1 if one of them is none."""
    value = 0
    for place in range(at, at + 4):
        digit = _digit(data[place])
        if digit < 0:
            return -1
        value = value << 4 | digit
    return value


@compiled
def _digit(byte: int) -> int:
    if _ZERO <= byte <= _NINE:
        return int(byte) - _ZERO
    byte = int(byte) | 0x20
    return byte - _LETTER_A + 10 if _LETTER_A <= byte <= _LETTER_F else -1
