from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.wikitext import clean_wikitext

UNWANTED = frozenset(("file", "image", "category"))


def clean(text: str) -> str:
    return clean_wikitext(text, UNWANTED)


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("'''Ada''' is a [[programming language|language]].", "Ada is a language."),
        ("[[Mill]]s and ''[[Wheel]]''", "Mills and Wheel"),
        ("a [[:Category:Mills]] b [[Category:Mills]]", "a Category:Mills b"),
        ("[[File:a.jpg|thumb|A [[mill]] in {{convert|5|km}}]]Text", "Text"),
        (
            "Text [http://a.org label] and [http://a.org] http://b.org",
            "Text label and http://b.org",
        ),
        ("{{Infobox|a={{b|c}}}}Text<ref name=a>{{cite|x}}</ref> on<ref name=b/>.", "Text on."),
        ("a\n{| class=x\n| b || c\n{|\n| d\n|}\n|}\ne", "a\n\ne"),
        (
            "It is {{convert|5|km|mi}} long, {{lang|fr|loin}}, {{lang-fr|loin}}",
            "It is 5 km long, loin, loin",
        ),
        ("1997{{ndash}}1999 {{nowrap|a b}} {{frac|1|2}}", "1997 – 1999 a b 1/2"),
        ("a&nbsp;b &amp; c &lt;d&gt; &#x41;", "a b & c <d> A"),
        ("<!-- {{ -->a<!-- b", "a b"),
        ("* one\n** two\n# three\n; term : text", "one\ntwo\nthree\nterm: text"),
        ("a<br/>b<br>c", "a\nb\nc"),
        ("<math>f''(x) = {{x}}^[[2]]</math>", "f''(x) = {{x}}^[[2]]"),
        ("<code>\n# a ''b'' <div>\n</code>", "# a ''b'' <div>"),
        ("x < y and <unknown>z</unknown>", "x < y and <unknown>z</unknown>"),
        ("Tartu ({{lang|et|}}; {{IPA|x}}) is ( , old)", "Tartu is (old)"),
        ("a\n\n\n\n\nb\n----\nc __NOTOC__", "a\n\nb\n\nc"),
        ("[[fr:Moulin]]", ""),
    ],
)
def test_markup_goes_and_words_stay(wikitext: str, text: str) -> None:
    assert clean(wikitext) == text


def test_headings_stand_only_above_text() -> None:
    wikitext = (
        "a\n== B ==\n=== C ===\ntext\n=== D ===\n{{x}}\n== E ==\n* {{y}}\n== F ==\nend\n== G =="
    )
    assert clean(wikitext) == "a\n\nB\n\nC\ntext\n\nF\nend"


@pytest.mark.parametrize(
    "broken",
    [
        "{{a|",
        "[[a|",
        "<ref>",
        "{|\n",
        "}}",
        "]]",
        "|}",
        "<b ",
        "'''",
        "<math>",
        "[http://a ",
        "<!--",
    ],
)
def test_what_is_not_closed_takes_no_words_with_it(broken: str) -> None:
    assert "before" in clean(f"before {broken} after [[the mill]] {{{{x}}}} end")
    assert "after the mill end" in clean(f"before {broken} after [[the mill]] {{{{x}}}} end")


@pytest.mark.parametrize(
    "piece",
    [
        "{{a|",
        "[[a|",
        "'''''a",
        "<ref>",
        "{|\n|",
        "<b ",
        "[http://a ",
        "{{[[<ref>",
        "{{lang|a|",
        "(",
        "<",
    ],
)
def test_the_work_grows_no_faster_than_the_page(piece: str) -> None:
    seconds = []
    for count in (2_000, 64_000):
        start = time.process_time()
        clean(piece * count)
        seconds.append(time.process_time() - start)
    assert seconds[1] < 0.5 + 200 * seconds[0]  # 32 times the text; 1,024 were it quadratic


@given(st.text(alphabet="{}[]|<>/=*'!-ref \n", max_size=120))
def test_any_text_can_be_cleaned(text: str) -> None:
    assert "\x01" not in clean(text)


@given(
    st.lists(
        st.sampled_from(["word", "[[a|b]]", "{{x|y}}", "''i''", "<ref>n</ref>", "\n"]), max_size=30
    )
)
def test_no_markup_is_left_of_well_formed_text(pieces: list[str]) -> None:
    text = clean(" ".join(pieces))
    assert not set("[]{}|<>'") & set(text)
    assert text.split() == [
        "word" if p == "word" else p[4] if p[0] == "[" else p[2] for p in pieces if p[0] in "w['"
    ]
