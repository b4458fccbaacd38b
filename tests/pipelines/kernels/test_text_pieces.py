import pyarrow as pa
import pytest

from pipelines.kernels.decoded import text_batch
from pipelines.kernels.marked_words import marked_words
from pipelines.kernels.text_pieces import (
    dateline_end,
    is_byline,
    is_date,
    is_long,
    is_note,
    is_repeated,
    piece_end,
    piece_start,
)


def words_of(text):
    return marked_words(text_batch(pa.array([text])).codes)


def sizes_of(text):
    """Return how many words the pieces of a text have."""
    classes, at, sizes = words_of(text).classes, 0, []
    while at < classes.size:
        end = piece_end(classes, at, at + 1)
        assert all(piece_start(classes, inner) in (at, inner) for inner in range(at, end))
        sizes.append(end - at)
        at = end
    return sizes


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("Home\nNews\nSign in", [1, 1, 2]),
        ("The hills were\ngreen and the cows\nstood there.\n12\nMore", [9, 1, 1]),
        ("- one\n- two", [1, 1]),
        ("• one\n• two", [1, 1]),
        ("", []),
    ],
)
def test_pieces(text, sizes):
    assert sizes_of(text) == sizes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Share", {"note"}),
        ("Copyright 2020 Example. All rights reserved.", {"note"}),
        ("By Ann Lee and Bo Ek", {"byline"}),
        ("By the river", set()),
        ("May 3, 2004", {"date"}),
        ("Published: Nov. 19, 2019", {"date", "note"}),
        ("May flowers 3", set()),
        ("Dear Anna", set()),
        (" ".join(["word"] * 17), {"long"}),
        (" ".join(["word"] * 17) + "\nNext", set()),
        (" ".join(["word"] * 17) + ".\nNext", {"long"}),
        (" ".join(["word"] * 26) + "\nNext", {"long"}),
    ],
)
def test_kinds_of_pieces(text, expected):
    words = words_of(text)
    end = piece_end(words.classes, 0, 1)
    found = {
        "note": is_note(words.classes, 0, end),
        "byline": is_byline(words.hashes, words.classes, 0, end),
        "date": is_date(words.classes, 0, end),
        "long": is_long(words.classes, 0, end),
    }
    assert {kind for kind, yes in found.items() if yes} == expected


def test_datelines_and_headlines():
    classes = words_of("NEW YORK (AP) — It rained").classes
    assert dateline_end(classes, 0) == 3
    assert dateline_end(words_of("Berlin — It rained").classes, 0) == 0
    words = words_of("Rain Falls On\nIn Oslo rain falls on all")
    assert is_repeated(words.hashes, 0, 3, 3, words.hashes.size)
    assert not is_repeated(words.hashes, 0, 2, 3, words.hashes.size)
    assert not is_repeated(words.hashes, 0, 3, 6, words.hashes.size)
