"""Kernel: how probable the words of a text are by a table of counts.

Logarithms are fixed-point numbers of 20 binary places, correctly rounded, and a text's are added up
as integers: neither their order nor the last digit of a machine's logarithm changes a sum.
"""

import math
import secrets
from collections import Counter
from collections.abc import Iterable
from decimal import Context, Decimal
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes, Words
from pipelines.kernels.hashing import HASH_START, hash_codes

UNIT = 2**20
UNKNOWN = Fraction(1, 10**9)  # the probability of a word that is not in the table
_MARKS = table.PUNCTUATION | table.SYMBOL
_CONTEXT = Context(prec=30)
_DOUBT = 1e-4  # of UNIT: a thousand times the error of two logarithms of a machine
_FREE = np.uint64(0)


class UnigramTable(NamedTuple):
    """An open-addressed table: ``hashes`` uint64 (0 is free), ``values`` int64 in `UNIT`.

    ``seed`` decides where words lie and nothing else; ``unknown`` is the value of other words.
    """

    hashes: np.ndarray
    values: np.ndarray
    seed: np.uint64
    unknown: int


class UnigramCounts(NamedTuple):
    """What the words of each text come to, int64."""

    words: np.ndarray  # those with something left once marks are trimmed
    known: np.ndarray  # of these, those in the table
    total: np.ndarray  # natural logarithms of their probabilities, in UNIT


def logarithm(probability: Fraction) -> int:
    """Return the natural logarithm in `UNIT`, rounded to the nearest.

    The machine's logarithms decide where no error of theirs can; next to the middle between two
    numbers decimal arithmetic does, whose every digit is defined.
    """
    top, bottom = probability.numerator, probability.denominator
    near = (math.log(top) - math.log(bottom)) * UNIT
    if abs(near - math.floor(near) - 0.5) > _DOUBT:
        return round(near)
    exact = _CONTEXT.subtract(Decimal(top).ln(_CONTEXT), Decimal(bottom).ln(_CONTEXT))
    return round(_CONTEXT.multiply(exact, Decimal(UNIT)))


def build_table(counts: Iterable[tuple[str, int]]) -> UnigramTable:
    """Return the table of some words and counts; words that fold to one are one.

    A word's hash is of its characters, folded and without marks at its ends. Two words of one
    64-bit hash would be one word.
    """
    unicode = table.load_unicode_table()
    by_hash: Counter[int] = Counter()
    for word, count in counts:
        by_hash[_hash(word, unicode)] += count
    by_hash.pop(int(HASH_START), None)  # nothing but marks
    hashes = np.array(sorted(by_hash), dtype=np.uint64)
    total = sum(by_hash.values())
    value = {count: logarithm(Fraction(count, total)) for count in set(by_hash.values())}
    values = np.array([value[by_hash[int(key)]] for key in hashes], dtype=np.int64)
    num_slots = 1 << max(int(2 * hashes.size).bit_length(), 4)
    keys, kept = np.zeros(num_slots, dtype=np.uint64), np.zeros(num_slots, dtype=np.int64)
    seed = np.uint64(secrets.randbits(64) | 1)
    _fill(hashes, values, seed, keys, kept)
    return UnigramTable(keys, kept, seed, logarithm(UNKNOWN))


def count_unigrams(texts: Codes, words: Words, known: UnigramTable) -> UnigramCounts:
    """Look up the words of each text, folded and without marks at their ends."""
    unicode = table.load_unicode_table()
    counts = np.zeros((texts.num_texts, len(UnigramCounts._fields)), dtype=np.int64)
    hashes = _hash_trimmed(texts.codes, words.starts, words.ends, unicode.classes, unicode.folded)
    _count_all(words.offsets, hashes, *known, counts)
    return UnigramCounts(*counts.T)


def _hash(word: str, unicode: table.UnicodeTable) -> int:
    codes = [ord(char) for char in word]
    inside = [at for at, code in enumerate(codes) if not unicode.classes[code] & _MARKS]
    kept = codes[inside[0] : inside[-1] + 1] if inside else []
    return int(hash_codes(int(unicode.folded[code]) for code in kept))


@compiled
def _hash_trimmed(
    codes: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    classes: np.ndarray,
    folded: np.ndarray,
) -> np.ndarray:
    """Return the hash of each word between its first and last character that is no mark."""
    hashes = np.empty(starts.size, dtype=np.uint64)
    for word in range(starts.size):
        running = trimmed = HASH_START  # of the word so far, and up to the last such character
        for at in range(starts[word], ends[word]):
            is_mark = classes[codes[at]] & _MARKS != 0
            if not is_mark or trimmed != HASH_START:
                running = (running ^ np.uint64(folded[codes[at]])) * np.uint64(0x100000001B3)
            if not is_mark:
                trimmed = running
        hashes[word] = trimmed
    return hashes


@compiled
def _fill(
    hashes: np.ndarray, values: np.ndarray, seed: np.uint64, keys: np.ndarray, kept: np.ndarray
) -> None:
    for index in range(hashes.size):
        slot = _find(hashes[index], seed, keys)
        keys[slot] = hashes[index]
        kept[slot] = values[index]


@compiled
def _find(key: np.uint64, seed: np.uint64, keys: np.ndarray) -> np.int64:
    """Return the slot where a key stands, or the free one where it would."""
    mask = np.uint64(keys.size - 1)
    slot = ((key ^ (key >> np.uint64(32))) * seed) >> np.uint64(24) & mask
    while keys[slot] != _FREE and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return np.int64(slot)


@compiled
def _count_all(
    offsets: np.ndarray,
    hashes: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray,
    seed: np.uint64,
    unknown: int,
    counts: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        num_words = num_known = total = 0
        for word in range(offsets[row], offsets[row + 1]):
            if hashes[word] == HASH_START:
                continue
            slot = _find(hashes[word], seed, keys)
            is_known = keys[slot] != _FREE
            num_words += 1
            num_known += is_known
            total += values[slot] if is_known else unknown
        counts[row, 0], counts[row, 1], counts[row, 2] = num_words, num_known, total
