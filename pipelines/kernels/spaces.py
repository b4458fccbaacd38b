"""Kernel: what SentencePiece does to the spaces of a text before it looks at its pieces.

Source: ``Normalizer::Normalize`` of ``normalizer.cc``, for a model without a charsmap.
"""

import numpy as np

from pipelines.kernels.buffers import TextBuffers
from pipelines.kernels.compiled import compiled

_SPACE = ord(" ")
_SHOWN = (0xE2, 0x96, 0x81)  # U+2581 as UTF-8


def normalise_spaces(
    texts: TextBuffers, remove_extra: bool, prefix: bool, suffix: bool
) -> TextBuffers:
    """Return the texts with spaces as a model wants them; the very same if it wants nothing.

    ``remove_extra`` takes those at both ends, and all but the first of a run; U+2581 is a space
    at the end only. ``prefix`` and ``suffix`` put one at the beginning or end of a text that is
    not empty.
    """
    if not (remove_extra or prefix or suffix):
        return texts
    num_bytes = int(texts.offsets[-1] - texts.offsets[0])
    data = np.empty(num_bytes + 2 * texts.num_texts, np.uint8)
    offsets = np.zeros(texts.num_texts + 1, np.int64)
    _normalise_all(*texts, remove_extra, prefix, suffix, offsets, data)
    return TextBuffers(offsets, data)


@compiled
def _normalise_all(
    text_offsets: np.ndarray,
    data: np.ndarray,
    remove_extra: bool,
    prefix: bool,
    suffix: bool,
    offsets: np.ndarray,
    out: np.ndarray,
) -> None:
    written = 0
    for row in range(text_offsets.size - 1):
        at, end = text_offsets[row], text_offsets[row + 1]
        begin = written
        while remove_extra and at < end and data[at] == _SPACE:
            at += 1
        if at < end:
            if prefix:
                out[written] = _SPACE
                written += 1
            is_extra = False
            for index in range(at, end):
                if not (is_extra and data[index] == _SPACE):
                    out[written] = data[index]
                    written += 1
                is_extra = remove_extra and data[index] == _SPACE
            if remove_extra:
                written = _trimmed(out, begin, written)
            if suffix:
                out[written] = _SPACE
                written += 1
        offsets[row + 1] = written


@compiled
def _trimmed(out: np.ndarray, begin: int, end: int) -> int:
    """Return where a text ends without the spaces at its end."""
    while end > begin:
        if out[end - 1] == _SPACE:
            end -= 1
        elif (
            end - begin >= 3
            and out[end - 3] == _SHOWN[0]
            and out[end - 2] == _SHOWN[1]
            and out[end - 1] == _SHOWN[2]
        ):
            end -= 3
        else:
            break
    return end
