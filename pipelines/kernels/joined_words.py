"""Kernel: the words of texts as UTF-8, with one space between neighbours.

So any run of neighbouring words is one range of bytes: what hashes of bytes are asked of.
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes, Words
from pipelines.kernels.utf8 import encode

_SPACE = np.uint8(0x20)


class JoinedWords(NamedTuple):
    """Words ``v`` to ``w`` of a text are ``data[starts[v] : starts[w + 1] - 1]``, with spaces.

    ``offsets`` is int64, as of `Words`; ``starts`` int64, one longer than there are words; ``data``
    uint8, with a space behind each word.
    """

    offsets: np.ndarray
    starts: np.ndarray
    data: np.ndarray


def join_words(texts: Codes, words: Words) -> JoinedWords:
    """Return the words of some texts as bytes."""
    starts = np.zeros(words.starts.size + 1, dtype=np.int64)
    _measure(texts.codes, words.starts, words.ends, starts)
    data = np.empty(starts[-1], dtype=np.uint8)
    _encode_all(texts.codes, words.starts, words.ends, starts, data)
    return JoinedWords(words.offsets, starts, data)


@compiled
def _measure(codes: np.ndarray, starts: np.ndarray, ends: np.ndarray, places: np.ndarray) -> None:
    for word in range(starts.size):
        size = 1  # the space
        for at in range(starts[word], ends[word]):
            code = codes[at]
            size += 1 + (code >= 0x80) + (code >= 0x800) + (code >= 0x10000)
            size -= 2 * (0xDC00 <= code < 0xDD00)  # a byte that is not UTF-8
        places[word + 1] = places[word] + size


@compiled
def _encode_all(
    codes: np.ndarray, starts: np.ndarray, ends: np.ndarray, places: np.ndarray, data: np.ndarray
) -> None:
    for word in range(starts.size):
        end = encode(codes[starts[word] : ends[word]], data, places[word])
        data[end] = _SPACE
