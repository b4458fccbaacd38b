"""How two texts differ, word by word, as a person reads it: what both say, what one lacks.

Texts are laid beside each other at runs of words that stand once in each; what is between two such
places is compared by itself. Work and result are bounded whatever the texts are.
"""

from __future__ import annotations

import re
import textwrap
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from typing import Literal, NamedTuple

MAX_CHARS = 200_000  # of each text that are looked at
MAX_WORDS = 20_000  # and of these the first so many words
MAX_CHANGES = 12  # that are shown
CONTEXT_WORDS = 10  # shown before and behind a change
STRETCH_WORDS = 40  # of a change; of a longer one the first and the last
LINE_CHARS = 96

_ANCHOR_WORDS = 4
_GAP_WORDS = 400  # of either text between two anchors; longer ones are not compared
_GAP_MATCHES = 10_000  # pairs of equal words in a gap, which bound the matcher's work
# Each letter of Han and kana is a word; others stand between white space, long ones in pieces.
_EACH = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"([{_EACH}]|[^\s{_EACH}]{{1,40}})(\s?)")

Kind = Literal["equal", "left", "right", "replaced"]


@dataclass(frozen=True)
class Words:
    """Words of one text; of many the first and the last, and how many stand between those."""

    first: str = ""
    num_between: int = 0
    last: str = ""


@dataclass(frozen=True)
class Stretch:
    """Words that both texts have, that one has alone, or that stand for each other.

    Of an equal stretch ``left`` tells, and ``right`` is empty.
    """

    kind: Kind
    left: Words
    right: Words


@dataclass(frozen=True)
class TextDifference:
    """What two texts say, in their order; equal words only near changes.

    ``is_whole`` is false if the texts go on, or differ further, than is shown.
    """

    stretches: tuple[Stretch, ...]
    num_changes: int
    is_whole: bool


class _Span(NamedTuple):
    """Words ``[left, left_end)`` of one text stand against ``[right, right_end)`` of the other."""

    is_equal: bool
    left: int
    left_end: int
    right: int
    right_end: int


class _Word(NamedTuple):
    word: str
    gap: str  # a space if white space follows


def text_difference(left: str, right: str) -> TextDifference:
    """Return how two texts differ in their words; white space does not count, letter case does.

    Of each text the first `MAX_CHARS` characters are looked at, of these `MAX_WORDS` words, and
    `MAX_CHANGES` changes are shown. What cannot be laid beside each other within the bounds of work
    stands as replaced.
    """
    ours, theirs = _words(left), _words(right)
    is_cut = any(_is_cut(*one) for one in ((left, ours), (right, theirs)))
    spans = _shown_spans([word for word, _ in ours], [word for word, _ in theirs])
    shown, is_whole = _until_enough(spans)
    if is_cut and len(shown) > 1 and not shown[-1].is_equal:
        shown.pop()  # where looking ended, not the texts
    last = len(shown) - 1
    return TextDifference(
        stretches=tuple(
            _stretch(span, ours, theirs, is_first=number == 0, is_last=number == last)
            for number, span in enumerate(shown)
        ),
        num_changes=sum(not span.is_equal for span in shown),
        is_whole=is_whole and not is_cut,
    )


def difference_lines(difference: TextDifference, indent: str = "    ") -> list[str]:
    """Return a difference as lines: ``[-only in the first-]``, ``{+only in the second+}``."""
    told = " ".join(_marked(stretch) for stretch in difference.stretches)
    if not difference.is_whole:
        told += " … (not compared further)"
    return textwrap.wrap(
        told, LINE_CHARS, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def as_told(words: Words) -> str:
    """Return words as one text, with how many are left out between the first and the last."""
    left_out = f"… ({words.num_between:,} words) …" if words.num_between else ""
    return " ".join(part for part in (words.first, left_out, words.last) if part)


def _marked(stretch: Stretch) -> str:
    left, right = as_told(stretch.left), as_told(stretch.right)
    if stretch.kind == "equal":
        return left
    removed, added = f"[-{left}-]" if left else "", f"{{+{right}+}}" if right else ""
    return f"{removed} {added}".strip()


def _words(text: str) -> list[_Word]:
    found = islice(_WORD.finditer(text, 0, MAX_CHARS), MAX_WORDS)
    return [_Word(match[1], " " if match[2] else "") for match in found]


def _is_cut(text: str, words: Sequence[_Word]) -> bool:
    return len(text) > MAX_CHARS or len(words) == MAX_WORDS


def _until_enough(spans: Iterator[_Span]) -> tuple[list[_Span], bool]:
    """Return spans up to the last change that is shown and what follows it, and whether all."""
    shown: list[_Span] = []
    num_changes = 0
    for span in spans:
        num_changes += not span.is_equal
        if num_changes > MAX_CHANGES:
            return shown, False
        shown.append(span)
    return shown, True


def _shown_spans(left: list[str], right: list[str]) -> Iterator[_Span]:
    """Yield the spans of two texts in order, equal and other ones, each word in one of them."""
    i = j = _num_equal(left, 0, right, 0)
    if i:
        yield _Span(True, 0, i, 0, j)
    for at, other in [*_anchors(left, right), (len(left), len(right))]:
        if at < i or other < j:
            continue
        back = _num_equal_before(left[i:at], right[j:other])
        yield from _gap_spans(left, (i, at - back), right, (j, other - back))
        ahead = _num_equal(left, at, right, other)
        if back + ahead:
            yield _Span(True, at - back, at + ahead, other - back, other + ahead)
        i, j = at + ahead, other + ahead


def _num_equal(left: list[str], i: int, right: list[str], j: int) -> int:
    most = min(len(left) - i, len(right) - j)
    return next((n for n in range(most) if left[i + n] != right[j + n]), most)


def _num_equal_before(left: list[str], right: list[str]) -> int:
    most = min(len(left), len(right))
    return next((n for n in range(most) if left[-1 - n] != right[-1 - n]), most)


def _gap_spans(
    left: list[str], mine: tuple[int, int], right: list[str], other: tuple[int, int]
) -> Iterator[_Span]:
    """Yield the spans of what stands between two equal ones."""
    (i, i_end), (j, j_end) = mine, other
    if i == i_end and j == j_end:
        return
    ours, theirs = left[i:i_end], right[j:j_end]
    if max(len(ours), len(theirs)) > _GAP_WORDS or _num_matches(ours, theirs) > _GAP_MATCHES:
        yield _Span(False, i, i_end, j, j_end)
        return
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        yield _Span(tag == "equal", i + a, i + a_end, j + b, j + b_end)


def _num_matches(left: list[str], right: list[str]) -> int:
    """Return how many pairs of equal words two texts have."""
    ours, theirs = Counter(left), Counter(right)
    return sum(number * theirs[word] for word, number in ours.items())


def _anchors(left: list[str], right: list[str]) -> list[tuple[int, int]]:
    """Return where runs of words stand that each text has once, in one order in both."""
    theirs = _once(right)
    pairs = [(i, theirs[run]) for run, i in _once(left).items() if run in theirs]
    ends: list[int] = []  # places in the other text where the best chains of each length end
    chains: list[int] = []  # the pair that ends each
    before: list[int] = []
    for number, (_, j) in enumerate(pairs):
        length = bisect_left(ends, j)
        before.append(chains[length - 1] if length else -1)
        ends[length : length + 1] = [j]
        chains[length : length + 1] = [number]
    chain = []
    at = chains[-1] if chains else -1
    while at >= 0:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]


def _once(words: list[str]) -> dict[tuple[str, ...], int]:
    """Return the runs of words that stand once in a text, each with its place, in order."""
    shifted = [words[number:] for number in range(_ANCHOR_WORDS)]
    runs = list(zip(*shifted, strict=False))
    times = Counter(runs)
    return {run: place for place, run in enumerate(runs) if times[run] == 1}


def _stretch(
    span: _Span, left: list[_Word], right: list[_Word], is_first: bool, is_last: bool
) -> Stretch:
    ours, theirs = left[span.left : span.left_end], right[span.right : span.right_end]
    if span.is_equal:
        before = 0 if is_first and not is_last else CONTEXT_WORDS
        behind = 0 if is_last else CONTEXT_WORDS
        return Stretch("equal", _shortened(ours, before, behind), Words())
    half = STRETCH_WORDS // 2
    kind: Kind = "replaced" if ours and theirs else "left" if ours else "right"
    return Stretch(kind, _shortened(ours, half, half), _shortened(theirs, half, half))


def _shortened(words: list[_Word], num_first: int, num_last: int) -> Words:
    num_between = len(words) - num_first - num_last
    if num_between <= 1:  # to say that one word is left out takes more room than the word
        return Words(_joined(words))
    last = words[len(words) - num_last :]
    return Words(_joined(words[:num_first]), num_between, _joined(last))


def _joined(words: list[_Word]) -> str:
    return "".join(word + gap for word, gap in words).strip()
