from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.text import (
    MAX_MARKS_IN_A_ROW,
    clean_text,
    decode_lossy,
    replace_surrogates,
)

ANY_TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n\0\t\x0c\ufeff\u0301e")
)


@pytest.mark.parametrize(
    ("text", "clean", "num_repairs"),
    [
        ("plain\ttext\n", "plain\ttext\n", 0),
        ("a\r\nb\rc\nd", "a\nb\nc\nd", 2),
        ("page\x0cbreak\x0b!", "page\nbreak\n!", 2),
        ("nul\0 bell\x07 esc\x1b", "nul bell esc", 3),
        ("\ufeff\ufeffbom \ufeff inside", "bom \ufeff inside", 2),
        ("\0\ufeffhidden bom", "hidden bom", 2),
        ("e\u0301 and e\u0301", "é and é", 1),
        ("DEL \x7f and C1 \x85 stay", "DEL \x7f and C1 \x85 stay", 0),
        ("", "", 0),
    ],
)
def test_each_repair_is_made_and_counted(text: str, clean: str, num_repairs: int) -> None:
    assert clean_text(text) == (clean, num_repairs)


@given(ANY_TEXT)
def test_cleaning_is_idempotent_and_keeps_the_promise(text: str) -> None:
    clean, num_repairs = clean_text(text)
    assert clean_text(clean) == (clean, 0)
    assert not {chr(c) for c in range(32)} - set("\t\n") & set(clean)
    assert unicodedata.normalize("NFC", clean) == clean
    assert not clean.startswith("\ufeff")
    assert (num_repairs == 0) == (clean == text)


@given(ANY_TEXT)
def test_nothing_else_is_changed(text: str) -> None:
    """An oracle written character by character, without regular expressions."""
    kept, last = [], ""
    for char in text:
        if char == "\n" and last == "\r":
            last = char
            continue
        last = char
        if char in "\r\x0b\x0c":
            char = "\n"
        if ord(char) >= 32 or char in "\t\n":
            kept.append(char)
    while kept and kept[0] == "\ufeff":
        kept.pop(0)
    assert clean_text(text)[0] == unicodedata.normalize("NFC", "".join(kept))


def test_long_runs_of_marks_are_refused_before_they_cost_quadratic_time() -> None:
    hostile = "a" + "\u0301\u0316" * 1_000_000
    started = time.perf_counter()
    with pytest.raises(ValueError, match="combining marks"):
        clean_text(hostile)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("num_before", [0, 1, 100, 255, 256, 300])
def test_the_limit_does_not_depend_on_where_the_run_stands(num_before: int) -> None:
    longest = "\u0301\u0316" * (MAX_MARKS_IN_A_ROW // 2)
    text = "x" * num_before + longest + "y" * 300
    assert clean_text(text)[1] == 1
    with pytest.raises(ValueError, match="combining marks"):
        clean_text(text.replace("y", "\u0301", 1))


@given(st.text(st.characters() | st.characters(categories=["Cs"])))
def test_lone_surrogates_are_replaced_and_counted(text: str) -> None:
    repaired, num_replaced = replace_surrogates(text)
    expected = "".join("\ufffd" if 0xD800 <= ord(char) <= 0xDFFF else char for char in text)
    assert repaired == expected
    assert num_replaced == sum(0xD800 <= ord(char) <= 0xDFFF for char in text)


@given(
    st.binary()
    | st.lists(st.sampled_from([b"\xef\xbf\xbd", b"\xe2\x82", b"a", b"\xff"])).map(b"".join)
)
def test_lossy_decoding_counts_only_what_it_put_in(data: bytes) -> None:
    text, num_repairs = decode_lossy(data)
    assert text == data.decode("utf-8", "replace")
    marked = data.decode("utf-8", "surrogateescape").count("\ufffd")
    assert num_repairs == text.count("\ufffd") - marked
