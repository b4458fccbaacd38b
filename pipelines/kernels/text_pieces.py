"""Kernel: the pieces that a text is made of, line by line, and what each of them is.

A *piece* begins at a line that starts with a capital, a number or a sign, so wrapped lines of prose
are one piece and the items of a menu are many.
"""

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.hashing import hash_codes
from pipelines.kernels.marked_words import (
    AGENCY,
    BREAK,
    CAPITAL,
    DATE,
    LETTERS,
    LINE,
    NUMBER,
    PAGE,
    STOP,
)

SHORT_WORDS = 16  # more are prose; menus, bylines and headlines have fewer
TITLE_WORDS = 25  # more are prose even if no full stop ends them: titles of other stories
SENTENCE_WORDS = 8
CREDIT_WORDS, NOTE_WORDS = 5, 30  # a note longer than a credit has two PAGE words
MIN_NOTE_SHARE, MIN_NOTICE_SHARE = 5, 10  # one in so many words is a PAGE word
HEADLINE_WORDS = 3  # at least, for a piece that the text below it repeats
HEADLINE_REACH = 64  # words of that text
BYLINE_WORDS, DATELINE_WORDS, DATE_WORDS = 8, 10, 10

_BY, _AND = hash_codes(map(ord, "by")), hash_codes(map(ord, "and"))


@compiled
def _begins_piece(marks: int) -> bool:
    return marks & LINE != 0 and (marks & (CAPITAL | NUMBER) != 0 or marks & LETTERS == 0)


@compiled
def piece_start(classes: np.ndarray, at: int) -> int:
    """Return where the piece begins in which a word stands before which something may be cut."""
    if at >= classes.size or classes[at] & LINE:
        return at
    while at > 0 and not _begins_piece(classes[at]):
        at -= 1
    return at


@compiled
def piece_end(classes: np.ndarray, start: int, at: int) -> int:
    """Return the first place from ``at`` on at which a piece begins, or the end of the text."""
    if at == start and at < classes.size and classes[at] & LINE:
        return at
    while at < classes.size and not _begins_piece(classes[at]):
        at += 1
    return at


@compiled
def count_marked(classes: np.ndarray, start: int, end: int, marks: int) -> int:
    """Return how many words have one of some marks."""
    number = 0
    for at in range(start, end):
        number += classes[at] & marks != 0
    return number


@compiled
def is_long(classes: np.ndarray, start: int, end: int) -> bool:
    """Return whether a piece is prose: longer than a title, or than a menu's item and ended."""
    size = end - start
    if size <= SHORT_WORDS or size > TITLE_WORDS:
        return size > SHORT_WORDS
    return end == classes.size or classes[end] & STOP != 0


@compiled
def is_sentence(classes: np.ndarray, start: int, end: int) -> bool:
    """Return whether a piece has the words of a sentence and a full stop at its end."""
    is_ended = end == classes.size or classes[end] & STOP != 0
    return is_ended and end - start >= SENTENCE_WORDS


@compiled
def is_note(classes: np.ndarray, start: int, end: int) -> bool:
    """Return whether a piece is about publication: a menu's item, a credit, a notice of rights."""
    if end - start > NOTE_WORDS:
        return False
    page = count_marked(classes, start, end, PAGE)
    enough = 1 if end - start <= CREDIT_WORDS else 2
    return page >= enough and MIN_NOTE_SHARE * page >= end - start


@compiled
def is_notice(classes: np.ndarray, start: int, end: int) -> bool:
    """Return whether a piece speaks of the page rather than of what the page is about."""
    page = count_marked(classes, start, end, PAGE)
    return end - start > CREDIT_WORDS and MIN_NOTICE_SHARE * page >= end - start


@compiled
def is_repeated(hashes: np.ndarray, start: int, end: int, core_start: int, core_stop: int) -> bool:
    """Return whether the words of a piece stand in the beginning of the core, in a row."""
    size = end - start
    if not HEADLINE_WORDS <= size <= HEADLINE_REACH:
        return False
    for at in range(core_start, min(core_start + HEADLINE_REACH, core_stop) - size + 1):
        same = 0
        while same < size and hashes[start + same] == hashes[at + same]:
            same += 1
        if same == size:
            return True
    return False


@compiled
def is_byline(hashes: np.ndarray, classes: np.ndarray, start: int, end: int) -> bool:
    """Return whether a piece names its authors: ``By`` and words with capitals."""
    if hashes[start] != _BY or not 2 <= end - start <= BYLINE_WORDS:
        return False
    for at in range(start + 1, end):
        if classes[at] & CAPITAL == 0 and hashes[at] != _AND:
            return False
    return True


@compiled
def is_date(classes: np.ndarray, start: int, end: int) -> bool:
    """Return whether a piece is a date: names of months and days, numbers, ``published``."""
    has_number, has_name = False, False
    if end - start > DATE_WORDS:
        return False
    for at in range(start, end):
        marks = classes[at]
        has_number |= marks & NUMBER != 0
        has_name |= marks & DATE != 0
        if marks & (NUMBER | DATE | PAGE) == 0 and marks & LETTERS:
            return False
    return has_number and has_name


@compiled
def dateline_end(classes: np.ndarray, start: int) -> int:
    """Return where the sentence behind a dateline (``OSLO (AP) -``) begins; ``start`` if none."""
    has_agency = False
    for at in range(start, min(start + DATELINE_WORDS, classes.size)):
        marks = classes[at]
        if at > start and marks & BREAK and has_agency:
            return at
        if marks & (CAPITAL | AGENCY | NUMBER | DATE) == 0 and marks & LETTERS:
            return start
        has_agency |= marks & AGENCY != 0
    return start


@compiled
def is_prose(classes: np.ndarray, start: int, stop: int) -> bool:
    """Return whether most of some words stand in long pieces."""
    long, at = 0, start
    while at < stop:
        end = min(piece_end(classes, at, at + 1), stop)
        if is_long(classes, at, end):
            long += end - at
        at = end
    return 2 * long >= stop - start
