"""Reading and writing one character of UTF-8, inside kernels."""

import numpy as np

from pipelines.kernels.compiled import compiled, inlined

_ESCAPED = 0xDC00  # plus the byte: how a byte that is not UTF-8 reads, as in surrogateescape


@inlined
def decode(data: np.ndarray, at: int, end: int) -> tuple[int, int]:
    """Return ``(code point, width in bytes)`` of the character at ``data[at]``; needs ``at < end``.

    Reads nothing at or after ``end``. A byte that begins no well-formed character (overlong, cut
    off, surrogate, too large) gives ``(0xDC00 + byte, 1)``.
    """
    lead = int(data[at])
    code, width = lead, 1
    if lead >= 0x80:
        code, width = _decode_long(data, at, end)
    return code, width


@compiled
def _decode_long(data: np.ndarray, at: int, end: int) -> tuple[int, int]:
    lead = int(data[at])
    escaped = _ESCAPED + lead
    if 0xC2 <= lead < 0xE0:
        width, code, smallest = 2, lead & 0x1F, 0x80
    elif 0xE0 <= lead < 0xF0:
        width, code, smallest = 3, lead & 0x0F, 0x800
    elif 0xF0 <= lead < 0xF5:
        width, code, smallest = 4, lead & 0x07, 0x10000
    else:
        return escaped, 1
    if at + width > end:
        return escaped, 1
    for index in range(at + 1, at + width):
        following = int(data[index])
        if following & 0xC0 != 0x80:
            return escaped, 1
        code = (code << 6) | (following & 0x3F)
    if code < smallest or code > 0x10FFFF or 0xD800 <= code < 0xE000:
        return escaped, 1
    return code, width


@compiled
def encode(code: int, data: np.ndarray, at: int) -> int:
    """Write a code point that `decode` gave to ``data[at:]`` and return the position after it."""
    if code < 0x80:
        data[at] = code
        return at + 1
    if _ESCAPED + 0x80 <= code <= _ESCAPED + 0xFF:
        data[at] = code - _ESCAPED
        return at + 1
    if code < 0x800:
        data[at] = 0xC0 | (code >> 6)
        data[at + 1] = 0x80 | (code & 0x3F)
        return at + 2
    if code < 0x10000:
        data[at] = 0xE0 | (code >> 12)
        data[at + 1] = 0x80 | ((code >> 6) & 0x3F)
        data[at + 2] = 0x80 | (code & 0x3F)
        return at + 3
    data[at] = 0xF0 | (code >> 18)
    data[at + 1] = 0x80 | ((code >> 12) & 0x3F)
    data[at + 2] = 0x80 | ((code >> 6) & 0x3F)
    data[at + 3] = 0x80 | (code & 0x3F)
    return at + 4
