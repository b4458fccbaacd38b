"""Kernel: words as spaCy's English tokenizer gives them (``spacy.blank("en")``, 3.8.18).

White space divides a text into chunks. From a chunk's ends prefixes and suffixes are cut, until
nothing more can be or what is left is an exception; what is left is an exception, a URL, or divided
at its infixes. Afterwards exceptions are looked for among neighbouring words
(`pipelines.kernels.spacy_phrases`). White space is no word, as for datatrove's ``SpaCyTokenizer``.

The words are spaCy's on every text but those that it refuses: see `pipelines.kernels.spacy_table`
for bytes that are not UTF-8. In datatrove, which runs spaCy in a memory zone, the word ``IS_ALPHA``
raises, and is then cut out of the text; here it is a word like others.
"""

import numpy as np

from pipelines.kernels import spacy_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.decoded import Codes, Words
from pipelines.kernels.spacy_affixes import infix_chars, prefix_chars, suffix_chars
from pipelines.kernels.spacy_phrases import add_words, replace_phrases
from pipelines.kernels.spacy_tree import find_text
from pipelines.kernels.spacy_urls import is_url


def spacy_words(texts: Codes) -> Words:
    """Return spaCy's words without white space, in time that is linear in the characters.

    spaCy itself takes quadratic time for chunks like ``((((…``.
    """
    offsets = np.zeros(texts.num_texts + 1, dtype=np.int64)
    room = texts.codes.size  # pages that no word reaches are never touched
    starts, ends = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    _split_all(*texts, *table.load_spacy_table(), offsets, starts, ends)
    return Words(offsets, starts[: offsets[-1]], ends[: offsets[-1]])


@compiled
def _split_all(
    offsets: np.ndarray,
    codes: np.ndarray,
    classes: np.ndarray,
    tree: np.ndarray,
    word_offsets: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
) -> None:
    for row in range(offsets.size - 1):
        first, last = word_offsets[row], word_offsets[row]
        at = offsets[row]
        while at < offsets[row + 1]:
            start, bits = at, 0
            while at < offsets[row + 1] and classes[codes[at]] & table.SPACE == 0:
                bits |= classes[codes[at]]
                at += 1
            if bits & table.MARKED:
                last = _split_chunk(codes, start, at, classes, tree, starts, ends, last)
            elif start < at:
                splits = find_text(codes, start, at, table.EXCEPTIONS, tree)
                last = add_words(start, at, splits, starts, ends, last)
            at += 1
        word_offsets[row + 1] = replace_phrases(codes, classes, tree, starts, ends, first, last)


@compiled
def _split_chunk(
    codes: np.ndarray,
    start: int,
    end: int,
    classes: np.ndarray,
    tree: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    num_words: int,
) -> int:
    """Write the words of a chunk and return the number of words so far.

    Suffixes wait at the end of the arrays, where nothing else reaches: no word is empty.
    """
    waiting = starts.size
    while start < end and not find_text(codes, start, end, table.EXCEPTIONS, tree):
        inner = start + prefix_chars(codes, start, end, classes)
        suffix = 0
        if inner == start or not find_text(codes, inner, end, table.EXCEPTIONS, tree):
            suffix = suffix_chars(codes, inner, end, classes, tree)
            if suffix and find_text(codes, start, end - suffix, table.EXCEPTIONS, tree):
                inner = start
        if inner == start and suffix == 0:
            break
        if inner > start:
            starts[num_words], ends[num_words] = start, inner
            num_words += 1
        if suffix:
            waiting -= 1
            starts[waiting], ends[waiting] = end - suffix, end
        start, end = inner, end - suffix
    if start < end:
        num_words = _split_middle(codes, start, end, classes, tree, starts, ends, num_words)
    for suffix in range(waiting, starts.size):
        starts[num_words], ends[num_words] = starts[suffix], ends[suffix]
        num_words += 1
    return num_words


@compiled
def _split_middle(
    codes: np.ndarray,
    start: int,
    end: int,
    classes: np.ndarray,
    tree: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    num_words: int,
) -> int:
    """Write the words of what is an exception, or has neither prefix nor suffix."""
    splits = find_text(codes, start, end, table.EXCEPTIONS, tree)
    if splits or is_url(codes, start, end, classes):
        return add_words(start, end, splits, starts, ends, num_words)
    first = at = start
    while at < end:
        is_marked = classes[codes[at]] & table.MARKED != 0
        infix = infix_chars(codes, start, at, end, classes) if is_marked else 0
        if infix and at > start:
            if first < at:
                starts[num_words], ends[num_words] = first, at
                num_words += 1
            first = at + infix
            starts[num_words], ends[num_words] = at, first
            num_words += 1
        at += max(infix, 1)
    if first < end:
        starts[num_words], ends[num_words] = first, end
        num_words += 1
    return num_words
