"""Kernel: what dolma's tagger ``gopher_v1`` counts in words, lines and n-grams of words."""

from typing import NamedTuple

import numpy as np

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

TOP_NGRAMS = (2, 3, 4)
DUPLICATE_NGRAMS = (5, 6, 7, 8, 9, 10)

_LAST_TOP, _LAST = TOP_NGRAMS[-1], DUPLICATE_NGRAMS[-1]
_NEWLINE, _ELLIPSIS, _HASH_SIGN = ord("\n"), ord("…"), ord("#")
_BULLETS = (ord("*"), ord("-"))


class WordCounts(NamedTuple):
    """Words of each text, int64."""

    words: np.ndarray
    chars: np.ndarray  # characters of all words
    medians_twice: np.ndarray  # of the words' lengths: the sum of the one or two in the middle
    symbols: np.ndarray  # words with "#" or "…"
    required: np.ndarray  # words that are one of the required ones, each copy


class LineCounts(NamedTuple):
    """Lines of each text, int64: what newlines separate, untrimmed, and none in an empty text."""

    lines: np.ndarray
    bullets: np.ndarray  # that begin with "*" or "-"
    ellipses: np.ndarray  # that end with "…"
    repeated: np.ndarray  # that occur more than once, each copy
    repeated_chars: np.ndarray  # characters of those


class NgramCounts(NamedTuple):
    """Characters of words in n-grams of each text, int64; columns are the lengths of n-grams."""

    top: np.ndarray  # (texts, TOP_NGRAMS): all copies of the most frequent one, the first of equals
    repeated: np.ndarray  # (texts, DUPLICATE_NGRAMS): all copies of those that occur more than once
    total: np.ndarray  # (texts, DUPLICATE_NGRAMS): all n-grams


def count_words(
    texts: Codes, words: Words, hashes: np.ndarray, required: tuple[str, ...]
) -> WordCounts:
    """Count words (with their hashes); ``required`` are compared with case, by 64-bit hashes."""
    counts = np.zeros((texts.num_texts, len(WordCounts._fields)), dtype=np.int64)
    wanted = np.array([hash_codes(map(ord, word)) for word in required], dtype=np.uint64)
    _count_words_of_all(texts.codes, *words, hashes, wanted, counts)
    return WordCounts(*counts.T)


def count_lines(texts: Codes) -> LineCounts:
    """Count lines; they are equal if their 64-bit hashes are."""
    counts = np.zeros((texts.num_texts, len(LineCounts._fields)), dtype=np.int64)
    _count_lines_of_all(*texts, random_layout(), counts)
    return LineCounts(*counts.T)


def count_ngrams(words: Words, hashes: np.ndarray) -> NgramCounts:
    """Count n-grams of words with their hashes; a text with fewer than n words has zeros."""
    num_texts = words.offsets.size - 1
    top = np.zeros((num_texts, len(TOP_NGRAMS)), dtype=np.int64)
    repeated = np.zeros((num_texts, len(DUPLICATE_NGRAMS)), dtype=np.int64)
    total = np.zeros_like(repeated)
    _count_ngrams_of_all(*words, hashes, random_layout(), top, repeated, total)
    return NgramCounts(top, repeated, total)


@compiled
def _count_words_of_all(
    codes: np.ndarray,
    offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    hashes: np.ndarray,
    required: np.ndarray,
    counts: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        first, last = offsets[row], offsets[row + 1]
        counts[row, 0] = last - first
        lengths = ends[first:last] - starts[first:last]
        counts[row, 1] = lengths.sum()
        counts[row, 2] = _median_twice(lengths)
        counts[row, 3] = _count_symbol_words(codes, starts[first:last], ends[first:last])
        counts[row, 4] = _count_required(hashes[first:last], required)


@compiled
def _median_twice(lengths: np.ndarray) -> int:
    if lengths.size == 0:
        return 0
    by_length = np.zeros(lengths.max() + 1, dtype=np.int64)
    for length in lengths:
        by_length[length] += 1
    num_before = twice = 0
    for length in range(by_length.size):
        for middle in ((lengths.size - 1) // 2, lengths.size // 2):
            if num_before <= middle < num_before + by_length[length]:
                twice += length
        num_before += by_length[length]
    return twice


@compiled
def _count_symbol_words(codes: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> int:
    num_words = 0
    for word in range(starts.size):
        has_symbol = False
        for at in range(starts[word], ends[word]):
            has_symbol |= codes[at] == _HASH_SIGN or codes[at] == _ELLIPSIS
        num_words += has_symbol
    return num_words


@compiled
def _count_required(hashes: np.ndarray, required: np.ndarray) -> int:
    num_words = 0
    for value in hashes:
        for wanted in required:
            num_words += value == wanted
    return num_words


@compiled
def _count_lines_of_all(
    offsets: np.ndarray, codes: np.ndarray, layout_seed: np.uint64, counts: np.ndarray
) -> None:
    for row in range(offsets.size - 1):
        if offsets[row] < offsets[row + 1]:
            _count_lines(codes[offsets[row] : offsets[row + 1]], layout_seed, counts[row])


@compiled
def _count_lines(codes: np.ndarray, layout_seed: np.uint64, counts: np.ndarray) -> None:
    num_empty = 0
    hashes, lengths = np.empty(16, dtype=np.uint64), np.empty(16, dtype=np.int32)
    num_filled = 0
    start = 0
    value = HASH_START
    for at in range(codes.size + 1):
        if at < codes.size and codes[at] != _NEWLINE:
            value = hash_step(value, codes[at])
            continue
        if at == start:
            num_empty += 1
        else:
            if num_filled == hashes.size:
                hashes = np.concatenate((hashes, hashes))
                lengths = np.concatenate((lengths, lengths))
            hashes[num_filled], lengths[num_filled] = value, at - start
            num_filled += 1
            counts[1] += codes[start] in _BULLETS
            counts[2] += codes[at - 1] == _ELLIPSIS
        start, value = at + 1, HASH_START
    counts[0] = num_empty + num_filled
    _count_repeated_lines(hashes[:num_filled], lengths, layout_seed, counts)
    counts[3] += num_empty if num_empty > 1 else 0


@compiled
def _count_repeated_lines(
    hashes: np.ndarray, lengths: np.ndarray, layout_seed: np.uint64, counts: np.ndarray
) -> None:
    firsts, copies = find_copies(hashes, layout_seed)
    for line in range(hashes.size):
        if copies[firsts[line]] > 1:
            counts[3] += 1
            counts[4] += lengths[line]


@compiled
def _count_ngrams_of_all(
    offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    hashes: np.ndarray,
    layout_seed: np.uint64,
    top: np.ndarray,
    repeated: np.ndarray,
    total: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        first, last = offsets[row], offsets[row + 1]
        chars = chars_before(starts[first:last], ends[first:last])
        words = repeated_words(hashes[first:last], layout_seed)
        firsts, copies = words, words
        any_repeats = True  # once none does, longer ones do not, and firsts and copies stay
        for size in range(2, min(_LAST, last - first) + 1):
            if any_repeats:
                firsts, copies = repeated_ngrams(firsts, words, size, layout_seed)
                any_repeats = copies.max() > 0
            if size <= _LAST_TOP:
                top[row, size - 2] = _top_chars(copies, chars, size)
                continue
            total[row, size - _LAST_TOP - 1] = _ngram_chars(chars, size)
            if any_repeats:
                repeated[row, size - _LAST_TOP - 1] = _repeated_chars(firsts, chars, size)


@compiled
def _top_chars(copies: np.ndarray, chars: np.ndarray, size: int) -> int:
    top, most = 0, 1  # where nothing occurs twice, the first n-gram is the most frequent
    for at in range(copies.size):
        if copies[at] > most:
            top, most = at, copies[at]
    return most * (chars[top + size] - chars[top])


@compiled
def _ngram_chars(chars: np.ndarray, size: int) -> int:
    num_chars = 0
    for at in range(chars.size - size):
        num_chars += chars[at + size] - chars[at]
    return num_chars


@compiled
def _repeated_chars(firsts: np.ndarray, chars: np.ndarray, size: int) -> int:
    num_chars = 0
    for at in range(firsts.size - size + 1):
        if firsts[at] >= 0:
            num_chars += chars[at + size] - chars[at]
    return num_chars
