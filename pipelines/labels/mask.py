"""Masking: words that name a label are taken out of labelled texts before any model reads them.

`MASK` is two underscores: one token in a vocabulary learnt from code, and never a word.

A word is found whatever its case, where no letter continues it. Digits, underscores and dots do not
continue it (``torch`` is masked in ``torch.nn``, ``_torch`` and ``torch2``, not in
``torchvision``), and neither does the next hump of an identifier (``TorchScript``, ``toTorch``,
``NetworkXError``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from data_contracts.errors import RecipeError

MASK = "__"

_HUMP = r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
_NOT_AFTER_LETTER = rf"(?:(?<![^\W\d_])|{_HUMP})"
_NOT_BEFORE_LETTER = rf"(?:(?![^\W\d_])|{_HUMP})"


def has_letter(word: str) -> bool:
    """Return whether a word can be masked: numbers and punctuation alone are not names."""
    return any(map(str.isalpha, word))


def check_words(words: Iterable[str]) -> None:
    """Raise RecipeError unless each word to mask holds a letter."""
    for word in words:
        if not has_letter(word):
            raise RecipeError(
                f"labels.masked_words has {word!r}, which holds no letter; give words only."
            )


class Masker:
    """Replaces words by `MASK`; words without a letter (classes called ``0``, ``1``) stay.

    Masking twice is masking once. Time is linear in the text. A plain search over lower-case
    letters finds where a word may start, and only there is the exact pattern asked, which is some
    70 times as quick as that pattern alone.
    """

    def __init__(self, words: Iterable[str]) -> None:
        bare = {_lower(word.strip("_ \t\n")) for word in words if has_letter(word)}
        longest_first = sorted(bare, key=lambda word: (-len(word), word))
        self._any = re.compile("|".join(map(re.escape, longest_first))) if bare else None
        self._bounded = re.compile("|".join(map(_bounded, longest_first)))

    def mask(self, text: str) -> tuple[str, int]:
        """Return the text with its words masked, and how many were."""
        num_masked = 0
        while spans := list(self._spans(text)):  # again, should a mask complete a word like a__b
            num_masked += len(spans)
            text = _replaced(text, spans)
        return text, num_masked

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield start and end of each word to mask, from left to right, the longest at a place."""
        lower, place = _lower(text), 0
        while self._any and (near := self._any.search(lower, place)):
            found = self._bounded.match(text, near.start())
            place = found.end() if found else near.start() + 1
            if found:
                yield found.span()


def _replaced(text: str, spans: list[tuple[int, int]]) -> str:
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(text)]
    return MASK.join(text[start:end] for start, end in zip(starts, ends, strict=True))


def _lower(text: str) -> str:
    """Return a text in lower case, of the same length: a letter that becomes two stays."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def _bounded(word: str) -> str:
    """Return the pattern of one word; only an end that is a letter can be continued by one."""
    before = _NOT_AFTER_LETTER if word[0].isalpha() else ""
    after = _NOT_BEFORE_LETTER if word[-1].isalpha() else ""
    return f"{before}(?i:{re.escape(word)}){after}"
