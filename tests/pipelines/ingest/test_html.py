from __future__ import annotations

import io
import json
import lzma
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.html import read
from pipelines.ingest.place import Place
from pipelines.ingest.rows import Item, Record, Unreadable

PLACE = Place("news/a.html", "news/a.html", {"folder": "news"})
PAGE = "<html><head><title>Mill</title></head><body><article>{}</article></body></html>"


def read_one(data: bytes, **config: Any) -> Item:
    facts = {"records_framed": 0}
    (item,) = read(io.BytesIO(data), PLACE, IngestConfig(extractor="fast", **config), facts)
    assert facts == {"records_framed": 1}
    return item


def test_a_file_is_one_record_of_its_main_text() -> None:
    item = read_one(PAGE.format("<p>The wheel turns in the café.</p>" * 9).encode())
    assert isinstance(item, Record)
    assert (item.key, item.origin.uri, item.labels) == (
        "news/a.html",
        "news/a.html",
        {"folder": "news"},
    )
    assert item.text.count("The wheel turns in the café.") == 9
    assert json.loads(item.meta or "") == {"encoding": "utf-8", "title": "Mill"}
    named = read_one(
        PAGE.format("<p>Le moulin.</p>" * 9).replace("<html", "<html lang=fr").encode()
    )
    assert json.loads(named.meta or "")["language"] == "fr"


def test_bytes_that_cannot_be_decoded_are_quarantined_or_repaired() -> None:
    data = PAGE.format("<p>The wheel turns in the caf\xff.</p>" * 9).encode("latin-1")
    data = b"<meta charset=utf-8>" + data
    failed = read_one(data)
    assert isinstance(failed, Unreadable)
    assert failed.error.startswith("not utf-8: byte 0xff at byte ")
    assert failed.raw == data[:256]
    repaired = read_one(data, encoding_errors="repair")
    assert isinstance(repaired, Record)
    assert repaired.num_repairs == 9


@pytest.mark.parametrize("data", [b"", b"\0" * 1000, b"<" * 1000, b"%PDF-1.4 \x80\x81"])
def test_a_file_that_is_no_page_still_is_one_record(data: bytes) -> None:
    assert read_one(data, encoding_errors="repair") is not None


def test_no_more_is_read_than_the_limit() -> None:
    stream = io.BytesIO(b"x" * 1000)
    facts = {"records_framed": 0}
    config = IngestConfig(extractor="fast", max_page_bytes=100)
    (item,) = read(stream, PLACE, config, facts)
    assert isinstance(item, Unreadable)
    assert "max_page_bytes = 100" in item.error
    assert stream.tell() == 101


def test_every_readability_page_is_read(shared_data: Path) -> None:
    path = shared_data / "readability-pages/readability_test_pages.tar.xz"
    num_pages, num_chars, lost = 0, 0, []
    with lzma.open(path) as raw, tarfile.open(fileobj=raw) as archive:
        for member in archive:
            if member.name.endswith("source.html"):
                item = read_one(archive.extractfile(member).read(), encoding_errors="repair")
                num_pages += 1
                if isinstance(item, Record):
                    num_chars += len(item.text)
                else:
                    lost.append((member.name, item.error))
    assert num_pages == 65
    assert lost == []
    assert num_chars > 65 * 1000
