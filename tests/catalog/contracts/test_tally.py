"""Tallies: they add up in any grouping, survive JSON, and show values on one line."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from catalog.contracts.tally import Tally, shown, shown_row, tally_from_plain, total

TALLIES = st.builds(
    Tally,
    st.integers(0, 9),
    st.integers(0, 9),
    st.booleans(),
    st.lists(st.text(max_size=3), max_size=12).map(tuple),
    st.none() | st.text(max_size=3),
    st.none() | st.text(max_size=3),
)


@given(st.lists(TALLIES, max_size=6), st.integers(0, 6))
def test_a_total_is_the_same_however_it_is_grouped(tallies, cut):
    whole = total(tallies)
    assert total([total(tallies[:cut]), total(tallies[cut:])]) == whole
    assert whole.num_checked == sum(tally.num_checked for tally in tallies)
    assert whole.num_broken == sum(tally.num_broken for tally in tallies)
    assert whole.kept == (False not in [tally.kept for tally in tallies])
    assert len(whole.samples) == min(10, sum(len(tally.samples) for tally in tallies))
    problems = [tally.problem for tally in tallies if tally.problem is not None]
    assert whole.problem == (problems[0] if problems else None)


def test_nothing_adds_up_to_nothing_broken():
    assert total([]) == Tally()


@given(TALLIES)
def test_a_tally_comes_back_from_json(tally):
    assert tally_from_plain(json.loads(json.dumps(tally.plain()))) == tally


@given(st.text() | st.integers() | st.none() | st.lists(st.text(max_size=3)) | st.binary())
def test_what_is_shown_is_short_and_on_one_printable_line(value):
    text = shown(value)
    assert len(text) <= 120
    assert text.isprintable()


def test_a_row_is_shown_by_names():
    assert shown_row({"a": "x\x00\ny", "b": 1, "c": None}) == "a='x\\x00\\ny', b=1, c=None"
    assert len(shown("x" * 500)) == 120
    assert shown("x" * 500).endswith("…")
