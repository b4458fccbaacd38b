"""Kernel: lines as ``str.splitlines`` gives them, and how they begin, end and repeat."""

import secrets
from typing import NamedTuple

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.buffers import TextBuffers
from pipelines.kernels.compiled import compiled
from pipelines.kernels.hashing import HASH_START, count_repeats, hash_step
from pipelines.kernels.utf8 import decode

SHORT_LINE_CHARS = 30
BULLETS = "•-*"
LINE_ENDINGS = ".!?\"'…。！？”’"

_BULLETS = np.array([ord(char) for char in BULLETS], dtype=np.int64)
_LINE_ENDINGS = np.array([ord(char) for char in LINE_ENDINGS], dtype=np.int64)
_RETURN, _NEWLINE, _FULL_STOP, _ELLIPSIS = ord("\r"), ord("\n"), ord("."), ord("…")


class LineCounts(NamedTuple):
    """Lines of each text, int64; all but ``lines`` leave out blank lines and trim white space."""

    lines: np.ndarray
    nonblank: np.ndarray
    paragraphs: np.ndarray  # runs of lines that are not blank
    bullets: np.ndarray  # lines that begin with one of BULLETS
    ellipses: np.ndarray  # lines that end with "..." or "…"
    punctuated: np.ndarray  # lines that end with one of LINE_ENDINGS
    short: np.ndarray  # lines of at most SHORT_LINE_CHARS characters
    duplicate: np.ndarray  # lines equal to an earlier one, by a 64-bit hash


def count_lines(texts: TextBuffers) -> LineCounts:
    """Count the lines of each text in two passes over its bytes, the second one to hash them."""
    counts = np.zeros((texts.num_texts, len(LineCounts._fields)), dtype=np.int64)
    layout_seed = np.uint64(secrets.randbits(64) | 1)  # lays out a table, decides no count
    _count_all(*texts, table.load_unicode_table().classes, layout_seed, counts)
    return LineCounts(*counts.T)


@compiled
def _count_all(
    offsets: np.ndarray,
    data: np.ndarray,
    classes: np.ndarray,
    layout_seed: np.uint64,
    counts: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        _count_text(data, offsets[row], offsets[row + 1], classes, layout_seed, counts[row])


@compiled
def _count_text(
    data: np.ndarray,
    at: int,
    end: int,
    classes: np.ndarray,
    layout_seed: np.uint64,
    counts: np.ndarray,
) -> None:
    hashes = np.empty(16, dtype=np.uint64)
    after_blank = True
    while at < end:
        first, last, last_code, num_chars, at = _read_line(data, at, end, classes)
        counts[0] += 1
        if first == last:
            after_blank = True
            continue
        if counts[1] == hashes.size:
            hashes = np.concatenate((hashes, hashes))
        hashes[counts[1]] = _hash_bytes(data, first, last)
        counts[1] += 1
        counts[2] += after_blank
        after_blank = False
        counts[3] += _is_in(decode(data, first, last)[0], _BULLETS)
        counts[4] += last_code == _ELLIPSIS or _ends_in_three_stops(data, first, last)
        counts[5] += _is_in(last_code, _LINE_ENDINGS)
        counts[6] += num_chars <= SHORT_LINE_CHARS
    if counts[1] > 1:
        counts[7] = count_repeats(hashes[: counts[1]], layout_seed)


@compiled
def _read_line(
    data: np.ndarray, at: int, end: int, classes: np.ndarray
) -> tuple[int, int, int, int, int]:
    """Return a line's trimmed range, its last character, its length, and where the next begins."""
    first = last = at
    last_code = num_chars = num_seen = 0
    while at < end:
        code, width = decode(data, at, end)
        at += width
        bits = classes[code]
        if bits & table.LINE_BREAK:
            if code == _RETURN and at < end and data[at] == _NEWLINE:
                at += 1
            break
        num_seen += num_chars > 0 or bits & table.SPACE == 0
        if bits & table.SPACE == 0:
            first = first if num_chars else at - width
            last, last_code, num_chars = at, code, num_seen
    return first, last, last_code, num_chars, at


@compiled
def _hash_bytes(data: np.ndarray, first: int, last: int) -> np.uint64:
    value = HASH_START
    for at in range(first, last):
        value = hash_step(value, data[at])
    return value


@compiled
def _ends_in_three_stops(data: np.ndarray, first: int, last: int) -> bool:
    if last - first < 3:
        return False
    return (
        data[last - 1] == _FULL_STOP
        and data[last - 2] == _FULL_STOP
        and data[last - 3] == _FULL_STOP
    )


@compiled
def _is_in(code: int, codes: np.ndarray) -> bool:
    for candidate in codes:  # noqa: SIM110 - numba does not compile any()
        if candidate == code:
            return True
    return False
