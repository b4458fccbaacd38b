"""Kernel: how many characters spaCy cuts from a chunk's front, back and middle.

These are its English prefixes, suffixes and infixes (``lang/punctuation.py``,
``lang/en/punctuation.py``), which it writes as regular expressions. All look at
``codes[start:end]`` alone: spaCy's look-behinds see nothing that was cut before. Time is constant,
but for runs of full stops, which are cut as a whole.
"""

import numpy as np

from pipelines.kernels import spacy_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.spacy_tree import find_text

_PLUS, _COMMA, _HYPHEN, _STOP, _DOLLAR = ord("+"), ord(","), ord("-"), ord("."), ord("$")
_ELLIPSIS, _DEGREE, _LONG_DASH = ord("…"), ord("°"), ord("—")
_A, _C, _S, _U, _SMALL_S = ord("A"), ord("C"), ord("S"), ord("U"), ord("s")
_APOSTROPHES = (ord("'"), ord("’"))
_SCALES = tuple(ord(char) for char in "FfCcKk")
_SIGNS = tuple(ord(char) for char in "+-*^")
_RELATIONS = tuple(ord(char) for char in ":<>=/")
_DASHES = tuple(ord(char) for char in "-–—~")


@compiled
def is_digit(code: int) -> bool:
    """Return whether a code point is one of ``0-9``."""
    return 48 <= code <= 57


@compiled
def prefix_chars(codes: np.ndarray, start: int, end: int, classes: np.ndarray) -> int:
    """Return the length of the prefix, 0 without one."""
    code = codes[start]
    if classes[code] & table.PREFIX:
        return 1
    if code == _STOP:
        run = _run_chars(codes, start, end, code)
        return run if run > 1 else 0
    after = codes[start + 1] if start + 1 < end else 0
    if code == _PLUS:
        return 0 if is_digit(after) else 1
    if code in (_A, _C) and after == _DOLLAR:
        return 2
    if code == _U and after == _S and start + 2 < end and codes[start + 2] == _DOLLAR:
        return 3
    return 0


@compiled
def suffix_chars(
    codes: np.ndarray, start: int, end: int, classes: np.ndarray, tree: np.ndarray
) -> int:
    """Return the length of the longest suffix, 0 without one."""
    if start == end:
        return 0
    last = codes[end - 1]
    before = codes[end - 2] if end - 2 >= start else 0
    if last == _STOP:
        return _stop_chars(codes, start, end, classes)
    if last == before == _ELLIPSIS or (last in (_S, _SMALL_S) and before in _APOSTROPHES):
        return 2
    at = end - 1
    while at > start and end - at < table.MAX_UNIT_CHARS and not is_digit(codes[at - 1]):
        at -= 1
    if at > start and is_digit(codes[at - 1]) and find_text(codes, at, end, table.UNITS, tree):
        return end - at
    return int(classes[last] & table.SUFFIX != 0)


@compiled
def _stop_chars(codes: np.ndarray, start: int, end: int, classes: np.ndarray) -> int:
    at = end - 1
    while at > start and codes[at - 1] == _STOP:
        at -= 1
    if end - at > 1:
        return end - at
    if at == start:
        return 0
    before = codes[at - 1]
    if classes[before] & table.STOPPED:
        return 1
    if at - 2 < start:
        return 0
    second = codes[at - 2]
    is_initial = classes[before] & classes[second] & table.UPPER != 0
    return int(is_initial or (second == _DEGREE and before in _SCALES))


@compiled
def infix_chars(codes: np.ndarray, start: int, at: int, end: int, classes: np.ndarray) -> int:
    """Return the length of the infix at ``at``, 0 where none begins."""
    code = codes[at]
    if classes[code] & table.INFIX:
        return 1
    after = codes[at + 1] if at + 1 < end else 0
    if code == after == _STOP:
        return _run_chars(codes, at, end, code)
    if at == start or at + 1 == end:
        return 0
    before = codes[at - 1]
    bits_before, bits_after = classes[before], classes[after]
    if code == _STOP:
        opens = bits_after & (table.UPPER | table.QUOTE) != 0
        return int(opens and bits_before & (table.LOWER | table.QUOTE) != 0)
    if code == _COMMA:
        return int(bits_before & bits_after & table.ALPHA != 0)
    if code in _SIGNS and is_digit(before) and (is_digit(after) or after == _HYPHEN):
        return 1
    if not (bits_before & table.ALPHA or is_digit(before)):
        return 0
    if code in _RELATIONS:
        return int(bits_after & table.ALPHA != 0)
    return _dash_chars(codes, at, end, classes) if code in _DASHES else 0


@compiled
def _dash_chars(codes: np.ndarray, at: int, end: int, classes: np.ndarray) -> int:
    """Return the length of the dashes at ``at`` if a letter follows: ``- -- --- – — —— ~``."""
    longest = 3 if codes[at] == _HYPHEN else 2 if codes[at] == _LONG_DASH else 1
    run = _run_chars(codes, at, min(end, at + longest), codes[at])
    return run if at + run < end and classes[codes[at + run]] & table.ALPHA else 0


@compiled
def _run_chars(codes: np.ndarray, start: int, end: int, code: int) -> int:
    at = start
    while at < end and codes[at] == code:
        at += 1
    return at - start
