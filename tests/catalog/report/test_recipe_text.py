from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from catalog.report.section_made import recipe_text

VALUES = st.one_of(
    st.integers(-(2**40), 2**40),
    st.booleans(),
    st.floats(-1e6, 1e6).map(lambda x: round(x, 3)),
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    st.lists(st.lists(st.text("abc. <"), min_size=1, max_size=2), max_size=3),
    st.lists(st.integers(0, 9), max_size=3),
)
NAMES = st.text("abc_.<", min_size=1, max_size=5)


@given(st.dictionaries(NAMES, st.one_of(VALUES, st.dictionaries(NAMES, VALUES, max_size=3))))
def test_a_recipe_reads_back_as_toml(recipe: dict[str, Any]) -> None:
    assert tomllib.loads(recipe_text(recipe)) == recipe


def test_what_is_not_set_is_said() -> None:
    text = recipe_text({"stop": None, "run": {"workers": 0, "deep": {"a.b": 1}}})
    assert text.splitlines()[0] == "# stop is not set"
    assert tomllib.loads(text) == {"run": {"workers": 0, "deep": {"a.b": 1}}}
