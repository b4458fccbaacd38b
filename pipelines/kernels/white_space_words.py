"""Kernel: words as ``str.split`` gives them, as spans of code points."""

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes, Words


def white_space_words(texts: Codes) -> Words:
    """Return what white space separates, marks included."""
    offsets = np.zeros(texts.num_texts + 1, dtype=np.int64)
    room = (texts.codes.size + texts.num_texts + 1) // 2  # a word and a space each, or a text's end
    starts, ends = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    _split_all(*texts, table.load_unicode_table().classes, offsets, starts, ends)
    return Words(offsets, starts[: offsets[-1]], ends[: offsets[-1]])


@compiled
def _split_all(
    offsets: np.ndarray,
    codes: np.ndarray,
    classes: np.ndarray,
    word_offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
) -> None:
    num_words = 0
    for row in range(offsets.size - 1):
        inside = False
        for at in range(offsets[row], offsets[row + 1]):
            is_space = classes[codes[at]] & table.SPACE != 0
            if inside and is_space:
                ends[num_words] = at
                num_words += 1
            elif not inside and not is_space:
                starts[num_words] = at
            inside = not is_space
        if inside:
            ends[num_words] = offsets[row + 1]
            num_words += 1
        word_offsets[row + 1] = num_words
