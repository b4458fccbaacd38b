"""Kernel: which lines of a text C4's rules keep, cleaned, and what becomes of the others.

The rules are those of C4 (Raffel et al. 2020, JMLR 21:140, section 2.2) as datatrove 0.10 asks them
(``pipeline/filters/c4_filters.py``, ``C4QualityFilter``), line by line in one pass. Phrases are
looked for in lower case by one automaton; what it costs does not depend on the text.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pipelines.kernels import unicode_table as table
from pipelines.kernels.buffers import TextBuffers
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes
from pipelines.kernels.utf8 import encode

MAX_WORD_CHARS = 1000
ENDINGS = ".?!\"'"  # what a line must end with, but not with "..."

_LOREM_IPSUM, _JAVASCRIPT, _CURLY_BRACKET, _POLICY = 1, 2, 4, 8
PHRASES = {  # in lower case; ASCII without a final "i", see `_find_in`
    "lorem ipsum": _LOREM_IPSUM,
    "javascript": _JAVASCRIPT,
    "{": _CURLY_BRACKET,
    "terms of use": _POLICY,
    "privacy policy": _POLICY,
    "cookie policy": _POLICY,
    "uses cookies": _POLICY,
    "use of cookies": _POLICY,
    "use cookies": _POLICY,
}

# What becomes of a line, and the column of `LineFates` that counts it.
_LONG_WORD, _UNPUNCTUATED, _SHORT, _IS_JAVASCRIPT, _IS_POLICY, _KEPT = range(6)
_IS_LOREM, _IS_CURLY, _CITATIONS = range(6, 9)

_ENDINGS = tuple(ord(char) for char in ENDINGS)
_EDIT = np.array([ord(char) for char in "[edit]"], dtype=np.int32)
_NEEDED = np.array([ord(char) for char in "[citation needed]"], dtype=np.int32)
_RETURN, _NEWLINE, _SPACE, _FULL_STOP = ord("\r"), ord("\n"), ord(" "), ord(".")
_OPENING, _CLOSING, _KELVIN, _LETTER_K = ord("["), ord("]"), 0x212A, ord("k")
_LETTER = ord("一")  # in no abbreviation or emoticon of any sentence splitter
_NUM_ASCII = 128


class LineRules(NamedTuple):
    """What differs between dialects of C4.

    A line has at least ``min_words`` words and, unless ``any_ending``, ends as C4 wants it. Reading
    a text stops at the first line that drops the whole text ("lorem ipsum" or "{"), which is looked
    for in lines that stood so far; with ``reads_on`` it goes on, and every line is looked through.
    """

    min_words: int
    any_ending: bool = False
    reads_on: bool = False


class LineFates(NamedTuple):
    """What became of the lines of each text, int64; a line counts once, where it is taken first."""

    long_word: np.ndarray  # a word of more than MAX_WORD_CHARS characters
    unpunctuated: np.ndarray  # ends with none of ENDINGS, or with "..."
    short: np.ndarray  # too few words
    javascript: np.ndarray
    policy: np.ndarray
    kept: np.ndarray
    lorem_ipsum: np.ndarray
    curly_bracket: np.ndarray
    citations: np.ndarray  # taken out of lines that are kept


class KeptLines(NamedTuple):
    """The lines kept of ``n`` texts, cleaned: of text ``i`` those at ``offsets[i]:offsets[i + 1]``.

    Line ``k`` is ``codes[bounds[2 * k]:bounds[2 * k + 1]]``, and a gap of at most one character
    follows it, so that ``bounds`` and ``codes`` are `Codes` of lines and gaps in turn. A line that
    ends in white space, other than one space, has a letter more at its end: sentence splitters take
    such white space for a word. ``offsets`` and ``bounds`` are int64, ``codes`` int32.
    """

    offsets: np.ndarray
    bounds: np.ndarray
    codes: np.ndarray
    fates: LineFates

    def as_texts(self) -> Codes:
        """Return lines and the gaps after them as texts: every second one is a line."""
        return Codes(self.bounds, self.codes)

    def sum_by_text(self, values: np.ndarray) -> np.ndarray:
        """Return the sum, int64, of one integer per line for each text."""
        totals = np.concatenate((np.zeros(1, np.int64), np.cumsum(values, dtype=np.int64)))
        sums: np.ndarray = totals[self.offsets[1:]] - totals[self.offsets[:-1]]
        return sums


def keep_lines(texts: Codes, rules: LineRules) -> KeptLines:
    """Return the lines of each text that the rules keep, and how many they take."""
    offsets = np.zeros(texts.num_texts + 1, dtype=np.int64)
    room = texts.codes.size + texts.num_texts  # w words, and what is between and after them: 2 w
    bounds = np.zeros(2 * (room // (2 * rules.min_words)) + 1, dtype=np.int64)
    written = np.empty(room, dtype=np.int32)
    counts = np.zeros((texts.num_texts, len(LineFates._fields)), dtype=np.int64)
    classes = table.load_unicode_table().classes
    _keep_all(*texts, rules, classes, _STEPS, _FOUND, offsets, bounds, written, counts)
    bounds = bounds[: 2 * offsets[-1] + 1]
    return KeptLines(offsets, bounds, written[: bounds[-1]], LineFates(*counts.T))


def join_lines(texts: TextBuffers, lines: KeptLines, is_edited: np.ndarray) -> TextBuffers:
    """Return for each text its kept lines, joined by newlines and trimmed, if it ``is_edited``.

    Others are as they were. The gaps of ``lines`` become newlines.
    """
    offsets = np.zeros(texts.num_texts + 1, dtype=np.int64)
    data = np.empty(int(texts.offsets[-1] - texts.offsets[0]), dtype=np.uint8)
    classes = table.load_unicode_table().classes
    _join_all(*texts, *lines[:3], is_edited, classes, data, offsets)
    data.flags.writeable = False
    return TextBuffers(offsets, data[: offsets[-1]])


def third_longest_lines(texts: Codes) -> np.ndarray:
    """Return the characters of each text's third longest line, int64; 0 below three lines.

    Lines are what newlines (U+000A) separate, untrimmed.
    """
    lengths = np.zeros(texts.num_texts, dtype=np.int64)
    _measure_third(*texts, lengths)
    return lengths


def phrase_automaton(phrases: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return what finds ASCII phrases: ``(steps, found)``, uint8.

    In state ``s``, which is the longest end of what was read that begins a phrase, character ``c``
    leads to state ``steps[s, c]``; ``found[s]`` holds the bits of the phrases that end there.
    """
    states = sorted({phrase[:size] for phrase in phrases for size in range(len(phrase) + 1)})
    numbers = {state: number for number, state in enumerate(states)}
    steps = np.zeros((len(states), _NUM_ASCII), dtype=np.uint8)
    found = np.zeros(len(states), dtype=np.uint8)
    for state, number in numbers.items():
        for char in set("".join(phrases)):
            read = state + char
            reached = next(read[at:] for at in range(len(read) + 1) if read[at:] in numbers)
            steps[number, [ord(char), ord(char.upper())]] = numbers[reached]
        for phrase, bit in phrases.items():
            found[number] |= bit * state.endswith(phrase)
    return steps, found


_STEPS, _FOUND = phrase_automaton(PHRASES)


@compiled
def _keep_all(
    text_offsets: np.ndarray,
    codes: np.ndarray,
    rules: LineRules,
    classes: np.ndarray,
    steps: np.ndarray,
    found: np.ndarray,
    offsets: np.ndarray,
    bounds: np.ndarray,
    written: np.ndarray,
    counts: np.ndarray,
) -> None:
    num_lines, start = 0, np.int64(0)  # one type throughout: callees compile once
    for row in range(text_offsets.size - 1):
        at, end = text_offsets[row], text_offsets[row + 1]
        fate = _KEPT
        while at < end and (rules.reads_on or fate not in (_IS_LOREM, _IS_CURLY)):
            first, last, at, num_words, longest = _read_line(codes, at, end, classes)
            clean_end, num_citations = _clean_line(codes, first, last, classes, written, start)
            phrases = _find_in(written, start, clean_end, steps, found)
            punctuated = rules.any_ending or _is_punctuated(written, start, clean_end)
            fate = _fate_of(longest, num_words, punctuated, phrases, rules)
            counts[row, fate] += 1
            if fate == _KEPT:
                counts[row, _CITATIONS] += num_citations
                bounds[2 * num_lines + 1] = _end_line(written, start, clean_end, classes)
                num_lines += 1
                start = clean_end + 1
                bounds[2 * num_lines] = start
        offsets[row + 1] = num_lines


@compiled
def _fate_of(longest: int, num_words: int, punctuated: bool, phrases: int, rules: LineRules) -> int:
    if rules.reads_on and phrases & (_LOREM_IPSUM | _CURLY_BRACKET):
        return _IS_LOREM if phrases & _LOREM_IPSUM else _IS_CURLY
    if longest > MAX_WORD_CHARS:
        return _LONG_WORD
    if not punctuated:
        return _UNPUNCTUATED
    if num_words < rules.min_words:
        return _SHORT
    if phrases & _LOREM_IPSUM:
        return _IS_LOREM
    if phrases & _JAVASCRIPT:
        return _IS_JAVASCRIPT
    if phrases & _CURLY_BRACKET:
        return _IS_CURLY
    return _IS_POLICY if phrases & _POLICY else _KEPT


@compiled
def _read_line(
    codes: np.ndarray, start: int, end: int, classes: np.ndarray
) -> tuple[int, int, int, int, int]:
    """Return ``(first, last, next, num_words, longest)`` of the line that begins at ``start``.

    Trimmed it is ``codes[first:last]``, ``next`` is where the next one begins, and ``longest`` is
    the length of its longest word.
    """
    first = last = at = start
    num_words = longest = length = 0
    while True:
        bits = classes[codes[at]] if at < end else table.SPACE | table.LINE_BREAK
        if bits & table.SPACE == 0:
            length += 1
        else:
            if length:
                first = first if num_words else at - length
                last = at
                num_words += 1
                longest = max(longest, length)
                length = 0
            if bits & table.LINE_BREAK:
                is_pair = at + 1 < end and codes[at] == _RETURN and codes[at + 1] == _NEWLINE
                return first, last, at + 1 + is_pair, num_words, longest
        at += 1


@compiled
def _clean_line(
    codes: np.ndarray, first: int, last: int, classes: np.ndarray, written: np.ndarray, start: int
) -> tuple[int, int]:
    """Write a line without citations to ``written[start:]``; return its end and their number.

    A citation is "[edit]", "[citation needed]", or decimal digits of any script or nothing in such
    brackets; what is left may look like one again, and stays.
    """
    num_citations = 0
    at, to = first, start
    while at < last:
        code = codes[at]
        num_chars = _citation_chars(codes, at, last, classes) if code == _OPENING else 0
        if num_chars:
            at += num_chars
            num_citations += 1
        else:
            written[to] = code
            at += 1
            to += 1
    return to, num_citations


@compiled
def _citation_chars(codes: np.ndarray, at: int, last: int, classes: np.ndarray) -> int:
    """Return the length of the citation that begins at an opening bracket, 0 if none does.

    What is read has no second opening bracket, so that nothing is read for two of them.
    """
    after = at + 1
    while after < last and classes[codes[after]] & table.DIGIT:
        after += 1
    if after < last and codes[after] == _CLOSING:
        return after + 1 - at
    for literal in (_EDIT, _NEEDED):
        same = 0
        while same < literal.size and at + same < last and codes[at + same] == literal[same]:
            same += 1
        if same == literal.size:
            return same
    return 0


@compiled
def _find_in(
    written: np.ndarray, start: int, end: int, steps: np.ndarray, found: np.ndarray
) -> int:
    """Return the bits of the phrases that stand in a line in lower case.

    Lower case is that of ``str.lower``: besides the capitals, only "K" (KELVIN SIGN) and "İ" become
    what has an ASCII letter. "İ" is "i" with a dot above that follows it, which ends every phrase
    that has a letter after its "i".
    """
    bits = state = 0
    for at in range(start, end):
        code = written[at]
        if code >= _NUM_ASCII:
            code = _LETTER_K if code == _KELVIN else 0
        state = steps[state, code]
        bits |= found[state]
    return bits


@compiled
def _is_punctuated(written: np.ndarray, start: int, end: int) -> bool:
    if start == end or written[end - 1] not in _ENDINGS:
        return False
    stops_start = end
    while stops_start > max(start, end - 3) and written[stops_start - 1] == _FULL_STOP:
        stops_start -= 1
    return stops_start > end - 3


@compiled
def _end_line(written: np.ndarray, start: int, end: int, classes: np.ndarray) -> int:
    """Write what follows a line, a letter or a newline, and return where the line ends with it."""
    words_end = end
    while words_end > start and classes[written[words_end - 1]] & table.SPACE:
        words_end -= 1
    is_one_space = words_end == end - 1 and written[words_end] == _SPACE
    is_longer = words_end < end and not is_one_space
    written[end] = _LETTER if is_longer else _NEWLINE
    return end + is_longer


@compiled
def _join_all(
    text_offsets: np.ndarray,
    data: np.ndarray,
    offsets: np.ndarray,
    bounds: np.ndarray,
    codes: np.ndarray,
    is_edited: np.ndarray,
    classes: np.ndarray,
    joined: np.ndarray,
    joined_ends: np.ndarray,
) -> None:
    for row in range(text_offsets.size - 1):
        to = joined_ends[row]
        if is_edited[row]:
            lines = _join_lines(codes, bounds, offsets[row], offsets[row + 1], classes)
            to = encode(lines, joined, to)
        else:
            for at in range(text_offsets[row], text_offsets[row + 1]):
                joined[to] = data[at]
                to += 1
        joined_ends[row + 1] = to


@compiled
def _join_lines(
    codes: np.ndarray, bounds: np.ndarray, first: int, last: int, classes: np.ndarray
) -> np.ndarray:
    """Return lines ``first`` to ``last``, which lie one after the other, as one trimmed text."""
    for line in range(first, last):
        codes[bounds[2 * line + 2] - 1] = _NEWLINE
    start, end = bounds[2 * first], bounds[2 * last]
    while end > start and classes[codes[end - 1]] & table.SPACE:
        end -= 1
    while start < end and classes[codes[start]] & table.SPACE:
        start += 1
    return codes[start:end]


@compiled
def _measure_third(offsets: np.ndarray, codes: np.ndarray, lengths: np.ndarray) -> None:
    for row in range(offsets.size - 1):
        longest = second = third = 0
        start = offsets[row]
        for at in range(offsets[row], offsets[row + 1] + 1):
            if at < offsets[row + 1] and codes[at] != _NEWLINE:
                continue
            length, start = at - start, at + 1
            third = max(third, min(second, length))
            second = max(second, min(longest, length))
            longest = max(longest, length)
        lengths[row] = third
