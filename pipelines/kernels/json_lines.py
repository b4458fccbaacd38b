"""Kernel: the text, id and address of simple lines of JSON, unescaped, in one pass over the bytes.

A line is read here only if that needs no judgement: an object whose wanted fields stand once, as
strings in valid UTF-8 without lone surrogates (the id also as a short integer). All other members
are handed on as they were written, as an object of their own, for a parser to read: the line is
JSON exactly if that object is. What is not so simple is `ODD` and left to a parser as a whole.
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.json_strings import (
    IS_UNCLEAN,
    IS_VISIBLE,
    char_kinds,
    copy_string,
    skip_name,
    skip_string,
)

BLANK, ODD, UNCLEAN, CLEAN = range(4)  # what a line is; the last two differ in their text alone
START, END, FATE, TEXT, ID, URL, REST = 0, 1, 2, 3, 5, 7, 9  # columns; fields have start and end
_NUM_COLUMNS = 11

_QUOTE, _NEWLINE, _COMMA, _COLON = ord('"'), ord("\n"), ord(","), ord(":")
_MINUS, _ZERO, _NINE = ord("-"), ord("0"), ord("9")
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = ord("{"), ord("}"), ord("["), ord("]")
_SPACE, _TAB, _RETURN = ord(" "), ord("\t"), ord("\r")
_MAX_ID_DIGITS = 18
_REFUSED = -2  # of a wanted field: the line is odd


class JsonLines(NamedTuple):
    """Lines, a row each: int64 of the columns above; a field that is not there starts at -1.

    `START` and `END` (without the line end) are in the data, `TEXT` in ``texts`` (uint8), one
    behind the other, `ID` and `URL` in ``values``, `REST`, the object of the other members, in
    ``rest``. A `CLEAN` text is what `pipelines.ingest.text.clean_text` leaves as it is, and not
    only white space. Of lines that are odd or blank, only `START`, `END` and `FATE` have a meaning.
    """

    lines: np.ndarray
    texts: np.ndarray
    values: bytes
    rest: bytes


def scan_lines(
    data: bytes, num_lines: int, names: tuple[bytes, bytes, bytes], max_bytes: int
) -> JsonLines:
    """Read so many lines, each with its line end; those over ``max_bytes`` are odd.

    ``names`` are those of the text's field, the id's and the address's in UTF-8; of equal ones the
    first counts, and an empty one is that of no field.
    """
    lines = np.full((num_lines, _NUM_COLUMNS), -1, dtype=np.int64)
    texts, values, rest = (np.empty(len(data), dtype=np.uint8) for _ in range(3))
    ends = np.cumsum([len(name) for name in names])
    joined = np.frombuffer(b"".join(names) + b"\n", dtype=np.uint8)
    content = np.frombuffer(data, dtype=np.uint8)
    sizes = _scan(content, joined, ends, max_bytes, char_kinds(), lines, texts, values, rest)
    num_text, num_values, num_rest = sizes
    return JsonLines(
        lines, texts[:num_text], values[:num_values].tobytes(), rest[:num_rest].tobytes()
    )


@compiled
def _scan(
    data: np.ndarray,
    names: np.ndarray,
    name_ends: np.ndarray,
    max_bytes: int,
    kinds: np.ndarray,
    lines: np.ndarray,
    texts: np.ndarray,
    values: np.ndarray,
    rest: np.ndarray,
) -> tuple[int, int, int]:
    at = num_text = num_values = num_rest = 0
    for line in range(lines.shape[0]):
        row, start = lines[line], at
        row[START] = start
        at, to_text, to_value, to_rest = _read_line(
            data,
            start,
            names,
            name_ends,
            kinds,
            row,
            texts,
            num_text,
            values,
            num_values,
            rest,
            num_rest,
        )
        if at < 0 or at - start > max_bytes:
            at = _line_end(data, start)
            row[FATE] = BLANK if _is_blank(data, start) else ODD
        else:
            num_text, num_values, num_rest = to_text, to_value, to_rest
        row[END] = at
        at += 1
    return num_text, num_values, num_rest


@compiled
def _read_line(
    data: np.ndarray,
    at: int,
    names: np.ndarray,
    name_ends: np.ndarray,
    kinds: np.ndarray,
    row: np.ndarray,
    texts: np.ndarray,
    to_text: int,
    values: np.ndarray,
    to_value: int,
    rest: np.ndarray,
    to_rest: int,
) -> tuple[int, int, int, int]:
    """Read an object; return where its line ends, -1 if it is odd, and where what it holds does."""
    odd = (-1, 0, 0, 0)
    first_rest = to_rest
    seen = 0
    at = _skip_space(data, at)
    if data[at] != _OPEN:
        return odd
    while True:
        start = _skip_space(data, at + 1)
        at = skip_name(data, start)
        if at < 0:
            return odd
        field = _find_name(data, start + 1, at - 1, names, name_ends)
        at = _skip_space(data, at)
        if data[at] != _COLON:
            return odd
        at = _skip_space(data, at + 1)
        if field >= 0:
            if seen >> field & 1:
                return odd
            seen |= 1 << field
        if field == 0:
            end, to, marks = _take(data, at, field, texts, to_text, kinds)
        else:
            end, to, marks = _take(data, at, field, values, to_value, kinds)
        if end == _REFUSED:
            return odd
        if end < 0:
            end = _skip_value(data, at)
            if end < 0:
                return odd
            to_rest = _append(data, start, end, rest, to_rest, to_rest == first_rest)
        else:
            first = to_value if field else to_text
            row[TEXT + 2 * field], row[TEXT + 2 * field + 1] = first, to
            if field:
                to_value = to
            else:
                to_text = to
                row[FATE] = CLEAN if marks & (IS_UNCLEAN | IS_VISIBLE) == IS_VISIBLE else UNCLEAN
        at = _skip_space(data, end)
        if data[at] != _COMMA:
            break
    if data[at] != _CLOSE or seen & 1 == 0:
        return odd
    at = _skip_space(data, at + 1)
    if data[at] != _NEWLINE:
        return odd
    if to_rest > first_rest:
        rest[to_rest] = _CLOSE
        row[REST], row[REST + 1] = first_rest, to_rest + 1
        to_rest += 1
    return at, to_text, to_value, to_rest


@compiled
def _is_blank(data: np.ndarray, at: int) -> bool:
    """Return whether a line holds nothing but what `bytes.isspace` calls white space."""
    while data[at] == _SPACE or (_TAB <= data[at] <= _RETURN and data[at] != _NEWLINE):
        at += 1
    return data[at] == _NEWLINE


@compiled
def _line_end(data: np.ndarray, at: int) -> int:
    while data[at] != _NEWLINE:
        at += 1
    return at


@compiled
def _skip_space(data: np.ndarray, at: int) -> int:
    """Return where the white space of JSON, but for line ends, ends."""
    while data[at] == _SPACE or data[at] == _TAB or data[at] == _RETURN:
        at += 1
    return at


@compiled
def _find_name(
    data: np.ndarray, start: int, end: int, names: np.ndarray, name_ends: np.ndarray
) -> int:
    """Return which of the names stands in ``data[start:end]``, -1 for none of them."""
    first = 0
    for name in range(name_ends.size):
        if 0 < end - start == name_ends[name] - first:
            at = 0
            while at < end - start and data[start + at] == names[first + at]:
                at += 1
            if at == end - start:
                return name
        first = name_ends[name]
    return -1


@compiled
def _skip_value(data: np.ndarray, at: int) -> int:
    """Return where the comma or brace after a value stands, -1 if none does in the line.

    What is not JSON may pass: brackets are counted, not paired.
    """
    depth = 0
    while True:
        byte = data[at]
        if byte == _QUOTE:
            at = skip_string(data, at + 1)
            if at < 0:
                return -1
            continue
        if byte == _NEWLINE:
            return -1
        if depth == 0 and (byte in (_COMMA, _CLOSE)):
            return at
        if byte in (_OPEN, _OPEN_LIST):
            depth += 1
        elif byte in (_CLOSE, _CLOSE_LIST):
            depth -= 1
            if depth < 0:
                return -1
        at += 1


@compiled
def _append(
    data: np.ndarray, start: int, end: int, rest: np.ndarray, to: int, is_first: bool
) -> int:
    rest[to] = _OPEN if is_first else _COMMA
    for at in range(start, end):
        rest[to + 1 + at - start] = data[at]
    return to + 1 + end - start


@compiled
def _take(
    data: np.ndarray, at: int, field: int, values: np.ndarray, to: int, kinds: np.ndarray
) -> tuple[int, int, int]:
    """Copy the value of a wanted field; return where it ends, -1 if it is not of the kind wanted.

    With it, where its copy ends and its marks.
    """
    if field >= 0 and data[at] == _QUOTE:
        end, to_end, marks = copy_string(data, at + 1, values, to, kinds)
        if end < 0:
            return _REFUSED, to, 0
        is_no_id = field == 1 and to_end == to
        return (-1, to, 0) if is_no_id else (end, to_end, marks)
    if field == 1:
        end, to_end = _copy_integer(data, at, values, to)
        return end, to_end, 0
    return (_REFUSED if field == 0 else -1), to, 0


@compiled
def _copy_integer(data: np.ndarray, at: int, values: np.ndarray, to: int) -> tuple[int, int]:
    """Copy an integer as `str` writes it; return where it ends, -1 if it is none or long."""
    first = at
    if data[at] == _MINUS:
        at += 1
    digits = at
    while _ZERO <= data[at] <= _NINE:
        at += 1
    is_plain = 0 < at - digits <= _MAX_ID_DIGITS
    if not is_plain or (data[digits] == _ZERO and at - first > 1):
        return -1, to
    after = data[_skip_space(data, at)]
    if after != _COMMA and after != _CLOSE:
        return -1, to
    for place in range(first, at):
        values[to + place - first] = data[place]
    return at, to + at - first
