from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.report import words


@given(st.text())
def test_what_is_visible_has_no_character_that_acts(text: str) -> None:
    shown = words.visible(text)
    assert all(c in "\n\t\u200c\u200d" or c.isprintable() or c.isspace() for c in shown)
    assert not set(shown) & {"\x00", "\x1b", "\u202e", "\u2066", "\ufeff", "\x85", "\u2028"}
    shown.encode()  # no lone surrogates


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("a\x00b\x1b[31m", "a\\x00b\\x1b[31m"),
        ("abc\u202etxt.exe", "abc\\u202etxt.exe"),
        ("\U000e0041", "\\U000e0041"),
        ("naïve 日本 😀", "naïve 日本 😀"),
        ("\ud800", "\\ud800"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert words.visible(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (87, "87"),
        (999.4, "999"),
        (999.7, "1.00 k"),
        (1000, "1 k"),
        (3_210_496, "3.21 M"),
        (999_600, "1.00 M"),
        (1_234_567_890, "1.23 bn"),
        (-2500, "−2.50 k"),
        (float("nan"), words.NOT_KNOWN),
        (None, words.NOT_KNOWN),
    ],
)
def test_short(value: float | None, shown: str) -> None:
    assert words.short(value) == shown


@given(st.floats(1, 1e14))
def test_short_is_within_half_a_per_cent(value: float) -> None:
    figure, _, unit = words.short(value).partition(" ")
    scale = {"": 1, "k": 1e3, "M": 1e6, "bn": 1e9, "T": 1e12}[unit]
    assert math.isclose(float(figure) * scale, value, rel_tol=0.0051)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 %"), (1, "100 %"), (0.5486, "54.9 %"), (0.0001, "< 0.1 %"), (0.9999, "> 99.9 %")],
)
def test_share_says_all_and_nothing_only_when_it_is(value: float, shown: str) -> None:
    assert words.share(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0512, "+0.051"), (-0.02, "−0.020"), (0.0001, "0.000"), (-0.0001, "0.000")],
)
def test_signed(value: float, shown: str) -> None:
    assert words.signed(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.04, "0.0 s"),
        (9.96, "10 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.9, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_duration(seconds: float, shown: str) -> None:
    assert words.duration(seconds) == shown


def test_moment() -> None:
    assert words.moment("2026-11-21T04:55:26+00:00") == "21 November 2026, 04:55 UTC"
    assert words.moment("<soon>") == "<soon>"
    assert words.moment(None) == words.NOT_KNOWN


def test_truth_values_and_infinities_are_no_numbers() -> None:
    assert [words.is_number(v) for v in (1, 0.5, True, float("inf"), "1", None)] == [
        *(True, True, False, False, False, False)
    ]
