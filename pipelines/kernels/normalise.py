"""Kernel: the normalised form of a text, which differs where the words differ."""

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.buffers import TextBuffers
from pipelines.kernels.compiled import compiled
from pipelines.kernels.utf8 import decode, encode

_GAP = table.SPACE | table.PUNCTUATION
_NEWLY_WRITTEN_BYTES = 4  # `encode` writes at most four


def normalise_texts(texts: TextBuffers) -> TextBuffers:
    """Return the normalised form of each text, in one pass; see `pipelines.dedupe.normalise`."""
    unicode = table.load_unicode_table()
    num_bytes = int(texts.offsets[-1] - texts.offsets[0])
    # Folding makes a character longer by half at most: two bytes become three.
    written = np.empty(num_bytes + num_bytes // 2 + _NEWLY_WRITTEN_BYTES, dtype=np.uint8)
    offsets = np.zeros(texts.num_texts + 1, dtype=np.int64)
    _normalise_all(*texts, *unicode[:2], written, offsets)
    return TextBuffers(offsets, written[: offsets[-1]])


@compiled
def _normalise_all(
    offsets: np.ndarray,
    data: np.ndarray,
    classes: np.ndarray,
    folded: np.ndarray,
    written: np.ndarray,
    ends: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        ends[row + 1] = _normalise_text(
            data, offsets[row], offsets[row + 1], classes, folded, written, ends[row]
        )


@compiled
def _normalise_text(
    data: np.ndarray,
    at: int,
    end: int,
    classes: np.ndarray,
    folded: np.ndarray,
    written: np.ndarray,
    start: int,
) -> int:
    position = start
    after_gap = False
    while at < end:
        code, width = decode(data, at, end)
        at += width
        bits = classes[code]
        if bits & _GAP:
            after_gap = position > start
        elif bits & table.INVISIBLE == 0:
            if after_gap:
                written[position] = 0x20
                position += 1
                after_gap = False
            position = encode(folded[code], written, position)
    return position
