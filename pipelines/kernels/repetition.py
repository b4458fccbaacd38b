"""Kernel: how many characters stand in n-grams of words that repeat (Gopher's measures).

Rae et al. 2021 (arXiv:2112.11446, appendix A.1.1) give the measures, and leave open what is counted
where copies overlap. `count_repetition` is the project's own answer, `count_like_datatrove` that of
datatrove 0.10 (``pipeline/filters/gopher_repetition_filter.py``). Both take words of any splitter,
and time linear in words and characters; they hold about 50 bytes for each word of the longest text.
n-grams are compared by 64-bit hashes (`pipelines.kernels.word_grams`).
"""

import secrets
from typing import NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes, Words
from pipelines.kernels.first_copies import copies_scratch, find_first_copies
from pipelines.kernels.word_grams import SEQUENCE_FACTOR, extend_grams, hash_joined

TOP_LENGTHS = (2, 3, 4)  # n of the n-grams whose most frequent one is looked for
COPIED_LENGTHS = (5, 6, 7, 8, 9, 10)  # n of the n-grams whose copies are looked for


class RepetitionCounts(NamedTuple):
    """Characters in n-grams that repeat, int64 of shape (texts, lengths)."""

    top_chars: np.ndarray  # by TOP_LENGTHS
    copied_chars: np.ndarray  # by COPIED_LENGTHS


def count_repetition(words: Words, hashes: np.ndarray) -> RepetitionCounts:
    """Count characters of words in repeated n-grams, by the project's rule.

    ``hashes`` are those of the words. n-grams are equal if their words are. ``top_chars`` are the
    characters of the most frequent n-gram, times how often it stands without overlapping itself; of
    equally frequent ones the longest counts, and 0 if none stands twice. ``copied_chars`` are the
    characters of words that belong to a second or later copy of any n-gram, each counted once.
    """
    counts = _no_counts(words)
    _count_all(*words, hashes, _layout_seed(), *counts)
    return counts


def count_like_datatrove(texts: Codes, words: Words, hashes: np.ndarray) -> RepetitionCounts:
    """Count characters of repeated n-grams as datatrove does.

    ``top_chars``: n-grams are equal if their words are, joined by spaces; the most frequent one
    counts, and of equally frequent ones the first in the text, even if it stands once: its
    characters and the spaces in it, times how often it stands (overlapping itself or not).
    ``copied_chars``: n-grams are equal if their words give the same text, joined without spaces.
    Going through the text, one that was met before counts with its characters, and the n-grams that
    begin in it are passed over and not held for met.
    """
    counts = _no_counts(words)
    _count_all_like_datatrove(*words, texts.codes, hashes, _layout_seed(), *counts)
    return counts


def _no_counts(words: Words) -> RepetitionCounts:
    num_texts = words.offsets.size - 1
    return RepetitionCounts(
        np.zeros((num_texts, len(TOP_LENGTHS)), dtype=np.int64),
        np.zeros((num_texts, len(COPIED_LENGTHS)), dtype=np.int64),
    )


def _layout_seed() -> np.uint64:
    return np.uint64(secrets.randbits(64) | 1)  # lays out a table, decides no count


@compiled
def _count_all(
    offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    hashes: np.ndarray,
    layout_seed: np.uint64,
    top_chars: np.ndarray,
    copied_chars: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        begin, end = offsets[row], offsets[row + 1]
        before = _characters_before(starts[begin:end], ends[begin:end])
        _count_text(hashes[begin:end], before, layout_seed, top_chars[row], copied_chars[row])


@compiled
def _count_text(
    hashes: np.ndarray,
    before: np.ndarray,
    layout_seed: np.uint64,
    top_chars: np.ndarray,
    copied_chars: np.ndarray,
) -> None:
    factors = np.full(hashes.size, SEQUENCE_FACTOR)
    grams = hashes.copy()
    table, firsts = copies_scratch(hashes.size)
    for n in range(TOP_LENGTHS[0], min(COPIED_LENGTHS[-1], hashes.size) + 1):
        extend_grams(grams, n, hashes, factors)
        num_grams = hashes.size - n + 1
        if find_first_copies(grams[:num_grams], layout_seed, table, firsts) == 0:
            return  # what repeats in longer n-grams repeats in shorter ones
        if n <= TOP_LENGTHS[-1]:
            top_chars[n - TOP_LENGTHS[0]] = _count_most_frequent(firsts[:num_grams], before, n)
        else:
            copied_chars[n - COPIED_LENGTHS[0]] = _count_covered(firsts[:num_grams], before, n)


@compiled
def _count_most_frequent(firsts: np.ndarray, before: np.ndarray, n: int) -> int:
    num_copies = np.empty(firsts.size, dtype=np.int32)  # by the first n-gram that is equal
    free = np.empty(firsts.size, dtype=np.int32)  # the word after its last copy
    most, most_chars = 1, 0
    for at in range(firsts.size):
        first = firsts[at]
        if first == at:
            num_copies[first], free[first] = 1, at + n
        elif at >= free[first]:
            num_copies[first], free[first] = num_copies[first] + 1, at + n
            chars = before[first + n] - before[first]
            if num_copies[first] > most:
                most, most_chars = num_copies[first], chars
            elif num_copies[first] == most:
                most_chars = max(most_chars, chars)
    return most * most_chars


@compiled
def _count_covered(firsts: np.ndarray, before: np.ndarray, n: int) -> int:
    num_chars = covered = 0  # words before ``covered`` are counted, if they are to be
    for at in range(firsts.size):
        if firsts[at] != at:
            num_chars += before[at + n] - before[max(at, covered)]
            covered = at + n
    return num_chars


@compiled
def _count_all_like_datatrove(
    offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    codes: np.ndarray,
    hashes: np.ndarray,
    layout_seed: np.uint64,
    top_chars: np.ndarray,
    copied_chars: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        begin, end = offsets[row], offsets[row + 1]
        text_starts, text_ends = starts[begin:end], ends[begin:end]
        before = _characters_before(text_starts, text_ends)
        _count_top(hashes[begin:end], before, layout_seed, top_chars[row])
        joined = np.empty(end - begin, dtype=np.uint64)
        factors = np.empty(end - begin, dtype=np.uint64)
        hash_joined(codes, text_starts, text_ends, joined, factors)
        _count_copied(joined, factors, before, layout_seed, copied_chars[row])


@compiled
def _count_top(
    hashes: np.ndarray, before: np.ndarray, layout_seed: np.uint64, top_chars: np.ndarray
) -> None:
    factors = np.full(hashes.size, SEQUENCE_FACTOR)
    grams = hashes.copy()
    table, firsts = copies_scratch(hashes.size)
    for n in range(TOP_LENGTHS[0], min(TOP_LENGTHS[-1], hashes.size) + 1):
        extend_grams(grams, n, hashes, factors)
        num_grams = hashes.size - n + 1
        find_first_copies(grams[:num_grams], layout_seed, table, firsts)
        first, num_copies = _first_most_frequent(firsts[:num_grams])
        num_chars = before[first + n] - before[first] + n - 1
        top_chars[n - TOP_LENGTHS[0]] = num_chars * num_copies


@compiled
def _first_most_frequent(firsts: np.ndarray) -> tuple[int, int]:
    num_copies = np.empty(firsts.size, dtype=np.int32)  # by the first n-gram that is equal
    best = most = 0
    for at in range(firsts.size):
        first = firsts[at]
        num_copies[first] = 1 if first == at else num_copies[first] + 1
        if num_copies[first] > most or (num_copies[first] == most and first < best):
            best, most = first, num_copies[first]
    return best, most


@compiled
def _count_copied(
    joined: np.ndarray,
    factors: np.ndarray,
    before: np.ndarray,
    layout_seed: np.uint64,
    copied_chars: np.ndarray,
) -> None:
    grams = joined.copy()
    table, firsts = copies_scratch(joined.size)
    for n in range(2, min(COPIED_LENGTHS[-1], joined.size) + 1):
        extend_grams(grams, n, joined, factors)
        num_grams = joined.size - n + 1
        if n >= COPIED_LENGTHS[0] and find_first_copies(
            grams[:num_grams], layout_seed, table, firsts
        ):
            copied_chars[n - COPIED_LENGTHS[0]] = _count_met(firsts[:num_grams], before, n)


@compiled
def _count_met(firsts: np.ndarray, before: np.ndarray, n: int) -> int:
    met = np.zeros(firsts.size, dtype=np.bool_)  # by the first n-gram that is equal
    num_chars = at = 0
    while at < firsts.size:
        if met[firsts[at]]:
            num_chars += before[at + n] - before[at]
            at += n
        else:
            met[firsts[at]] = True
            at += 1
    return num_chars


@compiled
def _characters_before(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return how many characters the words before each one have, and all: int64, one more."""
    before = np.zeros(starts.size + 1, dtype=np.int64)
    for word in range(starts.size):
        before[word + 1] = before[word] + ends[word] - starts[word]
    return before
