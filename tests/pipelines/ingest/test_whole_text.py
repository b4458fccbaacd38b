from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ingest = Callable[..., Any]
POEM = b"\xef\xbb\xbfone\r\ntwo\r\n\r\n \r\nthree\r\n\r\n\r\nfour"


@pytest.mark.parametrize(
    ("unit", "texts"),
    [
        ("file", {"a.txt": "one\ntwo\n\n \nthree\n\n\nfour"}),
        ("line", {"a.txt#1": "one", "a.txt#2": "two", "a.txt#5": "three", "a.txt#8": "four"}),
        ("block", {"a.txt#1": "one\ntwo", "a.txt#5": "three", "a.txt#8": "four"}),
    ],
)
def test_a_document_is_what_the_unit_says(
    ingest_folder: Ingest, unit: str, texts: dict[str, str]
) -> None:
    found = ingest_folder({"a.txt": POEM, "b.md": b"a\n\nb"}, unit=unit)
    assert found.texts == {**texts, "b.md": "a\n\nb"}


@pytest.mark.parametrize("unit", ["file", "line", "block"])
def test_what_is_broken_is_named_and_the_rest_read(ingest_folder: Ingest, unit: str) -> None:
    data = b"one\n\ncaf\xe9\n\n" + b"x" * 300 + b"\n\n" + b"y\n" * 200 + b"\nlast"
    found = ingest_folder({"a.txt": data}, unit=unit, max_record_bytes=200)
    errors = [row["error"] for row in found.quarantined]
    if unit == "file":
        assert errors == [f"the file has {len(data)} bytes, over max_record_bytes = 200"]
        return
    assert found.texts["a.txt#1"] == "one"
    assert [row["text"] for row in found.rows][-1] == "last"
    expected = ["not UTF-8: byte 0xe9 at byte 3 of the record", "the record has 300 bytes, over"]
    if unit == "block":
        expected.append("the record has 399 bytes, over")
    assert len(errors) == len(expected)
    assert all(error.startswith(start) for error, start in zip(errors, expected, strict=True))
    assert found.quarantined[0]["position"] == 5


@pytest.mark.parametrize("unit", ["file", "line", "block"])
def test_a_cut_file_keeps_what_was_whole(ingest_folder: Ingest, unit: str) -> None:
    packed = gzip.compress(b"one\n\ntwo\n\nthree", mtime=0)[:-9]
    found = ingest_folder({"a.txt.gz": packed}, unit=unit)
    assert [row["text"] for row in found.rows] == ([] if unit == "file" else ["one", "two"])
    assert "cut off at byte" in found.quarantined[0]["error"]


@pytest.mark.parametrize("unit", ["line", "block"])
def test_naughty_strings_come_through(ingest_folder: Ingest, shared_data: Path, unit: str) -> None:
    data = (shared_data / "naughty-strings" / "blns.txt").read_bytes()
    found = ingest_folder({"a.txt": data}, unit=unit)
    lines = [line.strip(b" \t\x0b\x0c\r") for line in data.split(b"\n")]
    if unit == "line":
        assert found.framed == sum(map(bool, lines)) > 500
    else:
        starts = zip([b"", *lines], lines, strict=False)
        assert found.framed == sum(bool(line and not before) for before, line in starts) > 50


def test_source_code_is_read_by_known_suffixes_with_its_language(ingest_folder: Ingest) -> None:
    files = {"a.py": b"x = 1\n", "src/b.RS": b"fn main() {}", "c.txt": b"no", "d.bin": b"\0"}
    found = ingest_folder(files, format="code")
    assert {row["uri"]: json.loads(row["meta"])["language"] for row in found.rows} == {
        "a.py": "python",
        "src/b.RS": "rust",
    }
    assert found.facts["files_ignored"] == ["c.txt", "d.bin"]


def test_a_format_holds_whatever_the_name_says(ingest_folder: Ingest) -> None:
    found = ingest_folder({"a": b"one", "b.log": b"two", "c.json": b"{"}, format="text")
    assert found.texts == {"a": "one", "b.log": "two", "c.json": "{"}


def test_a_file_may_be_called_as_a_partition_is(ingest_folder: Ingest) -> None:
    names = [f"bundle-{n:03d}" for n in range(16)] + ["ignored-files", "c.txt"]
    files = dict.fromkeys(names, b"a file")
    found = ingest_folder(files, format="text", max_bundle_file_bytes=1)
    assert set(found.texts) == set(names)
    assert len(set(found.keys)) == len(found.keys) == len(names)
