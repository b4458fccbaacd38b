import numpy as np
import pyarrow as pa
import pytest

from pipelines.kernels.decoded import text_batch
from pipelines.kernels.marked_words import marked_words
from pipelines.kernels.spelling import DOUBTFUL, SLIP, UNLIKE
from pipelines.kernels.stretches import (
    DOUBTFULS,
    MAX_CELLS,
    SHARED,
    SLIPS,
    WORDS,
    ZONE_SIZE,
    Side,
    align,
    kinship,
    kinship_of_halves,
)


def side_of(text):
    words = marked_words(text_batch(pa.array([text])).codes)
    return Side(words.hashes, words.classes, words.spellings)


def inner_word(text):
    """Return the class and spelling of the last word of a text, inside a sentence."""
    side = side_of(f"so {text}")
    return side.classes[-1], side.spellings[-1]


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("receive", "recieve", SLIP),
        ("the", "teh", SLIP),  # a common word, and what is none
        ("is", "in", DOUBTFUL),  # two common words
        ("dead", "deal", DOUBTFUL),
        ("he", "she", DOUBTFUL),
        ("not", "now", UNLIKE),
        ("never", "nevr", DOUBTFUL),
        ("Iran", "Iraq", DOUBTFUL),
        ("Andersen", "Anderson", DOUBTFUL),
        ("Andersen", "andcrsen", SLIP),
        ("1998", "1999", UNLIKE),
        ("1998", "199x", DOUBTFUL),
        ("1998", "199b", SLIP),  # as a scan shows it
        ("MP3", "MP4", UNLIKE),
        ("1990", "l990", SLIP),
        ("million", "billion", UNLIKE),
        ("million", "milion", DOUBTFUL),
        ("10", "to", UNLIKE),
        ("b", "c", DOUBTFUL),
        ("→", "←", UNLIKE),
        ("中文", "中交", UNLIKE),
    ],
)
def test_kinship(one, two, expected):
    one, two = inner_word(one), inner_word(two)
    assert kinship(*one, *two) == expected
    assert kinship(*two, *one) == expected


@pytest.mark.parametrize(
    ("first", "second", "whole", "expected"),
    [
        ("exam", "ple", "example", SLIP),
        ("mor", "ning", "moming", SLIP),
        ("1", "000", "1000", SLIP),
        ("1", "5", "15", UNLIKE),
        ("100", "people", "100people", SLIP),
        ("can", "not", "cannot", SLIP),
        ("not", "able", "notable", DOUBTFUL),
        ("exam", "ples", "example", UNLIKE),
        ("中", "文", "中文", UNLIKE),
    ],
)
def test_halves(first, second, whole, expected):
    words = (*inner_word(first), *inner_word(second), *inner_word(whole))
    assert kinship_of_halves(*words) == expected


def zone_of(one, two):
    one, two = side_of(one), side_of(two)
    work = np.zeros(MAX_CELLS, dtype=np.int32), np.zeros(MAX_CELLS, dtype=np.uint8)
    zone = np.zeros(ZONE_SIZE, dtype=np.int64)
    align(one, two, 0, one.hashes.size, 0, two.hashes.size, *work, zone)
    return zone


def test_the_best_alignment_is_taken():
    zone = zone_of("so exam ple of teh green houses", "so fine example of the green trees")
    assert zone[[SHARED, SLIPS, DOUBTFULS, WORDS]].tolist() == [3, 2, 0, 1]


def test_more_than_can_be_aligned_is_one_stretch():
    many = "green " * 31
    zone = zone_of(many + "houses", many + "trees")
    assert zone[[SHARED, WORDS]].tolist() == [0, 32]
    zone = zone_of(many[6:] + "houses", many[6:] + "trees")
    assert zone[[SHARED, WORDS]].tolist() == [30, 1]
