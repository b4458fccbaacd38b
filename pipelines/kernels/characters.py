"""Kernel: how many characters of each class a text has."""

from typing import NamedTuple

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes


class CharacterCounts(NamedTuple):
    """Characters (code points) of each text, int64; a character may be in several classes."""

    chars: np.ndarray
    spaces: np.ndarray
    alphabetic: np.ndarray
    digits: np.ndarray
    upper: np.ndarray
    symbols: np.ndarray  # punctuation marks too


def count_characters(texts: Codes) -> CharacterCounts:
    """Count the characters of each text."""
    counts = np.zeros((texts.num_texts, len(CharacterCounts._fields)), dtype=np.int64)
    _count_all(*texts, table.load_unicode_table().classes, counts)
    return CharacterCounts(*counts.T)


@compiled
def _count_all(
    offsets: np.ndarray, all_codes: np.ndarray, classes: np.ndarray, counts: np.ndarray
) -> None:
    for row in range(offsets.size - 1):
        codes = all_codes[offsets[row] : offsets[row + 1]]
        _count_text(codes, classes, counts[row])


@compiled
def _count_text(codes: np.ndarray, classes: np.ndarray, counts: np.ndarray) -> None:
    by_class = np.zeros(256, dtype=np.int64)
    for code in codes:
        by_class[classes[code]] += 1
    for bits in range(256):
        num = by_class[bits]
        counts[0] += num
        counts[1] += num * (bits & table.SPACE != 0)
        counts[2] += num * (bits & table.ALPHABETIC != 0)
        counts[3] += num * (bits & table.DIGIT != 0)
        counts[4] += num * (bits & table.UPPER != 0)
        counts[5] += num * (bits & (table.PUNCTUATION | table.SYMBOL) != 0)
