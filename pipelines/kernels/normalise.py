"""Kernel: the normalised form of a text, which differs where the words differ."""

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.buffers import TextBuffers
from pipelines.kernels.compiled import compiled
from pipelines.kernels.utf8 import decode, encode, scratch_for

_GAP = table.SPACE | table.PUNCTUATION
_ONE_SPACE = 0x20


def normalise_texts(texts: TextBuffers) -> TextBuffers:
    """Return the normalised form of each text; what that is says `pipelines.dedupe.normalise`."""
    unicode = table.load_unicode_table()
    num_bytes = int(texts.offsets[-1] - texts.offsets[0])
    # Folding makes a character longer by half at most: two bytes become three.
    written = np.empty(num_bytes + num_bytes // 2, dtype=np.uint8)
    offsets = np.zeros(texts.num_texts + 1, dtype=np.int64)
    _normalise_all(*texts, unicode.classes, unicode.folded, written, offsets)
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
    scratch = scratch_for(offsets)
    for row in range(offsets.size - 1):
        codes = decode(data, offsets[row], offsets[row + 1], scratch)
        form = _normalise_text(codes, classes, folded)
        ends[row + 1] = encode(form, written, ends[row])


@compiled
def _normalise_text(codes: np.ndarray, classes: np.ndarray, folded: np.ndarray) -> np.ndarray:
    """Write the form over the text, of which it is never ahead, and return the part written."""
    num_written = 0
    after_gap = False
    for code in codes:
        bits = classes[code]
        if bits & _GAP:
            after_gap = num_written > 0
        elif bits & table.INVISIBLE == 0:
            if after_gap:
                codes[num_written] = _ONE_SPACE
                num_written += 1
                after_gap = False
            codes[num_written] = folded[code]
            num_written += 1
    return codes[:num_written]
