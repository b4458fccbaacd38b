"""Kernel: what a text would lose before and behind the core that it shares with another.

An end is read piece by piece (`pipelines.kernels.text_pieces`). What need not stay for a text to
say what it says is excused: what the other text has too; a headline made of the words that the core
begins with; bylines, datelines, and dates beside these; notes about publication; and the *frame*
of a page. A frame is many short pieces, words of pages among them, with little prose and none
beside the core. All other words are *lost* if the text goes.
"""

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.marked_words import CAPITAL, LETTERS, NUMBER, PAGE
from pipelines.kernels.text_pieces import (
    count_marked,
    dateline_end,
    is_byline,
    is_date,
    is_long,
    is_note,
    is_notice,
    is_repeated,
    is_sentence,
    piece_end,
    piece_start,
)

MIN_FRAME_PIECES = 3  # short ones
MAX_PIECE_WORDS, WORDS_FOR_PAGE = 4, 8  # of a frame's short pieces on average; more for PAGE words
MIN_PAGE_SHARE = 32  # one in so many words of a frame is a PAGE word
MAX_NUMBERS_SHARE = 4  # one in so many words of a frame may be a number
MAX_SHARED_SHARE = 8  # one in so many words of a frame may be in common with the other text
MIN_CORE_TO_PROSE = 2  # words, for one of prose in a frame
NEAR_PIECES = 3  # beside the core; there a frame has no prose
MIN_CORE_WORDS = 40

# What is counted of an end: the words of its pieces, and those that are in no run; of these all
# that nothing excuses, the lost ones of short pieces and of prose, and the plain ones of each; of
# the short ones those in notices; short pieces, numbers in them, PAGE words, words of prose beside
# the core; words in the line in which the core begins or ends, and where that line does.
WORDS, FREE, OPEN, OPEN_PLAIN, SHORT, SHORT_PLAIN, PROSE, PROSE_PLAIN = range(8)
NOTICES, PIECES, NUMBERS, PAGES, NEAR, INLINE, INLINE_PLAIN, LINE_EDGE, END_SIZE = range(8, 17)

_EXCUSED, _STORY, _DATE, _CHANGED, _NOTICE, _PROSE, _SHORT = range(7)  # what a piece is


@compiled
def read_end(
    hashes: np.ndarray,
    classes: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    num_runs: int,
    core_start: int,
    core_stop: int,
    is_head: bool,
    end: np.ndarray,
) -> None:
    """Count the words of one end of a text in ``end``, int64 of `END_SIZE`.

    ``starts`` and ``lengths`` are the runs that the text has in common with the other. Plain are
    words without a capital, a digit or a mark of pages.
    """
    end[:] = 0
    if is_head:
        start, stop = 0, piece_start(classes, core_start)
        is_story = stop < core_start <= dateline_end(classes, stop)
        line, line_stop = core_start if is_story else stop, core_start
        end[LINE_EDGE] = line
    else:
        start, stop = piece_end(classes, core_stop, core_stop), classes.size
        is_story, line, line_stop = False, core_stop, start
        end[LINE_EDGE] = line_stop
    end[OPEN], end[OPEN_PLAIN] = _count_free(classes, starts, lengths, 0, num_runs, line, line_stop)
    end[INLINE], end[INLINE_PLAIN] = end[OPEN], end[OPEN_PLAIN]
    near = np.zeros(NEAR_PIECES, dtype=np.int64)
    run, dates, place = 0, 0, 0
    while start < stop:
        behind = min(piece_end(classes, start, start + 1), stop)
        while run < num_runs and starts[run] + lengths[run] <= start:
            run += 1
        free, plain = _count_free(classes, starts, lengths, run, num_runs, start, behind)
        kind = _kind_of(hashes, classes, start, behind, free, core_start, core_stop, is_head)
        is_story |= kind == _STORY
        dates += free if kind == _DATE else 0
        if is_head or place < NEAR_PIECES:
            is_told = kind in (_PROSE, _CHANGED) and is_long(classes, start, behind)
            is_beside = behind == stop if is_head else place == 0
            is_told |= is_beside and kind != _EXCUSED and is_sentence(classes, start, behind)
            near[place % NEAR_PIECES] = free if is_told else 0
        _add_piece(classes, start, behind, kind, free, plain, end)
        start, place = behind, place + 1
    end[NEAR] = near.sum()
    if dates and not is_story:
        end[SHORT] += dates
        end[NUMBERS] += dates
        end[PIECES] += 1


@compiled
def _kind_of(
    hashes: np.ndarray,
    classes: np.ndarray,
    start: int,
    end: int,
    free: int,
    core_start: int,
    core_stop: int,
    is_head: bool,
) -> int:
    """Return what a piece is of which so many words are not in the other text."""
    if free == 0 or is_note(classes, start, end):
        return _EXCUSED
    if is_head:
        if is_repeated(hashes, start, end, core_start, core_stop) or is_byline(
            hashes, classes, start, end
        ):
            return _STORY
        if is_date(classes, start, end):
            return _DATE
    if 2 * free < count_marked(classes, start, end, LETTERS | NUMBER):
        return _CHANGED
    if is_notice(classes, start, end):
        return _NOTICE
    return _PROSE if is_long(classes, start, end) else _SHORT


@compiled
def _add_piece(
    classes: np.ndarray, start: int, stop: int, kind: int, free: int, plain: int, end: np.ndarray
) -> None:
    end[WORDS] += count_marked(classes, start, stop, LETTERS | NUMBER)
    end[FREE] += free
    end[PAGES] += count_marked(classes, start, stop, PAGE) if free else 0
    if kind == _CHANGED:
        end[OPEN] += free
        end[OPEN_PLAIN] += plain
    elif kind == _PROSE:
        end[PROSE] += free
        end[PROSE_PLAIN] += plain
    elif kind in (_NOTICE, _SHORT):
        end[SHORT] += free
        end[SHORT_PLAIN] += plain
        end[NOTICES] += free if kind == _NOTICE else 0
        end[PIECES] += kind == _SHORT
        end[NUMBERS] += count_marked(classes, start, stop, NUMBER) if kind == _SHORT else 0


@compiled
def is_frame(head: np.ndarray, tail: np.ndarray, core_words: int) -> bool:
    """Return whether the ends of a text are together the frame of a page around its core."""
    short, prose = head[SHORT] + tail[SHORT], head[PROSE] + tail[PROSE]
    pages, pieces = head[PAGES] + tail[PAGES], head[PIECES] + tail[PIECES]
    words, free = head[WORDS] + tail[WORDS], head[FREE] + tail[FREE]
    items = short - head[NOTICES] - tail[NOTICES]
    return (
        core_words >= MIN_CORE_WORDS
        and pieces >= MIN_FRAME_PIECES
        and MIN_PAGE_SHARE * pages >= short + prose
        and items <= MAX_PIECE_WORDS * pieces + WORDS_FOR_PAGE * pages
        and MAX_NUMBERS_SHARE * (head[NUMBERS] + tail[NUMBERS]) <= short
        and MAX_SHARED_SHARE * (words - free) <= words
        and prose <= short
        and MIN_CORE_TO_PROSE * prose <= core_words
        and head[NEAR] + tail[NEAR] == 0
    )


@compiled
def _count_free(
    classes: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    run: int,
    num_runs: int,
    start: int,
    stop: int,
) -> tuple[int, int]:
    """Return how many words of a stretch are in no run from ``run`` on, and how many are plain."""
    free, plain = 0, 0
    for at in range(start, stop):
        while run < num_runs and starts[run] + lengths[run] <= at:
            run += 1
        if run < num_runs and starts[run] <= at:
            continue
        marks = classes[at]
        free += marks & (LETTERS | NUMBER) != 0
        plain += marks & LETTERS != 0 and marks & (PAGE | CAPITAL | NUMBER) == 0
    return free, plain
