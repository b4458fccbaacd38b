"""Kernel: taking stretches out of texts.

Stretches are given as bytes of each text. Those of lines may take blank lines with them, so that no
gap is left behind; those of any bytes leave a character of which they hold only a part.
"""

import numpy as np

from pipelines.kernels.buffers import TextBuffers
from pipelines.kernels.compiled import compiled
from pipelines.kernels.line_forms import Spans

_NEWLINE, _SPACE, _TAB = ord("\n"), ord(" "), ord("\t")
_MAX_FOLLOWING = 3  # bytes of a character after its first


def join_spans(num_texts: int, rows: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> Spans:
    """Return the union of stretches of texts, of which each is given by its text's number.

    They come in any order and may overlap; those that touch become one, and empty ones none.
    """
    order = np.lexsort((ends, starts, rows))
    rows, starts, ends = rows[order], starts[order], ends[order]
    offsets = np.zeros(num_texts + 1, dtype=np.int64)
    size = _join_all(rows.astype(np.int64), starts, ends, offsets)
    return Spans(np.cumsum(offsets), starts[:size], ends[:size])


def unite(one: Spans, other: Spans) -> Spans:
    """Return the union of stretches of the same texts."""
    rows = np.concatenate((rows_of(one), rows_of(other)))
    starts = np.concatenate((one.starts, other.starts))
    ends = np.concatenate((one.ends, other.ends))
    return join_spans(one.offsets.size - 1, rows, starts, ends)


def rows_of(spans: Spans) -> np.ndarray:
    """Return the number of the text that each stretch lies in, int64."""
    return np.repeat(np.arange(spans.offsets.size - 1), np.diff(spans.offsets))


def count_bytes(spans: Spans) -> np.ndarray:
    """Return how many bytes the stretches of each text have, int64."""
    sizes = np.zeros(spans.starts.size + 1, dtype=np.int64)
    np.cumsum(spans.ends - spans.starts, out=sizes[1:])
    return np.diff(sizes[spans.offsets])


def with_blank_lines(texts: TextBuffers, spans: Spans) -> Spans:
    """Widen stretches of whole lines, so that cutting them leaves no heap of blank lines.

    Blank lines (spaces and tabs only, between newlines) behind a stretch go with it where a blank
    line, or nothing, stands before it. A stretch at the end of a text takes the white space before
    it, even that between stretches. ``spans`` are those of `join_spans`: lines that touch are one.
    """
    starts, ends = spans.starts.copy(), spans.ends.copy()
    _widen_all(*texts, spans.offsets, starts, ends)
    return join_spans(texts.num_texts, rows_of(spans), starts, ends)


def whole_characters(texts: TextBuffers, spans: Spans) -> Spans:
    """Narrow stretches to the characters that lie in them as a whole."""
    starts, ends = spans.starts.copy(), spans.ends.copy()
    _narrow_all(*texts, spans.offsets, starts, ends)
    return join_spans(texts.num_texts, rows_of(spans), starts, ends)


def cut_texts(texts: TextBuffers, spans: Spans) -> TextBuffers:
    """Return the texts without the stretches."""
    offsets = np.zeros(texts.num_texts + 1, dtype=np.int64)
    num_bytes = texts.offsets[-1] - texts.offsets[0] - np.sum(spans.ends - spans.starts)
    kept = np.empty(int(num_bytes), dtype=np.uint8)
    _cut_all(*texts, *spans, offsets, kept)
    kept.flags.writeable = False
    return TextBuffers(offsets, kept)


@compiled
def _join_all(rows: np.ndarray, starts: np.ndarray, ends: np.ndarray, counts: np.ndarray) -> int:
    """Join sorted stretches in place, count them by row after the first count, return how many."""
    num_joined, last_row = 0, -1
    for index in range(rows.size):
        row, start, end = rows[index], starts[index], ends[index]
        if start >= end:
            continue
        if row == last_row and start <= ends[num_joined - 1]:
            ends[num_joined - 1] = max(ends[num_joined - 1], end)
            continue
        starts[num_joined], ends[num_joined] = start, end
        num_joined += 1
        counts[row + 1] += 1
        last_row = row
    return num_joined


@compiled
def _widen_all(
    text_offsets: np.ndarray,
    data: np.ndarray,
    offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
) -> None:
    for row in range(text_offsets.size - 1):
        first, last = text_offsets[row], text_offsets[row + 1]
        last_span = offsets[row + 1] - 1
        is_widened = False  # whether the stretch before this one reaches up to it
        for span in range(offsets[row], offsets[row + 1]):
            touches = is_widened and ends[span - 1] == starts[span]
            is_widened = touches or _is_after_blank(data, first, starts[span])
            if is_widened:
                ends[span] = _skip_blank_lines(data, ends[span], last)
        if last_span >= offsets[row] and ends[last_span] == last:
            starts[last_span] = _skip_back(data, first, offsets[row], last_span, starts, ends)


@compiled
def _is_after_blank(data: np.ndarray, first: int, at: int) -> bool:
    """Return whether the line that ends before ``at`` is blank, or there is none."""
    at -= 1
    if at >= first and data[at] != _NEWLINE:
        return False
    at -= 1
    while at >= first and (data[at] == _SPACE or data[at] == _TAB):
        at -= 1
    return at < first or data[at] == _NEWLINE


@compiled
def _skip_blank_lines(data: np.ndarray, at: int, last: int) -> int:
    """Return where the first line that is not blank begins, at or behind the line at ``at``."""
    line_start = at
    while at < last and _is_white(data[at]):
        at += 1
        if data[at - 1] == _NEWLINE:
            line_start = at
    return at if at == last else line_start


@compiled
def _skip_back(
    data: np.ndarray, first: int, first_span: int, span: int, starts: np.ndarray, ends: np.ndarray
) -> int:
    """Return where the white space begins that stands before a stretch, other stretches aside."""
    at = starts[span]
    while at > first:
        while at > first and _is_white(data[at - 1]):
            at -= 1
        if span == first_span or ends[span - 1] < at:
            break
        span -= 1
        at = starts[span]
    return at


@compiled
def _is_white(byte: int) -> bool:
    return byte in (_NEWLINE, _SPACE, _TAB)


@compiled
def _is_following(byte: int) -> bool:
    return byte & 0xC0 == 0x80


@compiled
def _narrow_all(
    text_offsets: np.ndarray,
    data: np.ndarray,
    offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
) -> None:
    for row in range(text_offsets.size - 1):
        first, last = text_offsets[row], text_offsets[row + 1]
        for span in range(offsets[row], offsets[row + 1]):
            start, end = starts[span], ends[span]
            if start > first:
                while start < end and start < starts[span] + _MAX_FOLLOWING:
                    if not _is_following(data[start]):
                        break
                    start += 1
            while start < end < last and end > ends[span] - _MAX_FOLLOWING:
                if not _is_following(data[end]):
                    break
                end -= 1
            starts[span], ends[span] = start, end


@compiled
def _cut_all(
    text_offsets: np.ndarray,
    data: np.ndarray,
    offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    kept_offsets: np.ndarray,
    kept: np.ndarray,
) -> None:
    written = 0
    for row in range(text_offsets.size - 1):
        at = text_offsets[row]
        for span in range(offsets[row], offsets[row + 1] + 1):
            is_last = span == offsets[row + 1]
            end = text_offsets[row + 1] if is_last else starts[span]
            kept[written : written + end - at] = data[at:end]
            written += end - at
            at = end if is_last else ends[span]
        kept_offsets[row + 1] = written
