"""Kernel: the spelling of a word in 64 bits, enough to tell a slip of the pen from another word.

A spelling holds the first `NUM_LETTERS` letters of a folded word, five bits each with the first
lowest, and above them the word's length, up to `LONGEST`. What a bad scan takes for each other has
one value: ``e`` and ``c``, ``i`` and ``l``, the digits ``0 1 2 5 8 9`` and ``o l z s b g``; two
digits never share one. ``rn`` and ``vv`` are kept as ``m`` and ``w``. Other letters of ``a`` to
``z`` have a value of their own; other characters have one of 31, so that two differ with odds of 30
in 31. What stands behind the twelfth letter is known by the length alone.

A word with a character from `FIRST_DENSE` on (Chinese, Japanese, Korean, emoji, bytes that are no
UTF-8) has no spelling, 0: there one character is too much to be a slip.
"""

import numpy as np

from pipelines.kernels.compiled import compiled

NUM_LETTERS = 12
LONGEST = 15
FIRST_DENSE = 0x2E80  # CJK radicals; writing with few characters to a word begins here
NO_SPELLING = np.uint64(0)

_BITS = np.uint64(5)
_TWO = np.uint64(10)
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_LETTER = np.uint64(31)
_NUM_LETTERS, _LONGEST = np.uint64(NUM_LETTERS), np.uint64(LONGEST)
_LENGTH_SHIFT = np.uint64(60)
_LETTERS = np.uint64(2**60 - 1)
_KNOWN = np.uint64(2**55 - 1)  # of all letters but the last
_MIN_LETTERS, _MIN_LETTERS_FIRST, _MIN_LETTERS_TWO_EDITS = 4, 5, 8

# How two spellings stand to each other.
UNLIKE = 0
DOUBTFUL = 1  # one edit away, but short or with another first letter: perhaps another word
SLIP = 2  # equal as far as known, or so few edits away that it is the same word


def _values() -> np.ndarray:
    values = np.arange(128) % 31 + 1
    values[ord("a") : ord("z") + 1] = np.arange(1, 27)
    values[ord("e")], values[ord("i")] = values[ord("c")], values[ord("l")]
    for digit, value in zip("0123456789", (15, 12, 26, 27, 28, 19, 29, 30, 2, 7), strict=True):
        values[ord(digit)] = value
    return values.astype(np.uint64)


LETTER_VALUES = _values()  # of ASCII; others by `letter_value`
_R, _N, _M, _V, _W = (np.uint64(ord(letter) - 96) for letter in "rnmvw")
_C, _D, _H, _L, _U = (LETTER_VALUES[ord(letter)] for letter in "cdhlu")


@compiled
def letter_value(code: int) -> np.uint64:
    """Return the five bits of a folded character, 1 to 31."""
    return LETTER_VALUES[code] if code < 128 else np.uint64(code % 31 + 1)


@compiled
def _read_as(last: np.uint64, value: np.uint64) -> np.uint64:
    """Return the letter that two neighbours are taken for, 0 if for none."""
    if value == _N and last == _R:
        return _M
    return _W if value == _V and last == _V else _ZERO


@compiled
def spell(
    letters: np.uint64, shift: np.uint64, last: np.uint64, value: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Return what is spelled so far with one letter more, given its value.

    Begin with zeros: the letters, where the next one stands, and the last one; `spelled` makes them
    a spelling.
    """
    if (value == _N and last == _R) or (value == _V and last == _V):
        value = _M if value == _N else _W
        if shift <= _LENGTH_SHIFT:
            letters ^= (last ^ value) << (shift - _BITS)
        return letters, shift, value
    if shift < _LENGTH_SHIFT:
        letters |= value << shift
    return letters, shift + _BITS, value


@compiled
def spelled(letters: np.uint64, shift: np.uint64) -> np.uint64:
    """Return the spelling of what `spell` was given."""
    return letters | min(shift // _BITS, _LONGEST) << _LENGTH_SHIFT


@compiled
def num_letters(spelling: np.uint64) -> np.int64:
    """Return how many letters a spelling is of, at most `LONGEST`."""
    return np.int64(spelling >> _LENGTH_SHIFT)


@compiled
def joined(first: np.uint64, second: np.uint64) -> np.uint64:
    """Return the spelling of two words written as one, or `NO_SPELLING` if either has none."""
    if first == NO_SPELLING or second == NO_SPELLING:
        return NO_SPELLING
    length, more = first >> _LENGTH_SHIFT, second >> _LENGTH_SHIFT
    letters, added = first & _LETTERS, second & _LETTERS
    if length <= _NUM_LETTERS:
        shift = (length - _ONE) * _BITS
        last = letters >> shift
        read_as = _read_as(last, added & _LETTER)
        if read_as:
            letters ^= (last ^ read_as) << shift
            added, more = added >> _BITS, more - _ONE
    if length < _NUM_LETTERS:
        letters |= (added << (length * _BITS)) & _LETTERS
    return letters | min(length + more, _LONGEST) << _LENGTH_SHIFT


@compiled
def _is_read_as_two(letter: np.uint64, first: np.uint64, second: np.uint64) -> bool:
    """Return whether a bad scan shows one letter as two: d ``cl``, n ``ri``, u ``ii``, h ``li``."""
    if second != _L:
        return False
    if first == _L:
        return letter in (_U, _H)
    return (first == _C and letter == _D) or (first == _R and letter == _N)


@compiled
def _within_one(one: np.uint64, two: np.uint64) -> bool:
    """Return whether letters are an insertion, a loss, another letter or a swap away, or equal."""
    known = _KNOWN
    while one != two and (one ^ two) & _LETTER == _ZERO:
        one, two, known = one >> _BITS, two >> _BITS, known >> _BITS
    next_one, next_two = one >> _BITS, two >> _BITS
    if next_one == next_two or (next_one ^ two) & known == _ZERO:
        return True
    if (one ^ next_two) & known == _ZERO:
        return True
    known >>= _BITS
    if (next_one ^ (two >> _TWO)) & known == _ZERO and _is_read_as_two(
        one & _LETTER, two & _LETTER, next_two & _LETTER
    ):
        return True
    if (next_two ^ (one >> _TWO)) & known == _ZERO and _is_read_as_two(
        two & _LETTER, one & _LETTER, next_one & _LETTER
    ):
        return True
    swapped = (one ^ next_two) & _LETTER == _ZERO and (two ^ next_one) & _LETTER == _ZERO
    return swapped and one >> _TWO == two >> _TWO


@compiled
def _within_two(one: np.uint64, two: np.uint64) -> bool:
    while one != two and (one ^ two) & _LETTER == _ZERO:
        one, two = one >> _BITS, two >> _BITS
    if _within_one(one >> _BITS, two >> _BITS) or _within_one(one >> _BITS, two):
        return True
    if _within_one(one, two >> _BITS):
        return True
    swapped = (one ^ (two >> _BITS)) & _LETTER == _ZERO and (
        two ^ (one >> _BITS)
    ) & _LETTER == _ZERO
    return swapped and _within_one(one >> _TWO, two >> _TWO)


@compiled
def likeness(one: np.uint64, two: np.uint64) -> int:
    """Return how like two spellings are: `UNLIKE`, `DOUBTFUL` or `SLIP`; the order does not matter.

    An edit is a letter put in, lost or changed, two neighbours swapped (Damerau: A technique for
    computer detection and correction of spelling errors, 1964), or one letter read as two
    (`_is_read_as_two`). One is a slip in a word of 4 letters or more, of 5 if it is the first
    letter; two in one of 8 or more, behind the first letter, for prefixes turn words round
    (``increased``, ``decreased``). One edit in a shorter word is doubtful.
    """
    if one == two:
        return SLIP if one != NO_SPELLING else UNLIKE
    if one == NO_SPELLING or two == NO_SPELLING:
        return UNLIKE
    length, other_length = num_letters(one), num_letters(two)
    longer, difference = max(length, other_length), abs(length - other_length)
    if difference > 2:
        return UNLIKE
    letters, others = one & _LETTERS, two & _LETTERS
    same_first = (letters ^ others) & _LETTER == _ZERO
    if difference <= 1 and _within_one(letters, others):
        return SLIP if longer >= (_MIN_LETTERS if same_first else _MIN_LETTERS_FIRST) else DOUBTFUL
    if same_first and longer >= _MIN_LETTERS_TWO_EDITS and _within_two(letters, others):
        return SLIP
    return UNLIKE
