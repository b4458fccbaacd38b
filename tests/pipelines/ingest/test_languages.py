from __future__ import annotations

import time

import pytest

from pipelines.ingest.languages import declared_language, language_of_page


@pytest.mark.parametrize(
    ("value", "language"),
    [
        (" de-CH ", "de-CH"),
        ("deu,eng", "deu,eng"),
        ("en, fr;q=0.5", "en, fr;q=0.5"),
        ("", None),
        (None, None),
        ("de\x00", None),
        ("de\nX: y", None),
        ("d\u00e9", None),
        ("x" * 101, None),
        ("<b>", None),
    ],
)
def test_only_what_may_be_tags_is_taken(value: str | None, language: str | None) -> None:
    assert declared_language(value) == language


@pytest.mark.parametrize(
    ("html", "language"),
    [
        ("<!DOCTYPE html><html class='a' lang=\"de-AT\"><body>", "de-AT"),
        ("<HTML LANG=fr>", "fr"),
        ("<html xml:lang='sv'>", "sv"),
        ("<html xml:lang='sv' lang='nb'>", "nb"),
        ("<html data-x=' lang=en ' lang='pt'>", "pt"),
        ("<!--[if lt IE 9]><html lang='en'><![endif]--><html lang='it'>", "it"),
        ("<!--> <html lang='it'>", "it"),
        ("<html><p lang='de'>", None),
        ("<htmlx lang='de'>", None),
        ("<html lang='de'", None),
        ("<html lang='\x01'>", None),
        ("<!-- <html lang='de'>", None),
        (" " * 70_000 + "<html lang='de'>", None),
        ("", None),
    ],
)
def test_the_tag_html_declares_the_language(html: str, language: str | None) -> None:
    assert language_of_page(html) == language


@pytest.mark.parametrize("html", ["<!--" * 20_000, "<html " * 20_000, "<html a='" * 20_000])
def test_hostile_heads_cost_little(html: str) -> None:
    started = time.perf_counter()
    assert language_of_page(html) is None
    assert time.perf_counter() - started < 5
