"""Kernel: what stands between the runs that two texts have in common.

The words between two runs are aligned, the best way among those in which a word is equal to one of
the other text, like it (`kinship`), or one half of it (``exam ple``). What finds no partner is a
*stretch*, and its words are counted by their classes. Counts are gathered in a *zone*: all between
two solid runs, or before the first, or behind the last.
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels.compiled import compiled
from pipelines.kernels.marked_words import (
    BREAK,
    CAPITAL,
    COMMON,
    LETTERS,
    NEGATION,
    NUMBER,
    PAGE,
    SIGN,
)
from pipelines.kernels.spelling import (
    DOUBTFUL,
    LONGEST,
    NO_SPELLING,
    SLIP,
    UNLIKE,
    joined,
    likeness,
    num_letters,
)

MAX_CELLS = 1024  # of an alignment: 31 words by 31; more are one stretch
MAX_PAGE_NUMBER_WORDS = 2  # page 12
MIN_PAGE_SHARE = 6  # one in so many words of page furniture is a PAGE word
MIN_PAGE_WORDS = 3  # PAGE words of both sides together, for neither to be counted

# Facts of a pair, in the order of `pipelines.kernels.differences.PairFacts`; those before CORE are
# counted in zones too, which count in addition words in common and, for each side, words, and of
# them PAGE words, words of PAGE or with a capital or numbers, and numbers.
SLIPS, DOUBTFULS, NUMBERS, NAMES, WORDS, NEGATIONS, DROPPED, ADDED, CORE = range(9)
LOST, LOST_PLAIN = CORE + 1, CORE + 3  # of the first text; of the second, one more
NUM_FACTS = CORE + 5
SHARED = CORE
_PAGE, _MARKED, NUMERIC, _SIDE_SIZE = range(1, 5)
ONE = CORE + 1
TWO = ONE + _SIDE_SIZE
ZONE_SIZE = TWO + _SIDE_SIZE

_EQUAL = 3  # above UNLIKE, DOUBTFUL and SLIP
_WORTH = np.array([0, 3, 4, 6], dtype=np.int32)  # of laying words beside each other, by kinship
_WORTH_HALVES = 1  # more where one of them is written as two
# A move is how many words of one text (two bits) and of the other (two bits) have what kinship.
_SKIP_ONE, _SKIP_TWO = 1, 1 << 2
_ONE_ONE, _TWO_ONE, _ONE_TWO = 1 | 1 << 2, 2 | 1 << 2, 1 | 2 << 2
_KINSHIP_SHIFT = 4


class Side(NamedTuple):
    """The words of one text of a pair: the columns of `MarkedWords`."""

    hashes: np.ndarray
    classes: np.ndarray
    spellings: np.ndarray


class Work(NamedTuple):
    """Scratch: of an alignment its scores and moves, of a zone and of ends their counts."""

    scores: np.ndarray
    moves: np.ndarray
    zone: np.ndarray
    ends: np.ndarray


@compiled
def kinship(marks: int, spelling: np.uint64, other_marks: int, other_spelling: np.uint64) -> int:
    """Return what the `likeness` of two unequal words comes to, given their classes.

    Two numbers are unlike unless one has a letter in it, and so are a negation and a common word.
    Two common words are `DOUBTFUL` at most; so are, unless they are spelled alike, a number or a
    negation and a word, and two names. A common word and one that is not are a `SLIP`.
    """
    like = likeness(spelling, other_spelling)
    both, either, one = marks & other_marks, marks | other_marks, marks ^ other_marks
    if like == UNLIKE or either & SIGN or (both & NUMBER and either & LETTERS == 0):
        return UNLIKE
    if both & COMMON:
        return UNLIKE if one & NEGATION else DOUBTFUL
    if spelling == other_spelling and (both & NUMBER == 0 or num_letters(spelling) < LONGEST):
        return SLIP
    if both & NUMBER:
        return UNLIKE if both & LETTERS else DOUBTFUL
    if either & NUMBER and one & LETTERS:
        return UNLIKE
    if either & (NUMBER | NEGATION) or (both & CAPITAL and either & BREAK == 0):
        return DOUBTFUL
    if max(num_letters(spelling), num_letters(other_spelling)) == 1:
        return DOUBTFUL
    return SLIP if one & COMMON else like


@compiled
def kinship_of_halves(
    first_marks: int,
    first: np.uint64,
    second_marks: int,
    second: np.uint64,
    whole_marks: int,
    whole: np.uint64,
) -> int:
    """Return `SLIP` if a word is two neighbours written as one (``exam ple``), else `UNLIKE`.

    Two numbers are no halves, but for groups of three digits (``1,000``). Where a negation is lost
    or found (``not able``, ``notable``), it is `DOUBTFUL`.
    """
    if whole == NO_SPELLING or joined(first, second) != whole:
        return UNLIKE
    halves = first_marks | second_marks
    if halves & NUMBER and num_letters(whole) == LONGEST:
        return UNLIKE
    if first_marks & second_marks & NUMBER and halves & LETTERS == 0 and num_letters(second) != 3:
        return UNLIKE
    return DOUBTFUL if (halves ^ whole_marks) & NEGATION else SLIP


@compiled
def align(
    one: Side,
    two: Side,
    start: int,
    end: int,
    other_start: int,
    other_end: int,
    scores: np.ndarray,
    moves: np.ndarray,
    zone: np.ndarray,
) -> None:
    """Add to a zone what words ``start:end`` and ``other_start:other_end`` differ in."""
    height, width = end - start, other_end - other_start
    at, other, place = start, other_start, 0
    if height and width and (height + 1) * (width + 1) <= MAX_CELLS:
        _find_moves(one, two, start, end, other_start, other_end, scores, moves)
        while at < end and other < other_end:
            step, other_step, kin = _read_move(np.int64(moves[place]))
            if kin:
                if start < at or other_start < other:
                    count_stretch(one, two, start, at, other_start, other, zone)
                zone[SHARED] += kin == _EQUAL
                zone[SLIPS] += kin == SLIP
                zone[DOUBTFULS] += kin == DOUBTFUL
                start, other_start = at + step, other + other_step
            at, other = at + step, other + other_step
            place += step * (width + 1) + other_step
    if start < end or other_start < other_end:
        count_stretch(one, two, start, end, other_start, other_end, zone)


@compiled
def _read_move(move: int) -> tuple[int, int, int]:
    """Return how many words of one text and of the other a move goes on, and their kinship."""
    return move & 3, (move >> 2) & 3, move >> _KINSHIP_SHIFT


@compiled
def _find_moves(
    one: Side,
    two: Side,
    start: int,
    end: int,
    other_start: int,
    other_end: int,
    scores: np.ndarray,
    moves: np.ndarray,
) -> None:
    """Write the best first move from each cell, that is of the words from a pair of places on."""
    width = other_end - other_start + 1
    scores[: (end - start + 1) * width] = 0
    for at in range(end - 1, start - 1, -1):
        marks, spelling, value = one.classes[at], one.spellings[at], one.hashes[at]
        for other in range(other_end - 1, other_start - 1, -1):
            cell = (at - start) * width + other - other_start
            best, move = scores[cell + width], _SKIP_ONE
            if scores[cell + 1] > best:
                best, move = scores[cell + 1], _SKIP_TWO
            others, other_spelling = two.classes[other], two.spellings[other]
            kin = _EQUAL
            if value != two.hashes[other]:
                kin = kinship(marks, spelling, others, other_spelling)
            score = scores[cell + width + 1] + _WORTH[kin]
            if kin and score > best:
                best, move = score, _ONE_ONE | kin << _KINSHIP_SHIFT
            if kin != _EQUAL and at + 1 < end:
                second, second_spelling = one.classes[at + 1], one.spellings[at + 1]
                kin = kinship_of_halves(
                    marks, spelling, second, second_spelling, others, other_spelling
                )
                score = scores[cell + 2 * width + 1] + _WORTH[kin] + _WORTH_HALVES
                if kin and score > best:
                    best, move = score, _TWO_ONE | kin << _KINSHIP_SHIFT
            if value != two.hashes[other] and other + 1 < other_end:
                second, second_spelling = two.classes[other + 1], two.spellings[other + 1]
                kin = kinship_of_halves(
                    others, other_spelling, second, second_spelling, marks, spelling
                )
                score = scores[cell + width + 2] + _WORTH[kin] + _WORTH_HALVES
                if kin and score > best:
                    best, move = score, _ONE_TWO | kin << _KINSHIP_SHIFT
            scores[cell], moves[cell] = best, move


@compiled
def count_stretch(
    one: Side,
    two: Side,
    start: int,
    end: int,
    other_start: int,
    other_end: int,
    zone: np.ndarray,
) -> None:
    """Add the words of a stretch to a zone.

    Against nothing, signs and numbers of pages are not counted, and a single letter is doubtful.
    """
    if start == end and _is_page_number(two.classes, other_start, other_end):
        return
    if other_start == other_end and _is_page_number(one.classes, start, end):
        return
    signs, numbers, names, words, negations = _tally(one.classes, start, end, zone, ONE)
    others = _tally(two.classes, other_start, other_end, zone, TWO)
    zone[NEGATIONS] += negations + others[4]
    if start < end and other_start < other_end:
        zone[NUMBERS] += max(numbers, others[1])
        zone[NAMES] += max(names, others[2])
        zone[WORDS] += max(words + signs, others[3] + others[0])
        return
    plain, added = words + others[3], numbers + names + others[1] + others[2]
    if plain == 1 and added == 0 and negations + others[4] == 0:
        spelling = one.spellings[start] if start < end else two.spellings[other_start]
        zone[DOUBTFULS if num_letters(spelling) == 1 else DROPPED] += 1
    else:
        zone[ADDED] += plain + added


@compiled
def _is_page_number(classes: np.ndarray, start: int, end: int) -> bool:
    """Return whether words are a number that stands apart, not in a row of numbers.

    It is the number of a page or an item: a line or sentence of its own, of numbers and PAGE words.
    """
    if start == 0 or end >= classes.size or end - start > MAX_PAGE_NUMBER_WORDS:
        return False
    if classes[start] & classes[end] & BREAK == 0:
        return False
    for at in range(start, end):
        if classes[at] & (NUMBER | PAGE) == 0:
            return False
    return (classes[start - 1] | classes[end]) & NUMBER == 0


@compiled
def _tally(
    classes: np.ndarray, start: int, end: int, zone: np.ndarray, side: int
) -> tuple[int, int, int, int, int]:
    """Return how many signs, numbers, names, other words and negations there are."""
    signs, numbers, names, negations, page, marked = 0, 0, 0, 0, 0, 0
    for at in range(start, end):
        marks = classes[at]
        number = marks & NUMBER != 0
        signs += marks & SIGN != 0
        numbers += number
        names += marks & (CAPITAL | BREAK) == CAPITAL and not number
        negations += marks & NEGATION != 0
        page += marks & PAGE != 0
        marked += marks & (PAGE | CAPITAL | NUMBER) != 0
    words = end - start - signs
    zone[side] += words
    zone[side + _PAGE] += page
    zone[side + _MARKED] += marked
    zone[side + NUMERIC] += numbers
    return signs, numbers, names, words - numbers - names, negations


@compiled
def add_inner(zone: np.ndarray, facts: np.ndarray) -> None:
    """Add the counts of a zone to the facts of a pair, unless it is the furniture of a page."""
    page = (_is_page(zone, ONE) or zone[ONE] == 0) and (_is_page(zone, TWO) or zone[TWO] == 0)
    if page and zone[ONE + _PAGE] + zone[TWO + _PAGE] >= MIN_PAGE_WORDS:
        return
    add_zone(zone, facts)


@compiled
def add_zone(zone: np.ndarray, facts: np.ndarray) -> None:
    """Add the counts of a zone to the facts of a pair."""
    for fact in range(CORE + 1):
        facts[fact] += zone[fact]


@compiled
def _is_page(zone: np.ndarray, side: int) -> bool:
    """Return whether the words of a side are the furniture of a page: menus, notices, credits."""
    words, page, marked = zone[side], zone[side + _PAGE], zone[side + _MARKED]
    return page > 0 and MIN_PAGE_SHARE * page >= words and 2 * marked >= words
