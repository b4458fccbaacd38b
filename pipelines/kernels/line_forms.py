"""Kernel: lines and paragraphs of texts where they lie, and the normalised form of each.

What repeats across the documents of a site is looked for in this form, and cut where it lies.
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.buffers import TextBuffers
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes
from pipelines.kernels.normalise import normalise_texts

_RETURN, _NEWLINE, _SPACE = ord("\r"), ord("\n"), 0x20


class Spans(NamedTuple):
    """Stretches of ``n`` texts: those of text ``i`` are ``offsets[i]:offsets[i + 1]``.

    Stretch ``s`` is ``data[starts[s]:ends[s]]`` of the `TextBuffers` that it was found in. They
    stand in the order of the text and do not overlap. All three are int64.
    """

    offsets: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


class Forms(NamedTuple):
    """Normalised forms: form ``f``, of ``chars[f]`` characters, is ``data[starts[f]:ends[f]]``.

    ``data`` is uint8, the others int64.
    """

    starts: np.ndarray
    ends: np.ndarray
    chars: np.ndarray
    data: np.ndarray


def find_lines(texts: TextBuffers, codes: Codes, paragraphs: bool = False) -> Spans:
    """Return the lines of some texts that are not blank, each with the break that ends it.

    Lines are those of ``str.splitlines(keepends=True)``, white space at their ends included; blank
    is what holds white space only. ``codes`` are the code points of the ``texts``. With
    ``paragraphs``, lines without a blank one between them are one stretch.
    """
    classes = table.load_unicode_table().classes
    room = np.count_nonzero(classes[codes.codes] & table.LINE_BREAK) + codes.num_texts
    starts, ends = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    offsets = np.zeros(codes.num_texts + 1, dtype=np.int64)
    _find_all(texts.offsets, *codes, classes, paragraphs, offsets, starts, ends)
    return Spans(offsets, starts[: offsets[-1]], ends[: offsets[-1]])


def normal_forms(texts: TextBuffers, spans: Spans) -> Forms:
    """Return the normalised form (`pipelines.dedupe.normalise`) of each of some stretches."""
    bounds = np.zeros(max(2 * spans.starts.size, 1), dtype=np.int64)
    if spans.starts.size:
        bounds[::2], bounds[1::2] = spans.starts, spans.ends  # stretches and what is between them
    forms = normalise_texts(TextBuffers(bounds, texts.data))
    starts, ends = forms.offsets[:-1:2].copy(), forms.offsets[1::2].copy()
    chars = np.empty(starts.size, dtype=np.int64)
    _count_chars(forms.data, starts, ends, chars)
    return Forms(starts, ends, chars, forms.data)


def beginnings(
    data: np.ndarray, starts: np.ndarray, ends: np.ndarray, max_bytes: int
) -> TextBuffers:
    """Return how stretches of UTF-8 begin, in at most ``max_bytes`` bytes of whole characters.

    Spaces and control characters before and behind are left out.
    """
    sizes = np.minimum(ends - starts, max_bytes)
    offsets = np.zeros(starts.size + 1, dtype=np.int64)
    written = np.empty(int(np.sum(sizes)), dtype=np.uint8)
    _begin_all(data, starts, ends, max_bytes, offsets, written)
    return TextBuffers(offsets, written[: offsets[-1]])


@compiled
def _find_all(
    text_offsets: np.ndarray,
    code_offsets: np.ndarray,
    codes: np.ndarray,
    classes: np.ndarray,
    paragraphs: bool,
    offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
) -> None:
    num_found = 0
    for row in range(text_offsets.size - 1):
        byte = line_start = text_offsets[row]
        blank, after_blank = True, True
        end = code_offsets[row + 1]
        for at in range(code_offsets[row], end + 1):  # one more: the end of a text ends a line
            if at < end:
                code = codes[at]
                bits = classes[code]
                byte += _num_bytes(code)
                is_pair = code == _RETURN and at + 1 < end and codes[at + 1] == _NEWLINE
                if bits & table.LINE_BREAK == 0 or is_pair:
                    blank = blank and bits & table.SPACE != 0
                    continue
            if not blank:
                if after_blank or not paragraphs:
                    starts[num_found] = line_start
                    num_found += 1
                ends[num_found - 1] = byte
            line_start, blank, after_blank = byte, True, blank
        offsets[row + 1] = num_found


@compiled
def _num_bytes(code: int) -> int:
    if 0xDC00 <= code < 0xDD00:  # a byte that is not UTF-8
        return 1
    return 1 + (code >= 0x80) + (code >= 0x800) + (code >= 0x10000)


@compiled
def _count_chars(data: np.ndarray, starts: np.ndarray, ends: np.ndarray, chars: np.ndarray) -> None:
    for form in range(starts.size):
        num_chars = 0
        for at in range(starts[form], ends[form]):
            num_chars += data[at] & 0xC0 != 0x80  # all but the later bytes of a character
        chars[form] = num_chars


@compiled
def _begin_all(
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    max_bytes: int,
    offsets: np.ndarray,
    written: np.ndarray,
) -> None:
    for stretch in range(starts.size):
        start, end = starts[stretch], ends[stretch]
        while start < end and data[start] <= _SPACE:
            start += 1
        if end > start + max_bytes:
            end = start + max_bytes
            while end > start and data[end] & 0xC0 == 0x80:  # a later byte of a character
                end -= 1
        while end > start and data[end - 1] <= _SPACE:
            end -= 1
        at = offsets[stretch]
        written[at : at + end - start] = data[start:end]
        offsets[stretch + 1] = at + end - start
