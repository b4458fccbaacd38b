"""UTF-8 to code points and back.

Kernels work on code points: those that measure get a batch decoded by `decode_texts`, those that
write text decode one text after the other into a scratch array. Shape letters: C characters of a
text.
"""

import numpy as np

from pipelines.kernels.buffers import TextBuffers
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes

_ESCAPED = 0xDC00  # plus the byte: how a byte that is not UTF-8 reads, as in surrogateescape


def decode_texts(texts: TextBuffers) -> Codes:
    """Return the code points of some texts."""
    num_bytes = int(texts.offsets[-1] - texts.offsets[0])
    codes = np.empty(num_bytes, dtype=np.int32)
    offsets = np.zeros(texts.num_texts + 1, dtype=np.int64)
    _decode_all(*texts, codes, offsets)
    return Codes(offsets, codes[: offsets[-1]])


@compiled
def _decode_all(offsets: np.ndarray, data: np.ndarray, codes: np.ndarray, ends: np.ndarray) -> None:
    for row in range(offsets.size - 1):
        decoded = decode(data, offsets[row], offsets[row + 1], codes[ends[row] :])
        ends[row + 1] = ends[row] + decoded.size


@compiled
def scratch_for(offsets: np.ndarray) -> np.ndarray:
    """Return an int32 array with room for the code points of each of the texts."""
    longest = 0
    for row in range(offsets.size - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    return np.empty(longest, dtype=np.int32)


@compiled
def decode(data: np.ndarray, start: int, end: int, scratch: np.ndarray) -> np.ndarray:
    """Decode ``data[start:end]`` into ``scratch`` and return the part written: codes_C, int32.

    Nothing outside the range is read. A byte that is in no well-formed character (overlong, cut
    off, surrogate, too large) becomes the surrogate ``0xDC00 + byte``.
    """
    num_chars = 0
    at = start
    while at < end:
        code, width = int(data[at]), 1
        if code >= 0x80:
            second = int(data[at + 1]) if at + 1 < end else 0
            third = int(data[at + 2]) if at + 2 < end else 0
            fourth = int(data[at + 3]) if at + 3 < end else 0
            code, width = _join(code, second, third, fourth)
        scratch[num_chars] = code
        num_chars += 1
        at += width
    return scratch[:num_chars]


@compiled
def encode(codes: np.ndarray, data: np.ndarray, start: int) -> int:
    """Write codes_C that `decode` gave as UTF-8 to ``data[start:]`` and return where it ends.

    A surrogate that stands for a byte becomes this byte again.
    """
    at = start
    for code in codes:
        at = encode_char(code, data, at)
    return at


@compiled
def encode_char(code: int, data: np.ndarray, at: int) -> int:
    """Write a code point as UTF-8 to ``data[at:]`` and return where it ends; see `encode`."""
    if code < 0x80:
        data[at] = code
        return at + 1
    if code < 0x800:
        data[at] = 0xC0 | (code >> 6)
        data[at + 1] = _following(code)
        return at + 2
    if _ESCAPED <= code < _ESCAPED + 0x100:
        data[at] = code - _ESCAPED
        return at + 1
    if code < 0x10000:
        data[at] = 0xE0 | (code >> 12)
        data[at + 1] = _following(code >> 6)
        data[at + 2] = _following(code)
        return at + 3
    data[at] = 0xF0 | (code >> 18)
    data[at + 1] = _following(code >> 12)
    data[at + 2] = _following(code >> 6)
    data[at + 3] = _following(code)
    return at + 4


@compiled
def read_char(data: np.ndarray, at: int) -> tuple[int, int]:
    """Return the code point at ``data[at]`` and where it ends, for a byte of 0x80 and more.

    Some byte below 0x80 must stand behind it; nothing behind that is read.
    """
    second = int(data[at + 1])
    third = int(data[at + 2]) if _is_following(second) else 0
    fourth = int(data[at + 3]) if _is_following(third) else 0
    code, width = _join(int(data[at]), second, third, fourth)
    return code, at + width


@compiled
def _join(lead: int, second: int, third: int, fourth: int) -> tuple[int, int]:
    """Return ``(code point, bytes used)`` of the character that begins a row of four bytes."""
    if not _is_following(second):
        return _ESCAPED + lead, 1
    if 0xC2 <= lead < 0xE0:
        return (lead & 0x1F) << 6 | (second & 0x3F), 2
    if 0xE0 <= lead < 0xF0 and _is_following(third):
        code = (lead & 0x0F) << 12 | (second & 0x3F) << 6 | (third & 0x3F)
        if code >= 0x800 and not 0xD800 <= code < 0xE000:
            return code, 3
    if 0xF0 <= lead < 0xF5 and _is_following(third) and _is_following(fourth):
        code = (lead & 0x07) << 18 | (second & 0x3F) << 12 | (third & 0x3F) << 6 | (fourth & 0x3F)
        if 0x10000 <= code <= 0x10FFFF:
            return code, 4
    return _ESCAPED + lead, 1


@compiled
def _is_following(byte: int) -> bool:
    return byte & 0xC0 == 0x80


@compiled
def _following(code: int) -> int:
    return 0x80 | (code & 0x3F)
