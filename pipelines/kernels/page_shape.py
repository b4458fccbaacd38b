"""Kernel: how large the tree of an HTML page can become, told from its tags before it is parsed.

Parsers and extractors take more than linear time in attributes, depth and open formatting elements
(``<b>`` that is not closed is opened again in every later paragraph). What is measured here bounds
all three, in one pass over the bytes that follows the HTML standard as far as that needs: raw text,
void elements, end tags that may be left out, scopes that end at tables.
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled


class PageShape(NamedTuple):
    """What stands in a page: start tags, attributes of the richest tag, deepest nesting of tags.

    Reading stops where a limit is passed, so that a larger number means "over the limit" only.
    Nesting counts open formatting elements too, of equal ones at most three.
    """

    num_tags: int
    num_attributes: int
    depth: int


def page_shape(data: bytes, max_tags: int, max_depth: int) -> PageShape:
    """Measure a page in UTF-8 (or anything that writes markup in ASCII)."""
    view = np.frombuffer(data, dtype=np.uint8)
    return PageShape(*(int(value) for value in _measure(view, max_tags, max_depth, _NAMES, _KINDS)))


_PLAIN, _VOID, _RAW, _LOOSE, _FORMAT, _BARRIER, _FOREIGN = range(7)
_KIND_OF = {
    _VOID: "area base br col embed hr img input link meta param source track wbr frame keygen",
    _RAW: "script style textarea title xmp iframe noembed noframes",
    _LOOSE: "p li dt dd tr td th tbody thead tfoot option optgroup colgroup rp rt caption",
    _FORMAT: "a b big code em font i nobr s small strike strong tt u",
    _BARRIER: "table template object applet marquee button select html",
    _FOREIGN: "svg math",
}
_OFFSET, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_MASK = (1 << 64) - 1
_LT, _GT, _SLASH, _EQUALS, _BANG, _DASH, _QUESTION = (ord(char) for char in "<>/=!-?")
_QUOTE, _APOSTROPHE = ord('"'), ord("'")
_EQUAL_ALLOWED = 3  # the standard keeps three equal formatting elements ("Noah's Ark")


def _hash(name: str) -> int:
    value = int(_OFFSET)
    for byte in name.encode():
        value = ((value ^ byte) * int(_PRIME)) & _MASK
    return value


_TABLE = sorted((_hash(name), kind) for kind, names in _KIND_OF.items() for name in names.split())
_NAMES = np.array([name for name, _ in _TABLE], dtype=np.uint64)
_KINDS = np.array([kind for _, kind in _TABLE], dtype=np.int64)


@compiled
def _measure(
    data: np.ndarray, max_tags: int, max_depth: int, names: np.ndarray, kinds: np.ndarray
) -> tuple[int, int, int]:
    stack, stack_kinds = np.empty(max_depth + 2, np.uint64), np.empty(max_depth + 2, np.int64)
    open_names, open_tags = np.empty(max_depth + 2, np.uint64), np.empty(max_depth + 2, np.uint64)
    open_at = np.empty(max_depth + 2, np.int64)
    height = num_open = num_foreign = num_tags = most_attributes = deepest = 0
    at, size = 0, data.size
    while at < size and num_tags <= max_tags and deepest <= max_depth:
        while at < size and data[at] != _LT:
            at += 1
        if at + 1 >= size:
            break
        is_end = data[at + 1] == _SLASH
        start = at + 1 + is_end
        if start >= size or not _is_letter(data[start]):
            at = _after_declaration(data, at + 1)
            continue
        name, name_end = _name(data, start)
        num_attributes, end = _attributes(data, name_end)
        at = end
        found = np.searchsorted(names, name)
        is_known = found < names.size and names[found] == name
        kind = kinds[found] if is_known else _PLAIN
        if is_end:
            if kind == _FORMAT:
                num_open = _close_format(
                    name, open_names, open_tags, open_at, num_open, stack_kinds, height
                )
            else:
                height = _close(name, kind, stack, stack_kinds, height)
        else:
            num_tags += 1
            most_attributes = max(most_attributes, num_attributes)
            if kind == _FORMAT:
                tag = _hash_bytes(data, start, end)
                if _count(open_tags, num_open, tag) < _EQUAL_ALLOWED:
                    open_names[num_open], open_tags[num_open] = name, tag
                    open_at[num_open] = height
                    num_open += 1
            elif kind == _RAW and num_foreign == 0:
                at = _after_raw(data, end, name)
            elif kind != _VOID and not (num_foreign and end >= 2 and data[end - 2] == _SLASH):
                if kind == _LOOSE:
                    height = _close_loose(name, stack, stack_kinds, height)
                stack[height], stack_kinds[height] = name, kind
                height += 1
        if kind == _FOREIGN or (num_foreign and is_end):
            num_foreign = _count_kind(stack_kinds, height, _FOREIGN)
        deepest = max(deepest, height + num_open)
    return num_tags, most_attributes, deepest


@compiled
def _is_letter(byte: int) -> bool:
    return 97 <= (byte | 32) <= 122


@compiled
def _is_space(byte: int) -> bool:
    return byte == 32 or 9 <= byte <= 13


@compiled
def _after_declaration(data: np.ndarray, at: int) -> int:
    """Return where a comment or declaration ends that begins after ``<``, ``at`` if none does."""
    size = data.size
    if data[at] == _BANG and at + 2 < size and data[at + 1] == _DASH and data[at + 2] == _DASH:
        at += 1  # the dashes of <!--> and <!---> both open and close it
        while at + 2 < size and not (
            data[at] == _DASH and data[at + 1] == _DASH and data[at + 2] == _GT
        ):
            at += 1
        return min(at + 3, size)
    if data[at] == _BANG or data[at] == _QUESTION or data[at] == _SLASH:
        while at < size and data[at] != _GT:
            at += 1
    return at


@compiled
def _name(data: np.ndarray, at: int) -> tuple[np.uint64, int]:
    start = at
    while at < data.size and not (_is_space(data[at]) or data[at] == _SLASH or data[at] == _GT):
        at += 1
    return _hash_bytes(data, start, at), at


@compiled
def _hash_bytes(data: np.ndarray, start: int, end: int) -> np.uint64:
    value = _OFFSET
    for at in range(start, end):
        byte = data[at]
        value = (value ^ np.uint64(byte | 32 if 65 <= byte <= 90 else byte)) * _PRIME
    return value


@compiled
def _attributes(data: np.ndarray, at: int) -> tuple[int, int]:
    """Return how many attributes a tag has, and where it ends."""
    size, num_attributes = data.size, 0
    while at < size:
        if data[at] == _GT:
            return num_attributes, at + 1
        if _is_space(data[at]) or data[at] == _SLASH:
            at += 1
            continue
        num_attributes += 1
        at += 1
        while at < size and not (
            _is_space(data[at]) or data[at] == _SLASH or data[at] == _GT or data[at] == _EQUALS
        ):
            at += 1
        at = _after_value(data, at)
    return num_attributes, size


@compiled
def _after_value(data: np.ndarray, at: int) -> int:
    """Return where the value of an attribute ends whose name ended at ``at``."""
    size, name_end = data.size, at
    while at < size and _is_space(data[at]):
        at += 1
    if at >= size or data[at] != _EQUALS:
        return name_end
    at += 1
    while at < size and _is_space(data[at]):
        at += 1
    if at < size and (data[at] == _QUOTE or data[at] == _APOSTROPHE):
        quote = data[at]
        at += 1
        while at < size and data[at] != quote:
            at += 1
        return min(at + 1, size)
    while at < size and not (_is_space(data[at]) or data[at] == _GT):
        at += 1
    return at


@compiled
def _after_raw(data: np.ndarray, at: int, name: np.uint64) -> int:
    """Return where the end tag of a raw text element begins."""
    last = data.size - 1
    while True:
        while at < last and data[at] != _LT:
            at += 1
        if at >= last:
            return data.size
        if data[at + 1] == _SLASH and _name(data, at + 2)[0] == name:
            return at
        at += 1


@compiled
def _close(
    name: np.uint64, kind: int, stack: np.ndarray, stack_kinds: np.ndarray, height: int
) -> int:
    """Return the height once an end tag was read: unchanged if no such element is in scope."""
    for at in range(height - 1, -1, -1):
        if stack[at] == name:
            return at
        if stack_kinds[at] == _BARRIER and kind != _BARRIER:
            return height
    return height


@compiled
def _close_loose(name: np.uint64, stack: np.ndarray, stack_kinds: np.ndarray, height: int) -> int:
    """Return the height once an element was closed that its successor ends (``<li>``)."""
    for at in range(height - 1, -1, -1):
        if stack[at] == name:
            return at
        if stack_kinds[at] != _LOOSE:
            return height
    return height


@compiled
def _close_format(
    name: np.uint64,
    open_names: np.ndarray,
    open_tags: np.ndarray,
    open_at: np.ndarray,
    num_open: int,
    stack_kinds: np.ndarray,
    height: int,
) -> int:
    """Take the last open formatting element of a name away, unless a table stands between."""
    for found in range(num_open - 1, -1, -1):
        if open_names[found] == name:
            for at in range(open_at[found], height):
                if stack_kinds[at] == _BARRIER:
                    return num_open
            for later in range(found, num_open - 1):
                open_names[later] = open_names[later + 1]
                open_tags[later] = open_tags[later + 1]
                open_at[later] = open_at[later + 1]
            return num_open - 1
    return num_open


@compiled
def _count(values: np.ndarray, size: int, wanted: np.uint64) -> int:
    total = 0
    for at in range(size):
        total += values[at] == wanted
    return total


@compiled
def _count_kind(kinds: np.ndarray, height: int, wanted: int) -> int:
    total = 0
    for at in range(height):
        total += kinds[at] == wanted
    return total
