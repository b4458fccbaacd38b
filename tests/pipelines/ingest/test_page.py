from __future__ import annotations

import io
import json

import pytest

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.page import MAX_ATTRIBUTES, meta_json, read_page, read_up_to

ARTICLE = "<article><h1>Rivers</h1>" + "<p>The mill stands by the river, as it always did.</p>" * 8


def page(body: str, head: str = "") -> bytes:
    return f"<!doctype html><html><head>{head}</head><body>{body}</body></html>".encode()


def test_a_page_becomes_its_text_with_title_and_encoding() -> None:
    data = page(ARTICLE, "<title>\n The &eacute;tang &amp; mill </title>")
    read = read_page(data, None, IngestConfig(extractor="fast"))
    assert read.text.count("The mill stands by the river") == 8
    assert (read.title, read.encoding, read.num_repairs) == ("The étang & mill", "utf-8", 0)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("<div>" * 300 + "x", "nested deeper than max_page_depth = 250"),
        ("<p>x" * 60_000, "over max_page_nodes = 50000 tags"),
        ("<p" + " a=1" * (MAX_ATTRIBUTES + 1) + ">x", "a tag has 1001 attributes, over 1000"),
        ("", "fast found no text on the page"),
    ],
)
def test_what_passes_a_limit_says_which(body: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        read_page(page(body), None, IngestConfig(extractor="fast"))


def test_a_page_of_too_many_bytes_is_not_read() -> None:
    with pytest.raises(ValueError, match="over max_page_bytes = 100"):
        read_page(page("x" * 100), None, IngestConfig(max_page_bytes=100))


def test_streams_may_give_less_than_they_are_asked_for() -> None:
    class Slow(io.BytesIO):
        def read(self, max_bytes: int | None = -1, /) -> bytes:
            return super().read(min(max_bytes or 0, 3))

    assert read_up_to(Slow(b"0123456789"), 8) == b"01234567"
    assert read_up_to(Slow(b"0123"), 8) == b"0123"


def test_meta_holds_what_is_known() -> None:
    assert json.loads(meta_json({"b": 1, "a": "é", "c": None, "d": ""}) or "") == {"a": "é", "b": 1}
    assert meta_json({"a": None}) is None
