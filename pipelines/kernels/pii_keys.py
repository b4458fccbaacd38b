"""Kernel: keys and tokens of services in a text.

A *name* is a longest run of ASCII letters, digits, ``_`` and ``-``. Forms are those that the
services document, as they stood in 2025:

- **AWS** access key id: a name of ``AKIA`` or ``ASIA`` and 16 upper-case letters or digits.
- **GitHub** token: a name of ``ghp_ gho_ ghu_ ghs_ ghr_`` and 36 to 255 letters or digits, or
  ``github_pat_`` and 82 letters, digits or ``_``.
- **Slack** token: a name of ``xox``, one of ``abeoprs``, ``-`` and 10 to 250 letters, digits or
  ``-``.
- **JSON web token** (RFC 7519, compact): three names with dots between, the first of 15 characters
  or more and not behind a dot, the others of ten; the first two begin with ``eyJ``, which is ``{"``
  in base64.
- **Private key**: a line of PEM (RFC 7468) or PGP armour, ``-----BEGIN`` … ``PRIVATE KEY-----`` or
  ``PRIVATE KEY BLOCK-----``, with up to 30 upper-case letters, digits and spaces between.
- **Assigned secret**: a name that ends in ``apikey``, ``secretkey``, ``accesskey``, ``privatekey``,
  ``secret``, ``token``, ``password`` or ``passwd``, whatever its case and without its ``_`` and
  ``-``; maybe a quote; ``:`` or ``=`` between at most two spaces on either side; maybe a quote; and
  a value of 16 or more ASCII letters, digits and ``_-+/.``, with a letter and a digit in it.
"""

from typing import Any

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.pii_found import (
    ASSIGNED,
    AWS,
    COLON,
    DOT,
    GITHUB,
    HYPHEN,
    JSON_WEB,
    PLUS,
    PRIVATE,
    SLACK,
    SPACE,
    UNDERSCORE,
    ZERO,
    is_alphanumeric,
    is_digit,
    is_letter,
    is_upper,
    note,
)

_LEAST_NAME = 15  # of a name that is a key by itself
_LEAST_PART, _LEAST_VALUE = 10, 16
_NO_KIND: Any = np.int64(-1)
_NOTHING, _UNDERSCORE, _HYPHEN = np.int64(-1), np.int64(UNDERSCORE), np.int64(HYPHEN)
_A, _G, _X = (ord(char) for char in "Agx")
_EQUALS, _SLASH, _QUOTES = ord("="), ord("/"), (ord('"'), ord("'"))


def _codes_of(text: str) -> np.ndarray:
    return np.array([ord(char) for char in text], dtype=np.int32)


_AKIA, _ASIA = _codes_of("AKIA"), _codes_of("ASIA")
_GITHUB_PAT, _EYJ, _XOX = _codes_of("github_pat_"), _codes_of("eyJ"), _codes_of("xox")
_GITHUB_KINDS = tuple(ord(char) for char in "pousr")
_SLACK_KINDS = tuple(ord(char) for char in "abeoprs")
_BEGIN, _KEY = _codes_of("-----BEGIN "), _codes_of("PRIVATE KEY")
_BLOCK, _DASHES = _codes_of(" BLOCK"), _codes_of("-----")
_MOST_TITLE = 30
_SECRET_NAMES = (
    "apikey",
    "secretkey",
    "accesskey",
    "privatekey",
    "secret",
    "token",
    "password",
    "passwd",
)
_SECRETS = np.array(  # their letters from the last to the first, then zeros
    [[*_codes_of(name[::-1]), *[0] * (11 - len(name))] for name in _SECRET_NAMES], dtype=np.int32
)


@compiled
def find_keys(codes: np.ndarray, counts: np.ndarray, spans: np.ndarray) -> None:
    """Note the keys that are names, and the secrets that are assigned to names."""
    at = free = ZERO  # free: where the assigned value before ends
    while at < codes.size:
        if not _is_name(codes[at]):
            at += 1
            continue
        start = at
        while at < codes.size and _is_name(codes[at]):
            at += 1
        if at - start >= _LEAST_NAME:
            kind = _kind_of(codes, start, at)
            if kind != _NO_KIND:
                note(kind, start, at, counts, spans)
            elif _starts(codes, start, _EYJ) and (start == 0 or codes[start - 1] != DOT):
                end = _web_token_end(codes, at)
                if end:
                    note(JSON_WEB, start, end, counts, spans)
        value = _value_start(codes, at) if start >= free else 0
        if value and _names_secret(codes, start, at):
            end = _value_end(codes, value)
            if end:
                note(ASSIGNED, value, end, counts, spans)
                free = end


@compiled
def _is_name(code: int) -> bool:
    return is_alphanumeric(code) or code in (UNDERSCORE, HYPHEN)


@compiled
def _starts(codes: np.ndarray, start: int, expected: np.ndarray) -> bool:
    if start + expected.size > codes.size:
        return False
    for index in range(expected.size):  # noqa: SIM110 (numba knows no generators)
        if codes[start + index] != expected[index]:
            return False
    return True


@compiled
def _kind_of(codes: np.ndarray, start: int, end: int) -> int:
    first, length = codes[start], end - start
    if first == _A and length == 20:
        is_kind = _starts(codes, start, _AKIA) or _starts(codes, start, _ASIA)
        return AWS if is_kind and _only_upper(codes, start + 4, end) else _NO_KIND
    if first == _G and codes[start + 1] == ord("h"):
        is_kind = codes[start + 2] in _GITHUB_KINDS and codes[start + 3] == UNDERSCORE
        if is_kind and 40 <= length <= 259 and _only(codes, start + 4, end, _NOTHING):
            return GITHUB
    if first == _G and length == 93 and _starts(codes, start, _GITHUB_PAT):
        return GITHUB if _only(codes, start, end, _UNDERSCORE) else _NO_KIND
    if first == _X and 15 <= length <= 255 and _starts(codes, start, _XOX):
        is_kind = codes[start + 3] in _SLACK_KINDS and codes[start + 4] == HYPHEN
        if is_kind and _only(codes, start + 5, end, _HYPHEN):
            return SLACK
    return _NO_KIND


@compiled
def _only(codes: np.ndarray, start: int, end: int, also: int) -> bool:
    """Whether all are letters, digits or one other character."""
    for at in range(start, end):  # noqa: SIM110
        if not (is_alphanumeric(codes[at]) or codes[at] == also):
            return False
    return True


@compiled
def _only_upper(codes: np.ndarray, start: int, end: int) -> bool:
    """Whether all are upper-case letters or digits."""
    for at in range(start, end):  # noqa: SIM110
        if not (is_upper(codes[at]) or is_digit(codes[at])):
            return False
    return True


@compiled
def _web_token_end(codes: np.ndarray, first_end: int) -> int:
    """Return where the third part of a JSON web token ends, 0 if there are no three."""
    at = first_end
    for part in range(2):
        if at == codes.size or codes[at] != DOT:
            return 0
        start = at + 1
        if part == 0 and not _starts(codes, start, _EYJ):
            return 0
        at = start
        while at < codes.size and _is_name(codes[at]):
            at += 1
        if at - start < _LEAST_PART:
            return 0
    return at


@compiled
def _value_start(codes: np.ndarray, name_end: int) -> int:
    """Return where a value begins that is assigned to the name that ends there, 0 if none is."""
    at = name_end
    at += at < codes.size and codes[at] in _QUOTES
    at = _behind_spaces(codes, at)
    if at == codes.size or codes[at] not in (COLON, _EQUALS):
        return 0
    at = _behind_spaces(codes, at + 1)
    at += at < codes.size and codes[at] in _QUOTES
    return at


@compiled
def _behind_spaces(codes: np.ndarray, at: int) -> int:
    """Return the place behind at most two spaces."""
    at += at < codes.size and codes[at] == SPACE
    at += at < codes.size and codes[at] == SPACE
    return at


@compiled
def _names_secret(codes: np.ndarray, start: int, end: int) -> bool:
    """Whether a name ends in one of the words for secrets, read from its last letter."""
    for row in range(_SECRETS.shape[0]):
        at, place = end - 1, 0
        while at >= start and _SECRETS[row, place]:
            code = codes[at]
            at -= 1
            if code in (UNDERSCORE, HYPHEN):
                continue
            if (code | 0x20) != _SECRETS[row, place]:
                break
            place += 1
        if _SECRETS[row, place] == 0:
            return True
    return False


@compiled
def _value_end(codes: np.ndarray, start: int) -> int:
    """Return where a value ends that looks like a secret, 0 if it does not."""
    at = start
    num_letters = num_digits = 0
    while at < codes.size:
        code = codes[at]
        if not (_is_name(code) or code in (PLUS, _SLASH, DOT)):
            break
        num_letters += is_letter(code)
        num_digits += is_digit(code)
        at += 1
    return at if at - start >= _LEAST_VALUE and num_letters and num_digits else 0


@compiled
def find_private_keys(codes: np.ndarray, counts: np.ndarray, spans: np.ndarray) -> None:
    """Note the lines that begin private keys."""
    start = ZERO
    while start < codes.size:
        end = _header_end(codes, start) if codes[start] == HYPHEN else 0
        if end:
            note(PRIVATE, start, end, counts, spans)
        start = end if end else start + 1


@compiled
def _header_end(codes: np.ndarray, start: int) -> int:
    if (
        start + 5 >= codes.size
        or codes[start + 5] != _BEGIN[5]
        or not _starts(codes, start, _BEGIN)
    ):
        return 0
    title = start + _BEGIN.size
    for at in range(title, min(codes.size, title + _MOST_TITLE + 1)):
        end = _key_end(codes, at)
        if end:
            return end
        if not (is_upper(codes[at]) or is_digit(codes[at]) or codes[at] == SPACE):
            return 0
    return 0


@compiled
def _key_end(codes: np.ndarray, at: int) -> int:
    """Return where ``PRIVATE KEY-----`` or ``PRIVATE KEY BLOCK-----`` ends, 0 if it is not here."""
    if not _starts(codes, at, _KEY):
        return 0
    at += _KEY.size
    at += _BLOCK.size if _starts(codes, at, _BLOCK) else 0
    return at + _DASHES.size if _starts(codes, at, _DASHES) else 0
