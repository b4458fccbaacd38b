"""Kernel: what dclm's Gopher filters count in marks, words, lines, paragraphs and n-grams."""

from typing import NamedTuple

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes, Words
from pipelines.kernels.hashing import HASH_START, hash_codes, hash_step
from pipelines.kernels.ngram_copies import (
    chars_before,
    find_copies,
    random_layout,
    repeated_ngrams,
    repeated_words,
)
from pipelines.kernels.word_break_table import ALPHANUMERIC, load_word_break_table

TOP_NGRAMS = (2, 3, 4)
REPEATED_NGRAMS = (5, 6, 7, 8, 9, 10)

_LAST_TOP, _LAST = TOP_NGRAMS[-1], REPEATED_NGRAMS[-1]
_HASH_SIGN, _FULL_STOP, _SPACE, _ELLIPSIS = ord("#"), ord("."), ord(" "), ord("…")
_NEWLINE = ord("\n")
_BULLETS = tuple(ord(char) for char in "●•*-")
_FASTTEXT_SPACES = tuple(ord(char) for char in " \n\r\t\v\f\0")
_UPPER_A, _UPPER_Z = ord("A"), ord("Z")


class MarkCounts(NamedTuple):
    """Marks and words of fastText in each text, int64."""

    symbols: np.ndarray  # "#", "...", ". . ." and "…"; of each no copies that overlap
    words: np.ndarray  # fastText's, that begin with a letter, digit or number


class WordCounts(NamedTuple):
    """What white space separates in each text, int64."""

    words: np.ndarray
    without_letter: np.ndarray
    stop_words: np.ndarray  # each copy
    different_stop_words: np.ndarray


class SegmentCounts(NamedTuple):
    """Lines or paragraphs of each text, trimmed and without empty ones, int64."""

    segments: np.ndarray
    chars: np.ndarray
    bullets: np.ndarray  # that begin with "●", "•", "*" or "-"
    ellipses: np.ndarray  # that end with "...", ". . ." or "…"
    repeated: np.ndarray  # that occur more than once, each copy
    repeated_chars: np.ndarray  # characters of those


class NgramCounts(NamedTuple):
    """Characters of words in n-grams of each text, int64; columns are the lengths of n-grams."""

    chars: np.ndarray  # (texts): of all words
    top: np.ndarray  # (texts, TOP_NGRAMS): all copies of the most frequent, the longest of equals
    repeated: np.ndarray  # (texts, REPEATED_NGRAMS): words in one that occurs more than once


def count_marks(texts: Codes) -> MarkCounts:
    """Count symbols and fastText's words."""
    counts = np.zeros((texts.num_texts, len(MarkCounts._fields)), dtype=np.int64)
    _count_marks_of_all(*texts, load_word_break_table().classes, counts)
    return MarkCounts(*counts.T)


def count_words(texts: Codes, words: Words, stop_words: tuple[str, ...]) -> WordCounts:
    """Count words; ``stop_words`` are in lower-case ASCII letters, compared by 64-bit hashes.

    Case is that of ASCII, which no other letter becomes in lower case but the Kelvin sign (k).
    """
    counts = np.zeros((texts.num_texts, len(WordCounts._fields)), dtype=np.int64)
    hashes = np.array([hash_codes(map(ord, word)) for word in stop_words], dtype=np.uint64)
    longest = max(map(len, stop_words))
    classes = table.load_unicode_table().classes
    _count_words_of_all(texts.codes, *words, classes, hashes, longest, counts)
    return WordCounts(*counts.T)


def count_segments(texts: Codes, num_newlines: int) -> SegmentCounts:
    """Count what 1 newline (lines) or 2 in a row (paragraphs) separate; equal are 64-bit hashes."""
    counts = np.zeros((texts.num_texts, len(SegmentCounts._fields)), dtype=np.int64)
    classes = table.load_unicode_table().classes
    _count_segments_of_all(*texts, num_newlines, classes, random_layout(), counts)
    return SegmentCounts(*counts.T)


def count_ngrams(words: Words, hashes: np.ndarray) -> NgramCounts:
    """Count n-grams of words with their hashes; where no n-gram occurs twice is a zero."""
    num_texts = words.offsets.size - 1
    chars = np.zeros(num_texts, dtype=np.int64)
    top = np.zeros((num_texts, len(TOP_NGRAMS)), dtype=np.int64)
    repeated = np.zeros((num_texts, len(REPEATED_NGRAMS)), dtype=np.int64)
    _count_ngrams_of_all(*words, hashes, random_layout(), chars, top, repeated)
    return NgramCounts(chars, top, repeated)


@compiled
def _count_marks_of_all(
    offsets: np.ndarray, codes: np.ndarray, classes: np.ndarray, counts: np.ndarray
) -> None:
    for row in range(offsets.size - 1):
        text = codes[offsets[row] : offsets[row + 1]]
        counts[row, 0] = _count_symbols(text)
        counts[row, 1] = _count_fasttext_words(text, classes)


@compiled
def _count_symbols(codes: np.ndarray) -> int:
    num_symbols = 0
    num_stops = 0  # full stops in a row, and of ". . ." the characters that we have
    spaced = 0
    for code in codes:
        num_symbols += code in (_HASH_SIGN, _ELLIPSIS)
        num_stops = num_stops + 1 if code == _FULL_STOP else 0
        if num_stops == 3:
            num_symbols += 1
            num_stops = 0
        if code == _FULL_STOP:
            spaced = spaced + 1 if spaced % 2 == 0 else 1
        else:
            spaced = spaced + 1 if code == _SPACE and spaced % 2 == 1 else 0
        if spaced == 5:
            num_symbols += 1
            spaced = 0
    return num_symbols


@compiled
def _count_fasttext_words(codes: np.ndarray, classes: np.ndarray) -> int:
    num_words = 0
    inside = False
    for code in codes:
        is_space = code in _FASTTEXT_SPACES
        if not inside and not is_space:
            num_words += classes[code] & ALPHANUMERIC != 0
        inside = not is_space
    return num_words


@compiled
def _count_words_of_all(
    codes: np.ndarray,
    offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    classes: np.ndarray,
    stop_hashes: np.ndarray,
    longest: int,
    counts: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        seen = 0
        for word in range(offsets[row], offsets[row + 1]):
            letters = 0
            for at in range(starts[word], ends[word]):
                letters |= classes[codes[at]] & table.ALPHABETIC
            counts[row, 1] += letters == 0
            if letters == 0 or ends[word] - starts[word] > longest:
                continue
            value = HASH_START
            for at in range(starts[word], ends[word]):
                value = hash_step(value, _lower(codes[at]))
            for number in range(stop_hashes.size):
                counts[row, 2] += value == stop_hashes[number]
                seen |= int(value == stop_hashes[number]) << number
        counts[row, 0] = offsets[row + 1] - offsets[row]
        for number in range(stop_hashes.size):
            counts[row, 3] += (seen >> number) & 1


@compiled
def _lower(code: int) -> int:
    return code + 32 if _UPPER_A <= code <= _UPPER_Z else code


@compiled
def _count_segments_of_all(
    offsets: np.ndarray,
    codes: np.ndarray,
    num_newlines: int,
    classes: np.ndarray,
    layout_seed: np.uint64,
    counts: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        text = codes[offsets[row] : offsets[row + 1]]
        _count_segments(text, num_newlines, classes, layout_seed, counts[row])


@compiled
def _count_segments(
    codes: np.ndarray,
    num_newlines: int,
    classes: np.ndarray,
    layout_seed: np.uint64,
    counts: np.ndarray,
) -> None:
    hashes, lengths = np.empty(16, dtype=np.uint64), np.empty(16, dtype=np.int32)
    at = 0
    while at < codes.size:
        first, last, at = _read_segment(codes, at, num_newlines, classes)
        if first == last:
            continue
        if counts[0] == hashes.size:
            hashes = np.concatenate((hashes, hashes))
            lengths = np.concatenate((lengths, lengths))
        hashes[counts[0]] = _hash_segment(codes, first, last)
        lengths[counts[0]] = last - first
        counts[0] += 1
        counts[1] += last - first
        counts[2] += codes[first] in _BULLETS
        counts[3] += _ends_in_ellipsis(codes, first, last)
    firsts, copies = find_copies(hashes[: counts[0]], layout_seed)
    for segment in range(firsts.size):
        if copies[firsts[segment]] > 1:
            counts[4] += 1
            counts[5] += lengths[segment]


@compiled
def _read_segment(
    codes: np.ndarray, start: int, num_newlines: int, classes: np.ndarray
) -> tuple[int, int, int]:
    """Return ``(first, last, next)``: trimmed it is ``codes[first:last]``, and next follows it."""
    first = last = start
    num_found = 0  # newlines in a row
    for at in range(start, codes.size):
        num_found = num_found + 1 if codes[at] == _NEWLINE else 0
        if num_found == num_newlines:
            return first, last, at + 1
        if classes[codes[at]] & table.SPACE == 0:
            first = at if first == last else first
            last = at + 1
    return first, last, codes.size


@compiled
def _hash_segment(codes: np.ndarray, first: int, last: int) -> np.uint64:
    value = HASH_START
    for at in range(first, last):
        value = hash_step(value, codes[at])
    return value


@compiled
def _ends_in_ellipsis(codes: np.ndarray, first: int, last: int) -> bool:
    if codes[last - 1] == _ELLIPSIS:
        return True
    num_stops = 0
    while num_stops < 3 and last - num_stops > first and codes[last - 1 - num_stops] == _FULL_STOP:
        num_stops += 1
    if num_stops == 3 or last - first < 5:
        return num_stops == 3
    is_spaced = True
    for index in range(5):
        is_spaced &= codes[last - 5 + index] == (_SPACE if index % 2 else _FULL_STOP)
    return is_spaced


@compiled
def _count_ngrams_of_all(
    offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    hashes: np.ndarray,
    layout_seed: np.uint64,
    num_chars: np.ndarray,
    top: np.ndarray,
    repeated: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        first, last = offsets[row], offsets[row + 1]
        chars = chars_before(starts[first:last], ends[first:last])
        num_chars[row] = chars[-1]
        words = repeated_words(hashes[first:last], layout_seed)
        firsts = words
        for size in range(2, min(_LAST, last - first) + 1):
            firsts, copies = repeated_ngrams(firsts, words, size, layout_seed)
            if copies.max() == 0:
                break  # longer ones do not occur twice either
            if size <= _LAST_TOP:
                top[row, size - 2] = _top_chars(copies, chars, size)
            else:
                repeated[row, size - _LAST_TOP - 1] = _covered_chars(firsts, chars, size)


@compiled
def _top_chars(copies: np.ndarray, chars: np.ndarray, size: int) -> int:
    most = length = 0
    for at in range(copies.size):
        if copies[at] > most:
            most, length = copies[at], chars[at + size] - chars[at]
        elif copies[at] == most and most > 0:
            length = max(length, chars[at + size] - chars[at])
    return most * length


@compiled
def _covered_chars(firsts: np.ndarray, chars: np.ndarray, size: int) -> int:
    num_chars = covered = 0  # words before `covered` are counted
    for at in range(firsts.size - size + 1):
        if firsts[at] >= 0:
            num_chars += chars[at + size] - chars[max(at, covered)]
            covered = at + size
    return num_chars
