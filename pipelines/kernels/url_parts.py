"""Kernel: words and stretches of letters and digits in URLs that stand in a list.

Lists become automata over the 36 characters ``0-9a-z``, so that a URL of any length is read once
however long the lists are, and nothing is compared by hash.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_SIZE = len(ALPHABET)
_PLACE = {char: place for place, char in enumerate(ALPHABET)}
_NOWHERE = -1
HARD, SOFT = 1, 2  # marks of words


class Automaton(NamedTuple):
    """Node 0 is the start; ``step[node, place]`` is the next node, -1 for none; ``marks`` uint8."""

    step: np.ndarray
    marks: np.ndarray


class UrlCounts(NamedTuple):
    """What each URL holds, int64."""

    chars: np.ndarray
    hard: np.ndarray  # different words with the mark HARD
    soft: np.ndarray  # different words with the mark SOFT
    substrings: np.ndarray  # places where at least one listed stretch ends


def word_automaton(words: Iterable[tuple[str, int]]) -> Automaton:
    """Return the tree of some words over `ALPHABET`, each with its marks."""
    children: list[dict[str, int]] = [{}]
    marks = [0]
    for word, mark in sorted(words):
        node = 0
        for char in word:
            if char not in children[node]:
                children[node][char] = len(children)
                children.append({})
                marks.append(0)
            node = children[node][char]
        marks[node] |= mark
    step = np.full((len(children), _SIZE), _NOWHERE, dtype=np.int32)
    for node, following in enumerate(children):
        for char, child in following.items():
            step[node, _PLACE[char]] = child
    return Automaton(step, np.array(marks, dtype=np.uint8))


def substring_automaton(substrings: Iterable[str]) -> Automaton:
    """Return the automaton of Aho and Corasick (1975): a node is marked where a substring ends."""
    step, marks = word_automaton((substring, 1) for substring in substrings)
    shorter = np.zeros(marks.size, dtype=np.int32)  # the node of the longest proper suffix
    nodes = deque([0])
    while nodes:
        node = nodes.popleft()
        for place in range(_SIZE):
            child = step[node, place]
            otherwise = step[shorter[node], place] if node else 0
            if child == _NOWHERE:
                step[node, place] = otherwise
                continue
            shorter[child] = otherwise
            marks[child] |= marks[otherwise]
            nodes.append(child)
    return Automaton(step, marks)


def count_url_parts(urls: Codes, words: Automaton, substrings: Automaton) -> UrlCounts:
    """Count the listed words and substrings of each URL.

    Words are what lies between characters other than ASCII letters and digits, upper and lower case
    apart. Substrings are looked for in the URL without those characters, in lower case.
    """
    counts = np.zeros((urls.num_texts, len(UrlCounts._fields)), dtype=np.int64)
    seen = np.full(words.marks.size, -1, dtype=np.int64)
    _count_all(*urls, *words, *substrings, seen, counts)
    return UrlCounts(*counts.T)


@compiled
def _count_all(
    offsets: np.ndarray,
    all_codes: np.ndarray,
    word_step: np.ndarray,
    word_marks: np.ndarray,
    substring_step: np.ndarray,
    substring_marks: np.ndarray,
    seen: np.ndarray,
    counts: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        codes = all_codes[offsets[row] : offsets[row + 1]]
        counts[row, 0] = codes.size
        _count_words(codes, row, word_step, word_marks, seen, counts[row])
        counts[row, 3] = _count_substrings(codes, substring_step, substring_marks)


@compiled
def _count_words(
    codes: np.ndarray,
    row: int,
    step: np.ndarray,
    marks: np.ndarray,
    seen: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Count words at their ends; ``seen`` says of each node in which row it was counted last."""
    node = 0
    for index in range(codes.size + 1):
        place = _place(codes[index]) if index < codes.size else _NOWHERE
        if place != _NOWHERE:
            known = node != _NOWHERE and place < _SIZE
            node = step[node, place] if known else _NOWHERE
            continue
        if node > 0 and marks[node] and seen[node] != row:
            seen[node] = row
            counts[1] += marks[node] & HARD != 0
            counts[2] += marks[node] & SOFT != 0
        node = 0


@compiled
def _count_substrings(codes: np.ndarray, step: np.ndarray, marks: np.ndarray) -> int:
    node = found = 0
    for code in codes:
        place = _place(code)
        if place != _NOWHERE:
            node = step[node, place if place < _SIZE else place - 26]
            found += marks[node]
    return found


@compiled
def _place(code: int) -> int:
    """Return the place of a character in `ALPHABET`, 26 more for upper case, -1 for others."""
    if 0x30 <= code <= 0x39:
        return code - 0x30
    if 0x61 <= code <= 0x7A:
        return code - 0x61 + 10
    if 0x41 <= code <= 0x5A:
        return code - 0x41 + 36
    return _NOWHERE
