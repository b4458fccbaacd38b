"""Kernel: hashes of the words of texts' normalised forms, without writing the forms.

What is compared of near-duplicates is their words as `pipelines.dedupe.normalise` leaves them:
folded, divided by white space and punctuation, without invisible characters.
"""

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes
from pipelines.kernels.hashing import HASH_START, hash_step

_GAP = table.SPACE | table.PUNCTUATION


def normal_words(texts: Codes) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(offsets, hashes)``: text ``i`` has the words ``hashes[offsets[i]:offsets[i + 1]]``.

    ``offsets`` is int64 of length ``n + 1``; a hash (uint64) is `pipelines.kernels.hashing`'s
    ``hash_codes`` of a word between the spaces of the form.
    """
    unicode = table.load_unicode_table()
    offsets = np.zeros(texts.num_texts + 1, dtype=np.int64)
    room = (texts.codes.size + texts.num_texts + 1) // 2  # a word and a gap each, or a text's end
    hashes = np.empty(room, dtype=np.uint64)
    _hash_all(*texts, unicode.classes, unicode.folded, offsets, hashes)
    return offsets, hashes[: offsets[-1]]


@compiled
def _hash_all(
    offsets: np.ndarray,
    codes: np.ndarray,
    classes: np.ndarray,
    folded: np.ndarray,
    ends: np.ndarray,
    hashes: np.ndarray,
) -> None:
    num_words = 0
    for row in range(offsets.size - 1):
        value, inside = HASH_START, False
        for at in range(np.uint64(offsets[row]), np.uint64(offsets[row + 1])):  # faster than signed
            code = np.uint32(codes[at])
            bits = classes[code]
            if bits & _GAP:
                if inside:
                    hashes[num_words] = value
                    num_words += 1
                value, inside = HASH_START, False
            elif bits & table.INVISIBLE == 0:
                value, inside = hash_step(value, folded[code]), True
        if inside:
            hashes[num_words] = value
            num_words += 1
        ends[row + 1] = num_words
