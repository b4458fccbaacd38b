"""Kernel: telephone and card numbers in a text.

**Telephone**, international: ``+``, a digit from 1, and further digits up to 8 to 15 in all
(E.164), with at most two of space, dot, hyphen, slash and brackets between two of them; the ``+``
does not follow a letter, digit or ``+``, nor does a letter or digit follow the number. North
American: three digits from 200 (in round brackets, or followed by a space, dot or hyphen), three
from 200, a space, dot or hyphen, and four; maybe ``1`` and such a mark before; not next to a letter
or digit, nor behind ``. + - (`` or before a dot or hyphen with a digit. Other national forms look
like any number and are not found.

**Card**: 13 to 19 digits, bare or (with one kind of space or hyphen) in groups of 4-4-4-4, 4-6-5 or
4-6-4, whose issuer has numbers of that length (ISO/IEC 7812: Visa, Mastercard, American Express,
Diners, Discover, JCB, Maestro and UnionPay), and whose last is Luhn's check digit; not next to a
letter or digit, nor behind a dot or hyphen or before a hyphen or dot with a digit.
"""

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.pii_found import (
    CARD,
    DOT,
    HYPHEN,
    PHONE,
    PLUS,
    SPACE,
    ZERO,
    is_alphanumeric,
    is_digit,
    note,
)

_OPEN, _CLOSE, _SLASH, _ONE = (ord(char) for char in "()/1")
_THREE, _FOUR = np.int64(3), np.int64(4)
_LEAST_PHONE, _MOST_PHONE, _MOST_CARD = 8, 15, 19


@compiled
def find_phones(codes: np.ndarray, counts: np.ndarray, spans: np.ndarray) -> None:
    """Note the telephone numbers."""
    at = before = ZERO
    while at < codes.size:
        code = codes[at]
        end = 0
        if code == PLUS and not (is_alphanumeric(before) or before == PLUS):
            end = _international_end(codes, at + 1)
        elif (is_digit(code) or code == _OPEN) and not (
            is_alphanumeric(before) or before in (DOT, PLUS, HYPHEN, _OPEN)
        ):
            end = _american_end(codes, at)
        if end:
            note(PHONE, at, end, counts, spans)
        at = end if end else at + 1
        before = codes[at - 1]


@compiled
def _international_end(codes: np.ndarray, start: int) -> int:
    if start == codes.size or not is_digit(codes[start]) or codes[start] == 0x30:
        return 0
    at = end = start
    num_digits = 0
    while at < codes.size and at - end <= 2:
        if is_digit(codes[at]):
            num_digits += 1
            end = at + 1
            if num_digits > _MOST_PHONE:
                return 0
        elif not _is_phone_mark(codes[at]):
            break
        at += 1
    if num_digits < _LEAST_PHONE or (end < codes.size and is_alphanumeric(codes[end])):
        return 0
    return end


@compiled
def _is_phone_mark(code: int) -> bool:
    return code in (SPACE, DOT, HYPHEN, _SLASH, _OPEN, _CLOSE)


@compiled
def _american_end(codes: np.ndarray, start: int) -> int:
    at = start
    if codes[at] == _ONE and at + 1 < codes.size and codes[at + 1] in (SPACE, DOT, HYPHEN):
        at += 2
    if at < codes.size and codes[at] == _OPEN:
        at = _digits_end(codes, at + 1, _THREE)
        if at == 0 or at == codes.size or codes[at] != _CLOSE:
            return 0
        at += 1
        at += at < codes.size and codes[at] == SPACE
    else:
        at = _mark_end(codes, _digits_end(codes, at, _THREE))
    at = _mark_end(codes, _digits_end(codes, at, _THREE))
    at = _digits_end(codes, at, _FOUR)
    return at if at and _is_number_end(codes, at) else 0


@compiled
def _digits_end(codes: np.ndarray, start: int, length: int) -> int:
    """Return where so many digits end, 0 if there are none; three of them are 200 or more."""
    if start + length > codes.size or (length == 3 and codes[start] < 0x32):
        return 0
    for at in range(start, start + length):
        if not is_digit(codes[at]):
            return 0
    return start + length


@compiled
def _mark_end(codes: np.ndarray, at: int) -> int:
    """Return what follows a space, dot or hyphen at a place other than 0; else the end."""
    if 0 < at < codes.size and codes[at] in (SPACE, DOT, HYPHEN):
        return at + 1
    return codes.size


@compiled
def _is_number_end(codes: np.ndarray, end: int) -> bool:
    if end == codes.size:
        return True
    if codes[end] == DOT or codes[end] == HYPHEN:
        return end + 1 == codes.size or not is_digit(codes[end + 1])
    return not is_alphanumeric(codes[end])


@compiled
def find_cards(codes: np.ndarray, counts: np.ndarray, spans: np.ndarray) -> None:
    """Note the card numbers."""
    at = before = ZERO
    while at < codes.size:
        end = 0
        if is_digit(codes[at]) and not (is_alphanumeric(before) or before in (DOT, HYPHEN)):
            end = _card_end(codes, at)
        if end:
            note(CARD, at, end, counts, spans)
        at = end if end else at + 1
        before = codes[at - 1]


@compiled
def _card_end(codes: np.ndarray, start: int) -> int:
    first = _run_end(codes, start)
    if first - start > 4:
        return first if _is_card(codes, start, first) else 0
    if first - start < 4 or first == codes.size or codes[first] not in (SPACE, HYPHEN):
        return 0
    second = _group_end(codes, first, codes[first])
    third = _group_end(codes, second, codes[first])
    if second - first == 7 and third - second in (5, 6):
        return third if _is_card(codes, start, third) else 0
    fourth = _group_end(codes, third, codes[first])
    if second - first == 5 and third - second == 5 and fourth - third == 5:
        return fourth if _is_card(codes, start, fourth) else 0
    return 0


@compiled
def _run_end(codes: np.ndarray, start: int) -> int:
    """Return where a run of digits ends, or a place more than `_MOST_CARD` behind its start."""
    at = start
    while at < codes.size and at - start <= _MOST_CARD and is_digit(codes[at]):
        at += 1
    return at


@compiled
def _group_end(codes: np.ndarray, at: int, mark: int) -> int:
    """Return where the mark at a place and the digits behind it end; the place itself if not so."""
    return _run_end(codes, at + 1) if at < codes.size and codes[at] == mark else at


@compiled
def _is_card(codes: np.ndarray, start: int, end: int) -> bool:
    if not _is_number_end(codes, end):
        return False
    total = num_digits = 0
    for back in range(end - 1, start - 1, -1):
        if is_digit(codes[back]):
            digit = codes[back] - 0x30
            doubled = digit * 2 - 9 * (digit > 4)
            total += doubled if num_digits & 1 else digit
            num_digits += 1
    prefix = (codes[start] - 0x30) * 1000 + (codes[start + 1] - 0x30) * 100
    prefix += (codes[start + 2] - 0x30) * 10 + codes[start + 3] - 0x30
    return total % 10 == 0 and _is_issued(prefix, num_digits)


@compiled
def _is_issued(prefix: int, num_digits: int) -> bool:
    """Whether an issuer with these first four digits has numbers of that length."""
    if 4000 <= prefix < 5000:
        return num_digits in (13, 16, 19)
    if 5100 <= prefix < 5600 or 2221 <= prefix <= 2720:
        return num_digits == 16
    if prefix // 100 in (34, 37):
        return num_digits == 15
    if 3000 <= prefix < 3060 or prefix // 100 in (36, 38, 39):
        return num_digits == 14
    return (prefix // 100 == 35 or 6000 <= prefix < 7000) and 16 <= num_digits <= 19
