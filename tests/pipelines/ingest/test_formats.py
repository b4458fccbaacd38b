"""Formats of pages, through the layers below them: packed, in archives, broken off."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.ingest.config import FORMATS as NAMES
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.formats import FORMATS, LIBRARIES
from pipelines.ingest.ingest import STEP
from pipelines.ingest.suffixes import FORMAT_OF_SUFFIX, Named, recognise

Ingest = Callable[..., Any]
PAGE = b"<html><title>Mill</title><body><article><p>%s</p></article></body></html>" % (
    b"The water of the race turns the wheel of the mill all day long. " * 8
)
WARC = Path("web-archives/commoncrawl-whirlwind")
DUMP = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"


def tar(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


def test_every_format_has_a_reader_and_a_name() -> None:
    assert set(FORMATS) == set(NAMES) - {""}
    assert set(FORMAT_OF_SUFFIX.values()) <= set(FORMATS)
    assert set(LIBRARIES) <= set(FORMATS)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("a.warc.gz", Named("", format="warc")),
        ("a.warc.xz", Named(".xz", format="warc")),
        ("a.wet.gz", Named("", format="warc")),
        (DUMP, Named(".bz2", format="wikipedia")),
        ("a.xml", None),
        ("a.HTM", Named("", format="html")),
        ("a.tgz", Named(".gz", archive="tar")),
        ("a.tar.zst", Named(".zst", archive="tar")),
        ("a.gz", None),
        ("state.json", None),
    ],
)
def test_a_name_says_how_a_file_is_read(path: str, named: Named | None) -> None:
    assert recognise(path) == named


def test_pages_are_read_alone_packed_and_in_archives(ingest_folder: Ingest) -> None:
    found = ingest_folder(
        {"a.html": PAGE, "b.html.gz": gzip.compress(PAGE), "c.tar": tar({"d.htm": PAGE})}
    )
    assert sorted(found.texts) == ["a.html", "b.html.gz", "c.tar!d.htm"]
    assert all("turns the wheel" in text for text in found.texts.values())
    broken = ingest_folder({"e.html.gz": gzip.compress(PAGE)[:-12]})
    assert [row["error"][:11] for row in broken.quarantined] == ["cut off at "]


@pytest.mark.parametrize("suffix", ["", ".xz"])
def test_a_crawl_that_breaks_off_keeps_its_pages(
    ingest_folder: Ingest, shared_data: Path, suffix: str
) -> None:
    (path,) = sorted((shared_data / WARC).glob("*.warc.gz"))[:1]
    data = path.read_bytes()
    if suffix:
        data = lzma.compress(gzip.decompress(data))
    name = f"a.warc{suffix or '.gz'}"
    whole = ingest_folder({name: data})
    assert len(whole.rows) == 1
    assert whole.rows[0]["url"]
    cut = ingest_folder({name: data[:-20]})
    assert cut.quarantined


def test_a_crawl_in_an_archive_is_read(ingest_folder: Ingest, shared_data: Path) -> None:
    (path,) = sorted((shared_data / WARC).glob("*.warc.gz"))[:1]
    (row,) = ingest_folder({"b.tar": tar({path.name: path.read_bytes()})}).rows
    assert row["uri"] == f"b.tar!{path.name}"


def test_a_dump_of_wikipedia_is_read_and_keeps_what_stands_before_a_break(
    ingest_folder: Ingest, shared_data: Path
) -> None:
    data = (shared_data / "wikipedia-dumps" / DUMP).read_bytes()
    whole = ingest_folder({DUMP: data})
    assert len(whole.rows) > 50
    xml = bz2.decompress(data)
    pieces = bz2.compress(xml[: len(xml) // 2]) + bz2.compress(xml[len(xml) // 2 :])[:-30]
    cut = ingest_folder({DUMP: pieces})
    keys = [row["record_key"] for row in whole.rows]
    assert [row["record_key"] for row in cut.rows] == keys[: len(cut.rows)]
    assert len(cut.rows) > len(keys) / 4
    assert any("cut off" in row["error"] for row in cut.quarantined)


def test_versions_of_libraries_count_where_they_read(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(PAGE)
    (tmp_path / "b.txt").write_bytes(b"x")
    (tmp_path / "c.zip").write_bytes(b"x")
    config = IngestConfig("files", path=str(tmp_path), max_bundle_file_bytes=1)
    counted = {part.key: part.settings for part in STEP.list_parts(config)}
    assert set(counted["a.html"]["libraries"]) == {
        "justext",
        "lxml",
        "resiliparse",
        "trafilatura",
    }
    assert "mwparserfromhell" in counted["c.zip"]["libraries"]
    assert counted["b.txt"] == {}
