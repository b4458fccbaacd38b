"""Kernel: spaCy's exceptions that are found among words instead of chunks.

When a text has been divided, spaCy looks for runs of words that are an exception as the affixes
alone would divide it (``( :`` for ``(:``), whether or not a space stands between them. Longer
runs come before shorter ones, and then earlier ones; a run is taken if no run before it, taken or
not, holds its first or last word. If a taken run has no space inside it is replaced by the
exception's words, and else left as it is (``Tokenizer._apply_special_cases`` in ``tokenizer.pyx``).
"""

import numpy as np

from pipelines.kernels import spacy_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.spacy_table import MAX_TEXT_CHARS
from pipelines.kernels.spacy_tree import TO, VALUE, find_text, walk

_SPACE = ord(" ")


@compiled
def add_words(
    start: int, end: int, splits: int, starts: np.ndarray, ends: np.ndarray, num_words: int
) -> int:
    """Write ``start:end`` as words and return the number of words so far.

    Bit ``c`` of ``splits`` is set where a word ends after character ``c``; 0 is one word.
    """
    first = start
    while splits > 1:
        start += 1
        if splits & 1:
            starts[num_words], ends[num_words] = first, start
            num_words += 1
            first = start
        splits >>= 1
    starts[num_words], ends[num_words] = first, end
    return num_words + 1


@compiled
def replace_phrases(
    codes: np.ndarray,
    classes: np.ndarray,
    tree: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    first: int,
    last: int,
) -> int:
    """Replace exceptions among the words ``first:last`` of a text; return where its words end."""
    for word in range(first, last - 1):
        first_bits, second_bits = classes[codes[starts[word]]], classes[codes[starts[word + 1]]]
        if _may_begin(first_bits, second_bits) and _runs_at(codes, tree, starts, ends, word, last):
            chosen = _choose_runs(codes, classes, tree, starts, ends, word, last)
            return _rewrite(codes, tree, starts, ends, word, last, chosen)
    return last


@compiled
def _may_begin(first_bits: int, second_bits: int) -> bool:
    """Return whether two words may begin a phrase, by the classes of their first characters.

    They do not if both begin with letters or digits: the table's builder looks at all phrases.
    """
    return second_bits & table.SECOND != 0 and first_bits & second_bits & table.WORD == 0


@compiled
def _runs_at(
    codes: np.ndarray, tree: np.ndarray, starts: np.ndarray, ends: np.ndarray, first: int, last: int
) -> int:
    """Return bits: bit ``n`` is set where ``n`` words from ``first`` on are a phrase."""
    runs = boundaries = num_chars = 0
    node = table.PHRASES
    for word in range(first, last):
        start, end = np.int64(starts[word]), np.int64(ends[word])  # one type: callees compile once
        if word > first and not _are_neighbours(codes, np.int64(ends[word - 1]), start):
            break
        row = walk(codes, start, end, node, tree)
        if row < 0:
            break
        node = tree[row, TO]
        num_chars += int(end - start)
        boundaries |= 1 << (num_chars - 1)
        if tree[row, VALUE] == boundaries:
            runs |= 1 << (word + 1 - first)
    return runs


@compiled
def _are_neighbours(codes: np.ndarray, end: int, start: int) -> bool:
    """Return whether one space at most is between two words: spaCy has a word for more."""
    return start == end or (start == end + 1 and codes[end] == _SPACE)


@compiled
def _choose_runs(
    codes: np.ndarray,
    classes: np.ndarray,
    tree: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    first: int,
    last: int,
) -> np.ndarray:
    """Return for each word how many words the run that is taken from there has, or 0."""
    runs = np.zeros(last - first, dtype=np.uint16)
    for word in range(first, last - 1):
        first_bits, second_bits = classes[codes[starts[word]]], classes[codes[starts[word + 1]]]
        if _may_begin(first_bits, second_bits):
            runs[word - first] = _runs_at(codes, tree, starts, ends, word, last)
    held = np.zeros(last - first, dtype=np.bool_)
    chosen = np.zeros(last - first, dtype=np.uint8)
    for size in range(MAX_TEXT_CHARS, 1, -1):
        for word in range(runs.size):
            if runs[word] >> size & 1:
                if not (held[word] or held[word + size - 1]):
                    chosen[word] = size
                held[word : word + size] = True
    return chosen


@compiled
def _rewrite(
    codes: np.ndarray,
    tree: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    first: int,
    last: int,
    chosen: np.ndarray,
) -> int:
    """Write the words again, with exceptions for runs that hold no space; return where they end."""
    old_starts, old_ends = starts[first:last].copy(), ends[first:last].copy()
    num_words = first
    word = 0
    while word < chosen.size:
        size = max(chosen[word], 1)
        start, end = np.int64(old_starts[word]), np.int64(old_ends[word + size - 1])
        splits = find_text(codes, start, end, table.EXCEPTIONS, tree) if size > 1 else 0
        if splits:
            num_words = add_words(start, end, splits, starts, ends, num_words)
        else:
            for kept in range(word, word + size):
                starts[num_words], ends[num_words] = old_starts[kept], old_ends[kept]
                num_words += 1
        word += size
    return num_words
