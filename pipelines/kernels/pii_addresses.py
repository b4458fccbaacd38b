"""Kernel: e-mail, IPv4 and IPv6 addresses in a text.

**E-mail**: the longest dot-atom of at most 64 characters before an ``@`` (RFC 5322, section 3.2.3;
letters and digits are ASCII), and behind it the longest domain of two labels or more whose last has
only letters, two at least. Labels have at most 63 letters, digits and inner hyphens, a domain at
most 253 characters. Quoted local parts and addresses in brackets are not found.

**IPv4**: four decimal numbers up to 255 without leading zeros, not next to a letter or digit, nor
to a dot before them or a dot and a digit behind. Public are those that IANA's registry of
special-purpose addresses (RFC 6890) does not name, or names as globally reachable.

**IPv6**: a run of hexadecimal digits and colons that is an address by RFC 4291, with a decimal
digit, not next to other letters or digits, nor to a dot before it or a dot and a digit behind. A
colon that ends the run, or begins it (``address:2001:db8::1``), is punctuation.
"""

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.pii_found import (
    COLON,
    DOT,
    EMAIL,
    HYPHEN,
    IPV4,
    IPV6,
    PUBLIC_IPV4,
    ZERO,
    is_alphanumeric,
    is_digit,
    is_hex,
    is_letter,
    note,
)

_AT = ord("@")
_MOST_LOCAL, _MOST_LABEL, _MOST_DOMAIN = 64, 63, 253
_ATOM_MARKS = tuple(ord(char) for char in "!#$%&'*+-/=?^_`{|}~")
# Address and prefix of the IPv4 blocks that are not globally reachable.
_RESERVED = tuple(
    (sum(part << shift for part, shift in zip(parts, (24, 16, 8, 0), strict=True)), prefix)
    for parts, prefix in (
        ((0, 0, 0, 0), 8),
        ((10, 0, 0, 0), 8),
        ((100, 64, 0, 0), 10),
        ((127, 0, 0, 0), 8),
        ((169, 254, 0, 0), 16),
        ((172, 16, 0, 0), 12),
        ((192, 0, 2, 0), 24),
        ((192, 168, 0, 0), 16),
        ((198, 18, 0, 0), 15),
        ((198, 51, 100, 0), 24),
        ((203, 0, 113, 0), 24),
        ((240, 0, 0, 0), 4),
    )
)
_PROTOCOLS = 192 << 24  # 192.0.0.0/24, of which only .9 and .10 are reachable


@compiled
def find_emails(codes: np.ndarray, counts: np.ndarray, spans: np.ndarray) -> None:
    """Note the e-mail addresses."""
    free = ZERO  # where the address before ends
    for at in range(codes.size):
        if codes[at] != _AT:
            continue
        start = at
        while start > free and at - start < _MOST_LOCAL:
            code = codes[start - 1]
            if not (_is_atom(code) or (code == DOT and start < at and codes[start] != DOT)):
                break
            start -= 1
        start += start < at and codes[start] == DOT
        end = _domain_end(codes, at + 1) if start < at else 0
        if end:
            note(EMAIL, start, end, counts, spans)
            free = end


@compiled
def _domain_end(codes: np.ndarray, start: int) -> int:
    """Return where the longest domain that begins at ``start`` ends, 0 if there is none."""
    end = num_labels = 0
    label = start
    while True:
        stop, only_letters = label, True
        while stop < codes.size and stop - label <= _MOST_LABEL:
            code = codes[stop]
            if not (is_alphanumeric(code) or code == HYPHEN):
                break
            only_letters &= is_letter(code)
            stop += 1
        if not 0 < stop - label <= _MOST_LABEL or stop - start > _MOST_DOMAIN:
            return end
        if codes[label] == HYPHEN or codes[stop - 1] == HYPHEN:
            return end
        num_labels += 1
        if num_labels > 1 and only_letters and stop - label > 1:
            end = stop
        if stop == codes.size or codes[stop] != DOT:
            return end
        label = stop + 1


@compiled
def _is_atom(code: int) -> bool:
    return is_alphanumeric(code) or code in _ATOM_MARKS


@compiled
def find_ipv4(codes: np.ndarray, counts: np.ndarray, spans: np.ndarray) -> None:
    """Note the IPv4 addresses, and those that are public once more."""
    before = ZERO
    for at in range(codes.size):
        code = codes[at]
        if is_digit(code) and not (is_alphanumeric(before) or before == DOT):
            address, end = _read_ipv4(codes, at)
            if end and _is_end(codes, end):
                note(IPV4, at, end, counts, spans)
                if _is_public(address):
                    note(PUBLIC_IPV4, at, end, counts, spans)
        before = code


@compiled
def _read_ipv4(codes: np.ndarray, start: int) -> tuple[int, int]:
    """Return the number that four parts make and where they end, 0 if they are none."""
    address, at = ZERO, start
    for part in range(4):
        number, first = 0, at
        while at < codes.size and at - first < 3 and is_digit(codes[at]):
            number = number * 10 + codes[at] - 0x30
            at += 1
        if at == first or number > 255 or (codes[first] == 0x30 and at > first + 1):
            return 0, 0
        address = address << 8 | number
        if part < 3:
            if at == codes.size or codes[at] != DOT:
                return 0, 0
            at += 1
    return address, at


@compiled
def _is_public(address: int) -> bool:
    for block, prefix in _RESERVED:
        if address >> (32 - prefix) == block >> (32 - prefix):
            return False
    return address >> 8 != _PROTOCOLS >> 8 or address - _PROTOCOLS in (9, 10)


@compiled
def _is_end(codes: np.ndarray, end: int) -> bool:
    """Whether an address may end here."""
    if end == codes.size:
        return True
    if codes[end] == DOT:
        return end + 1 == codes.size or not is_digit(codes[end + 1])
    return not is_alphanumeric(codes[end])


@compiled
def find_ipv6(codes: np.ndarray, counts: np.ndarray, spans: np.ndarray) -> None:
    """Note the IPv6 addresses."""
    at = ZERO
    while at < codes.size:
        if not (is_hex(codes[at]) or codes[at] == COLON):
            at += 1
            continue
        start, num_colons = at, 0
        while at < codes.size and (is_hex(codes[at]) or codes[at] == COLON):
            num_colons += codes[at] == COLON
            at += 1
        if num_colons < 2 or not _is_end(codes, at):
            continue
        before = codes[start - 1] if start else ZERO
        first, last = _trim_colons(codes, start, at)
        led_by_colon = first > start
        if (led_by_colon or not (is_alphanumeric(before) or before == DOT)) and _is_ipv6(
            codes, first, last
        ):
            note(IPV6, first, last, counts, spans)


@compiled
def _trim_colons(codes: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """Leave out a single colon at either end of a run that has two colons or more."""
    start += codes[start] == COLON and codes[start + 1] != COLON
    end -= codes[end - 1] == COLON and codes[end - 2] != COLON
    return start, end


@compiled
def _is_ipv6(codes: np.ndarray, start: int, end: int) -> bool:
    """Whether groups of up to four digits are eight, or fewer with one ``::`` for the others."""
    num_groups = length = num_gaps = num_digits = 0
    for at in range(start, end):
        if codes[at] != COLON:
            num_groups += length == 0
            length += 1
            num_digits += is_digit(codes[at])
            if length > 4:
                return False
        else:
            num_gaps += at > start and codes[at - 1] == COLON
            length = 0
    if num_digits == 0:
        return False
    return num_groups == 8 if num_gaps == 0 else num_gaps == 1 and num_groups < 8
