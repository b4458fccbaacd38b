"""Kernel: whether a chunk is a URL or a host's name for spaCy.

It is the regular expression of ``lang/tokenizer_exceptions.py`` (after Diego Perini's): an optional
scheme, an optional user and ``@``, then an address of four numbers that is not private, or labels
and a top-level domain, and an optional port and rest. The user may hold anything, ``@`` and ``:``
too, so the host may begin after each ``@``; but a host holds no ``@``, so every character is read
a fixed number of times.
"""

import numpy as np

from pipelines.kernels import spacy_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.spacy_affixes import is_digit

_AT, _COLON, _HYPHEN, _PLUS = ord("@"), ord(":"), ord("-"), ord("+")
_SLASH, _STOP, _UNDERSCORE = ord("/"), ord("."), ord("_")
_RESTS = tuple(ord(char) for char in "/?#")
_ZERO = ord("0")
_MAX_LABEL_CHARS = 64
_MAX_DOMAIN_CHARS = 63


@compiled
def is_url(codes: np.ndarray, start: int, end: int, classes: np.ndarray) -> bool:
    """Return whether all of ``codes[start:end]`` is a URL."""
    stop = start
    while stop < end and codes[stop] != _STOP:
        stop += 1
    if stop == end:
        return False
    if _is_host(codes, start, end, classes):
        return True
    at = start
    while at < end and _in_scheme(codes[at], classes[codes[at]]):
        at += 1
    if at - start > 1 and at + 2 < end and codes[at] == _COLON:
        has_slashes = codes[at + 1] == _SLASH and codes[at + 2] == _SLASH
        if has_slashes and _is_host(codes, at + 3, end, classes):
            return True
    for at in range(start + 1, end):
        if codes[at] == _AT and _is_host(codes, at + 1, end, classes):
            return True
    return False


@compiled
def _in_scheme(code: int, bits: int) -> bool:
    return bits & table.WORD != 0 or code in (_PLUS, _HYPHEN, _STOP)


@compiled
def _is_host(codes: np.ndarray, start: int, end: int, classes: np.ndarray) -> bool:
    return _is_name(codes, start, end, classes) or _is_address(codes, start, end, classes)


@compiled
def _is_name(codes: np.ndarray, start: int, end: int, classes: np.ndarray) -> bool:
    """Return whether labels and a top-level domain stand here, and then a port and a rest."""
    label = start
    at = start
    while at < end:
        code = codes[at]
        if code == _STOP:
            if not _is_label(codes, label, at, classes):
                return False
            label = at + 1
        elif not (classes[code] & (table.HOST | table.LOWER) or code in (_HYPHEN, _UNDERSCORE)):
            break
        at += 1
    if label == start or not 2 <= at - label <= _MAX_DOMAIN_CHARS:
        return False
    for char in range(label, at):
        if classes[codes[char]] & table.LOWER == 0:
            return False
    return _ends_url(codes, at, end, classes)


@compiled
def _is_label(codes: np.ndarray, start: int, end: int, classes: np.ndarray) -> bool:
    if not 1 <= end - start <= _MAX_LABEL_CHARS:
        return False
    for at in range(start, end):
        is_inner = start < at < end - 1 and codes[at] in (_HYPHEN, _UNDERSCORE)
        if not (is_inner or classes[codes[at]] & table.HOST):
            return False
    return True


@compiled
def _ends_url(codes: np.ndarray, at: int, end: int, classes: np.ndarray) -> bool:
    """Return whether only a port of two to five digits is left, and what ``/?#`` begins."""
    if at < end and codes[at] == _COLON:
        first = at + 1
        at = first
        while at < end and at - first < 6 and classes[codes[at]] & table.DECIMAL:
            at += 1
        if not 2 <= at - first <= 5:
            return False
    return at == end or codes[at] in _RESTS


@compiled
def _is_address(codes: np.ndarray, start: int, end: int, classes: np.ndarray) -> bool:
    """Return whether four numbers of a public address stand here, and then a port and a rest."""
    first = second = np.int64(0)  # one type throughout: callees compile once
    at = start
    for number in range(4):
        begin = at
        while at < end and at - begin < 4 and classes[codes[at]] & table.DECIMAL:
            at += 1
        value = _read_number(codes, begin, at, number)
        is_followed = number == 3 or (at < end and codes[at] == _STOP)
        if value < 0 or not is_followed:
            return False
        first = value if number == 0 else first
        second = value if number == 1 else second
        at += number < 3
    return not _is_private(first, second) and _ends_url(codes, at, end, classes)


@compiled
def _read_number(codes: np.ndarray, start: int, end: int, number: int) -> int:
    """Return the value of decimal digits as part ``number`` of an address, -1 where it cannot be.

    A digit of another script reads as 5. The expression takes it where any digit will do, and then
    no private network that it names reads the same.
    """
    if not 1 <= end - start <= 3:
        return -1
    value = 0
    for at in range(start, end):
        value = 10 * value + (codes[at] - _ZERO if is_digit(codes[at]) else 5)
    lead = codes[start]
    if end - start < 3:
        return value if number in (1, 2) or (is_digit(lead) and lead != _ZERO) else -1
    if lead == _ZERO + 1:
        return value
    tens, ones = codes[start + 1], codes[start + 2]
    if lead != _ZERO + 2 or not is_digit(tens):
        return -1
    if value // 10 * 10 < (220 if number == 0 else 250):
        return value
    largest = 223 if number == 0 else 254 if number == 3 else 255
    return value if is_digit(ones) and value <= largest else -1


@compiled
def _is_private(first: int, second: int) -> bool:
    if first in (10, 127):
        return True
    if first == 172:
        return 16 <= second <= 31
    return (first == 169 and second == 254) or (first == 192 and second == 168)
