from __future__ import annotations

import gzip
import io
import json
import lzma
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.place import Place
from pipelines.ingest.rows import Item, Record, Unreadable
from pipelines.ingest.warc import read

sys.path.insert(0, str(Path(__file__).parent))
from warc_material import chunked, members, page, record, response


def read_all(
    data: bytes, uri: str = "crawl/a.warc", **config: Any
) -> tuple[list[Item], dict[str, Any]]:
    facts: dict[str, Any] = {"records_framed": 0}
    place = Place(uri, uri, {"folder": "crawl"})
    settings = IngestConfig(**{"extractor": "fast", **config})
    items = list(read(io.BytesIO(data), place, settings, facts))
    assert facts["records_framed"] == len(items) + facts.get("records_skipped", 0)
    return items, facts


def test_a_response_is_a_document_with_what_the_crawl_knows() -> None:
    date = b"WARC-Date: 2024-05-18T01:58:10Z"
    (item,), facts = read_all(
        record(response(chunked(page(7)), b"Transfer-Encoding: chunked"), "response", 7, date)
    )
    assert isinstance(item, Record)
    assert item.text.count("Page 7 tells of the mill") == 5
    assert (item.key, item.url) == ("urn:uuid:7", "http://example.com/7")
    assert item.labels == {"folder": "crawl"}
    assert json.loads(item.meta or "") == {
        "captured_at": "2024-05-18T01:58:10Z",
        "encoding": "utf-8",
        "http_status": 200,
        "warc_type": "response",
    }
    assert facts == {"records_framed": 1}


def test_the_text_of_wet_is_taken_as_it_stands() -> None:
    (item,), _ = read_all(record("Ligne\nété".encode(), "conversion", 1))
    assert (item.text, item.key) == ("Ligne\nété", "urn:uuid:1")


@pytest.mark.parametrize(
    ("headers", "tag", "language"),
    [
        ((b"Content-Language: de",), b'<html lang="nb">', "nb"),
        ((b"Content-Language: de",), b"<html>", "de"),
        ((b"Content-Language: d\x01e",), b"<html>", "nld"),
        ((), b'<html lang="">', "nld"),
    ],
)
def test_the_declared_language_stands_in_meta(
    headers: tuple[bytes, ...], tag: bytes, language: str
) -> None:
    found = b"WARC-Identified-Content-Language: nld"
    body = page(1).replace(b"<html>", tag)
    (item,), _ = read_all(record(response(body, *headers), "response", 1, found))
    assert json.loads(item.meta or "")["language"] == language
    (item,), _ = read_all(record(b"Goedendag", "conversion", 1, found))
    assert json.loads(item.meta or "")["language"] == "nld"


def test_plain_text_is_read_in_its_charset() -> None:
    kind = b"Content-Type: text/plain; charset=iso-8859-1"
    (item,), _ = read_all(record(response("<meta charset=utf-8> été".encode("latin-1"), kind)))
    assert item.text == "<meta charset=utf-8> été"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (record(b"GET / HTTP/1.1\r\n\r\n", "request"), "warc.request"),
        (record(response(page(1), status=b"404 Not Found")), "warc.http_status"),
        (record(response(b"%PDF", b"Content-Type: application/pdf")), "warc.media_type"),
        (record(response(b"%PDF-1.4", b"Content-Type:")), "warc.media_type"),
        (record(page(1)).replace(b"WARC-Type: response", b"WARC-Type: strange"), "warc.other_type"),
        (record(page(1)).replace(b"WARC-Type: response", b"X-Nothing: none"), "warc.untyped"),
        (
            record(page(1), "resource").replace(b"http://example.com/0", b"metadata://wget/log"),
            "warc.crawler_resource",
        ),
    ],
)
def test_what_holds_no_document_is_passed_over_and_counted(data: bytes, reason: str) -> None:
    items, facts = read_all(data * 3)
    assert items == []
    assert facts == {"records_framed": 3, "records_skipped": 3, "skipped": {reason: 3}}


def test_a_recipe_chooses_the_statuses() -> None:
    data = record(response(page(1), status=b"404 Not Found"))
    (item,), _ = read_all(data, http_statuses=(200, 404))
    assert json.loads(item.meta or "")["http_status"] == 404


def test_a_page_without_a_media_type_is_known_by_its_start() -> None:
    (item,), _ = read_all(record(response(page(2), b"Content-Type:")))
    assert item.text.count("Page 2 tells") == 5


def test_truncated_records_are_flagged() -> None:
    (item,), _ = read_all(record(response(page(3)), "response", 3, b"WARC-Truncated: length"))
    assert json.loads(item.meta or "")["truncated"] == "length"
    (item,), _ = read_all(record(response(chunked(page(3))[:-5], b"Transfer-Encoding: chunked")))
    assert json.loads(item.meta or "")["truncated"] == "unspecified"


def test_a_record_without_an_id_is_named_by_its_ordinal() -> None:
    data = record(response(page(4)), at=4).replace(b"WARC-Record-ID", b"X-Record-ID")
    items, _ = read_all(record(b"", "request") + data)
    assert [item.key for item in items] == ["crawl/a.warc#2"]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (record(response(b"zz", b"Content-Encoding: zstd")), "content encoding 'zstd'"),
        (record(b"no http at all"), "the response has no HTTP status"),
        (record(response(b"")), "fast found no text on the page"),
        (record(response(b"<p>caf\xe9")), "not utf-8: byte 0xe9 at byte 6"),
        (b"filedesc://a.arc 127.0.0.1 20140301000000 text/plain -1\n1 0 x\n", "an ARC file"),
    ],
)
def test_a_bad_record_is_quarantined_by_its_offset(data: bytes, error: str) -> None:
    before = record(response(page(1)), at=1)
    items, _ = read_all((b"" if data[:4] == b"file" else before) + data)
    bad = items[-1]
    assert isinstance(bad, Unreadable)
    assert error in bad.error
    assert bad.origin.position == (len(before) if len(items) == 2 else 0)
    assert bad.raw == data[: len(bad.raw)]


def test_undecodable_bytes_are_repaired_if_the_recipe_says_so() -> None:
    data = record(response(page(5).replace(b"mill", b"m\xfell")))
    (item,), _ = read_all(data, encoding_errors="repair")
    assert item.num_repairs == 5
    assert "m\ufffdll" in item.text


def test_damage_in_the_middle_leaves_the_rest() -> None:
    packed = members([record(response(page(at)), at=at) for at in range(6)])
    packed[2] = packed[2][:-20]
    items, _ = read_all(b"".join(packed), "crawl/a.warc.gz")
    assert [item.key for item in items] == [f"urn:uuid:{n}" for n in (0, 1)] + [None] + [
        f"urn:uuid:{n}" for n in (3, 4, 5)
    ]
    assert "gzip member" in items[2].error


def test_real_archives_are_accounted_for_to_the_last_record(shared_data: Path) -> None:
    root = shared_data / "web-archives"
    totals: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    num_files = 0
    for path in sorted(root.rglob("*")):
        if path.is_dir() or path.name.endswith((".cdx", ".cdxj", ".cdx.gz")):
            continue
        uri = path.relative_to(root).as_posix()
        data = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
        items, facts = read_all(data, uri)
        plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        num_records = len(re.findall(rb"(?m)^WARC/1\.[01]\s*$", plain)) or 1  # an ARC file is one
        assert len(items) + sum(facts.get("skipped", {}).values()) == num_records, uri
        totals += Counter(facts.get("skipped", {}))
        metas = [json.loads(item.meta or "{}") for item in items if isinstance(item, Record)]
        languages += Counter(meta["language"] for meta in metas if "language" in meta)
        totals["rows"] += sum(isinstance(item, Record) for item in items)
        totals["quarantined"] += sum(isinstance(item, Unreadable) for item in items)
        num_files += 1
    assert num_files == 43
    assert totals["warc.revisit"] == 139 + 3  # warcio counts 139, and stops early in five files
    assert (totals["rows"], totals["quarantined"]) == (75, 15)
    assert languages == {"en": 30, "en-US": 4, "an": 2, "en-us": 2, "spa": 2}
