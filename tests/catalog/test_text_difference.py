"""Differences against texts put together again from them, and against texts made to be costly."""

from __future__ import annotations

import itertools
import random
import time
from functools import cache
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import text_difference as module
from catalog.text_difference import (
    MAX_CHANGES,
    MAX_CHARS,
    STRETCH_WORDS,
    Stretch,
    Words,
    as_told,
    difference_lines,
    text_difference,
)

ALPHABET = ["mill", "river", "wheel", "stone", "a", "水", "車"]


def told(left: str, right: str) -> list[tuple[str, str, str]]:
    stretches = text_difference(left, right).stretches
    return [(one.kind, as_told(one.left), as_told(one.right)) for one in stretches]


def test_what_stands_for_what() -> None:
    left = "the quick brown fox jumps over the lazy dog today"
    right = "the quick red fox jumps over the dog today and tomorrow"
    assert told(left, right) == [
        ("equal", "the quick", ""),
        ("replaced", "brown", "red"),
        ("equal", "fox jumps over the", ""),
        ("left", "lazy", ""),
        ("equal", "dog today", ""),
        ("right", "", "and tomorrow"),
    ]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("", "", []),
        ("a", "", [("left", "a", "")]),
        ("", "a b", [("right", "", "a b")]),
        ("a \n b", "a\tb", [("equal", "a b", "")]),  # white space does not count
        ("Mill", "mill", [("replaced", "Mill", "mill")]),  # case does
        ("水車小屋", "水車大屋",
         [("equal", "水車", ""), ("replaced", "小", "大"), ("equal", "屋", "")]),
    ],
)  # fmt: skip
def test_small_texts(left: str, right: str, expected: list[tuple[str, str, str]]) -> None:
    assert told(left, right) == expected
    assert text_difference(left, right).is_whole


def test_equal_words_are_shown_near_changes_alone() -> None:
    words = [f"w{number}" for number in range(200)]
    changed = [*words[:100], "changed", *words[101:]]
    before, change, behind = text_difference(" ".join(words), " ".join(changed)).stretches
    assert before.left == Words("", 90, " ".join(words[90:100]))
    assert (as_told(change.left), as_told(change.right)) == ("w100", "changed")
    assert behind.left == Words(" ".join(words[101:111]), 89, "")


def test_of_a_long_change_the_first_and_last_words_are_shown() -> None:
    words = [f"w{number}" for number in range(300)]
    (change,) = text_difference(" ".join(words), "").stretches
    assert change.left.num_between == 300 - STRETCH_WORDS
    assert (change.left.first.split()[0], change.left.last.split()[-1]) == ("w0", "w299")
    assert "… (260 words) …" in as_told(change.left)


def test_an_inserted_chapter_is_one_change() -> None:
    words = [f"w{number}" for number in range(2000)]
    chapter = [f"c{number % 7}" for number in range(1500)]
    found = text_difference(" ".join(words), " ".join([*words[:900], *chapter, *words[900:]]))
    assert [one.kind for one in found.stretches] == ["equal", "right", "equal"]
    assert found.stretches[1].right.num_between == 1500 - STRETCH_WORDS


def test_no_more_changes_than_people_read() -> None:
    words = [f"w{number}" for number in range(1000)]
    changed = [f"x{n}" if n % 20 == 10 else word for n, word in enumerate(words)]
    found = text_difference(" ".join(words), " ".join(changed))
    assert (found.num_changes, found.is_whole) == (MAX_CHANGES, False)
    assert " ".join("".join(difference_lines(found)).split()).endswith("… (not compared further)")


def test_where_looking_ends_is_no_change() -> None:
    words = " ".join(f"w{number}" for number in range(module.MAX_WORDS * 2))
    found = text_difference(f"one more {words}", words)
    assert [one.kind for one in found.stretches] == ["left", "equal"]
    assert not found.is_whole


texts = st.lists(st.sampled_from(ALPHABET), max_size=24)


@given(texts, texts, st.lists(st.tuples(st.integers(0, 40), st.sampled_from(ALPHABET)), max_size=4))
def test_both_texts_can_be_read_from_their_difference(
    left: list[str], other: list[str], edits: list[tuple[int, str]]
) -> None:
    right = list(left)
    for place, word in edits:
        right.insert(place % (len(right) + 1), word)
    for ours, theirs in ((left, right), (left, other), (right, left)):
        with patch.multiple(module, CONTEXT_WORDS=10_000, STRETCH_WORDS=10_000, MAX_CHANGES=10_000):
            found = text_difference(" ".join(ours), " ".join(theirs))
        assert _read(found.stretches, "left") == "".join(ours)
        assert _read(found.stretches, "right") == "".join(theirs)
        assert (found.num_changes == 0) == (ours == theirs)
        kinds = [one.kind == "equal" for one in found.stretches]
        assert all(one != next_ for one, next_ in itertools.pairwise(kinds))


def _read(stretches: tuple[Stretch, ...], side: str) -> str:
    def words(one: Stretch) -> Words:
        return one.left if one.kind == "equal" else getattr(one, side)

    return "".join(as_told(words(one)).replace(" ", "") for one in stretches)


@cache
def _costly() -> dict[str, tuple[str, str]]:
    rng = random.Random(7)
    noise = [" ".join(rng.choice("ab") for _ in range(30_000)) for _ in range(2)]
    few = [" ".join(str(rng.randrange(50)) for _ in range(30_000)) for _ in range(2)]
    return {
        "one word a million times": ("x " * 1_000_000, "x " * 999_999),
        "one word with one other": ("x " * 9000 + "y " + "x " * 900, "x " * 9000 + "z " * 3),
        "two words": (noise[0], noise[1]),
        "fifty words": (few[0], few[1]),
        "one long word": ("x" * 10_000_000, "x" * 9_999_999 + "y"),
        "only newlines": ("\n" * 10_000_000, "\n" * 5_000_000),
        "Han without end": ("水" * 1_000_000, "水車" * 500_000),
        "combining marks without end": ("e" + "\u0301" * 1_000_000, "e" + "\u0300" * 1_000_000),
    }


@pytest.mark.parametrize("name", sorted(_costly()))
def test_work_and_result_are_bounded(name: str) -> None:
    left, right = _costly()[name]
    began = time.process_time()
    found = text_difference(left, right)
    assert time.process_time() - began < 20  # unbounded, the matcher takes hours
    assert sum(len(as_told(one.left) + as_told(one.right)) for one in found.stretches) < MAX_CHARS
    assert found.num_changes <= MAX_CHANGES
    assert not found.is_whole or max(map(len, (left, right))) <= MAX_CHARS


def test_gaps_that_would_cost_much_stand_as_replaced() -> None:
    left, right = "a b " * 150, "b a " * 150
    (first, *_), (last, *_) = told(left, right)[:1], told(left, right)[-1:]
    assert {first[0], last[0]} & {"replaced", "left", "right"}
    assert len(told(left, right)) <= 3


def test_lines_are_for_a_terminal() -> None:
    words = " ".join(f"word{number}" for number in range(30))
    found = text_difference(f"{words} old {words}", f"{words} new one {words} end")
    lines = difference_lines(found)
    assert "[-old-] {+new one+}" in " ".join(" ".join(lines).split())
    assert "{+end+}" in lines[-1]
    assert max(map(len, lines)) <= module.LINE_CHARS
    assert all(line.startswith("    ") for line in lines)
    assert difference_lines(text_difference("", "")) == []
