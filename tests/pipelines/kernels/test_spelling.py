import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.decoded import text_batch
from pipelines.kernels.marked_words import marked_words
from pipelines.kernels.spelling import DOUBTFUL, NO_SPELLING, SLIP, UNLIKE, joined, likeness

READ_AS = str.maketrans("ei012589", "clolzsbg")


def spelling_of(word):
    (spelling,) = marked_words(text_batch(pa.array([word])).codes).spellings
    return spelling


def as_read(word):
    """Return the letters of a word as a bad scan shows them, each pair taken as it comes."""
    read = []
    for letter in word.translate(READ_AS):
        if read and read[-1] + letter in ("rn", "vv"):
            read[-1] = "m" if letter == "n" else "w"
        else:
            read.append(letter)
    return "".join(read)


PAIRS = {"cl": "d", "rl": "n", "ll": "uh"}  # as they are read, and what they may have been


def num_edits(one, two):
    """Return the optimal string alignment distance, with letters read as two, by recurrence."""
    rows = [list(range(len(two) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, other in enumerate(two, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == two[j - 2] and one[i - 2] == other:
                cost = min(cost, rows[-2][j - 2] + 1)
            if i > 1 and other in PAIRS.get(one[i - 2 : i], ""):
                cost = min(cost, rows[-2][j - 1] + 1)
            if j > 1 and letter in PAIRS.get(two[j - 2 : j], ""):
                cost = min(cost, rows[-1][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]


def oracle(one, two):
    one, two = as_read(one), as_read(two)
    edits, longer, same_first = num_edits(one, two), max(len(one), len(two)), one[0] == two[0]
    if edits == 0 or (edits == 1 and longer >= (4 if same_first else 5)):
        return SLIP
    if edits == 1:
        return DOUBTFUL
    return SLIP if edits == 2 and longer >= 8 and same_first else UNLIKE


LETTERS = st.sampled_from("abcdehilmnorstuvw01347")


@st.composite
def neighbours(draw):
    """A word and what is left of it after up to three edits."""
    word = draw(st.lists(LETTERS, min_size=1, max_size=9))
    other = list(word)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(other) - 1))
        kind = draw(st.integers(0, 3))
        if kind == 0 and len(other) < 10:
            other.insert(at, draw(LETTERS))
        elif kind == 1 and len(other) > 1:
            del other[at]
        elif kind == 2:
            other[at] = draw(LETTERS)
        else:
            other[at : at + 2] = other[at : at + 2][::-1]
    return "".join(word), "".join(other)


def test_likeness_is_that_of_edits():
    seen = {UNLIKE: 0, DOUBTFUL: 0, SLIP: 0}

    @given(neighbours())
    def check(words):
        one, two = words
        expected = oracle(one, two)
        assert likeness(spelling_of(one), spelling_of(two)) == expected
        assert likeness(spelling_of(two), spelling_of(one)) == expected
        seen[expected] += 1

    check()
    assert min(seen.values()) > 5


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("receive", "recieve", SLIP),
        ("government", "govemment", SLIP),  # rn read as m
        ("will", "wi11", SLIP),
        ("information", "infromatoin", SLIP),
        ("increased", "decreased", UNLIKE),
        ("likely", "unlikely", UNLIKE),
        ("teh", "the", DOUBTFUL),
        ("around", "arouncl", SLIP),
        ("campaign", "campaigri", SLIP),
        ("country", "coiintry", SLIP),
        ("which", "wliich", SLIP),
        ("a", "b", DOUBTFUL),
        ("dead", "read", DOUBTFUL),
        ("1998", "1997", SLIP),  # letters only: what numbers are is for others to say
        ("cat", "dog", UNLIKE),
        ("internationally", "internationalise", SLIP),  # known to the twelfth letter
        ("中国", "中华", UNLIKE),
        ("中国", "中国", UNLIKE),
    ],
)
def test_examples(one, two, expected):
    assert likeness(spelling_of(one), spelling_of(two)) == expected
    assert likeness(spelling_of(two), spelling_of(one)) == expected


def test_words_written_as_one():
    num_joined = 0

    @given(st.lists(LETTERS, min_size=1, max_size=20), st.integers(0, 20))
    def check(letters, at):
        nonlocal num_joined
        first, second = "".join(letters[:at]), "".join(letters[at:])
        if not first or not second:
            return
        # Three letters that are read as two may be cut either way: rrn, vvv.
        if as_read(first)[-1] + as_read(second)[0] in ("rn", "vv") or "vvv" in first + second:
            return
        whole = spelling_of(first + second)
        if len(as_read(first)) <= 12:
            assert joined(spelling_of(first), spelling_of(second)) == whole
            num_joined += 1

    check()
    assert num_joined > 10
    assert joined(spelling_of("mor"), spelling_of("ning")) == spelling_of("morning")
    assert joined(spelling_of("中"), spelling_of("a")) == NO_SPELLING


def test_long_words():
    word = "x" * 100_000
    assert likeness(spelling_of(word), spelling_of(word + "y")) == SLIP
    assert spelling_of("́" * 100_000) != NO_SPELLING
    assert isinstance(spelling_of(word), np.uint64)
