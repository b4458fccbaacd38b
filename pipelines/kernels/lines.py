"""Kernel: lines as ``str.splitlines`` gives them, and how they begin, end and repeat."""

import secrets
from typing import NamedTuple

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes
from pipelines.kernels.hashing import HASH_START, count_repeats, hash_step

SHORT_LINE_CHARS = 30
BULLETS = "•-*"
LINE_ENDINGS = ".!?\"'…。！？”’"

_BULLETS = tuple(ord(char) for char in BULLETS)
_LINE_ENDINGS = tuple(ord(char) for char in LINE_ENDINGS)
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


def count_lines(texts: Codes) -> LineCounts:
    """Count the lines of each text."""
    counts = np.zeros((texts.num_texts, len(LineCounts._fields)), dtype=np.int64)
    layout_seed = np.uint64(secrets.randbits(64) | 1)  # lays out a table, decides no count
    _count_all(*texts, table.load_unicode_table().classes, layout_seed, counts)
    return LineCounts(*counts.T)


@compiled
def _count_all(
    offsets: np.ndarray,
    all_codes: np.ndarray,
    classes: np.ndarray,
    layout_seed: np.uint64,
    counts: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        codes = all_codes[offsets[row] : offsets[row + 1]]
        _count_text(codes, classes, layout_seed, counts[row])


@compiled
def _count_text(
    codes: np.ndarray, classes: np.ndarray, layout_seed: np.uint64, counts: np.ndarray
) -> None:
    hashes = np.empty(16, dtype=np.uint64)
    at = np.int64(0)  # one type throughout: `_read_line` compiles once
    after_blank = True
    while at < codes.size:
        first, last, at = _read_line(codes, at, classes)
        counts[0] += 1
        if first == last:
            after_blank = True
            continue
        if counts[1] == hashes.size:
            hashes = _with_twice_the_room(hashes)
        hashes[counts[1]] = _hash_line(codes, first, last)
        counts[1] += 1
        counts[2] += after_blank
        after_blank = False
        counts[3] += codes[first] in _BULLETS
        counts[4] += _ends_in_ellipsis(codes, first, last)
        counts[5] += codes[last - 1] in _LINE_ENDINGS
        counts[6] += last - first <= SHORT_LINE_CHARS
    if counts[1] > 1:
        counts[7] = count_repeats(hashes[: counts[1]], layout_seed)


@compiled
def _with_twice_the_room(hashes: np.ndarray) -> np.ndarray:
    roomy = np.empty(2 * hashes.size, dtype=np.uint64)
    for at in range(hashes.size):
        roomy[at] = hashes[at]
    return roomy


@compiled
def _read_line(codes: np.ndarray, start: int, classes: np.ndarray) -> tuple[int, int, int]:
    """Return ``(first, last, next)``: trimmed it is ``codes[first:last]``, and next follows it."""
    first = last = start
    at = start
    while at < codes.size:
        bits = classes[codes[at]]
        at += 1
        if bits & table.LINE_BREAK:
            is_pair = codes[at - 1] == _RETURN and at < codes.size and codes[at] == _NEWLINE
            return first, last, at + is_pair
        if bits & table.SPACE == 0:
            first = at - 1 if first == last else first
            last = at
    return first, last, at


@compiled
def _hash_line(codes: np.ndarray, first: int, last: int) -> np.uint64:
    value = HASH_START
    for at in range(first, last):
        value = hash_step(value, codes[at])
    return value


@compiled
def _ends_in_ellipsis(codes: np.ndarray, first: int, last: int) -> bool:
    if codes[last - 1] == _ELLIPSIS:
        return True
    if last - first < 3:
        return False
    num_stops = 0
    for at in range(last - 3, last):
        num_stops += codes[at] == _FULL_STOP
    return num_stops == 3
