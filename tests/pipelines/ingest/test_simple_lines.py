"""Lines that a kernel reads against the same lines parsed in Python: rows, order, quarantine."""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.documents import DOCUMENTS
from pipelines.ingest import jsonl
from pipelines.ingest.batches import build_batches
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.place import Place
from pipelines.ingest.rows import Record, RecordBlock
from store.step import QUARANTINE

CHARS = st.sampled_from(
    ["a", " ", "é", "e\u0301", "\u0301", "中", "😀", "\ufeff", "\u1161", "\u2028", "\x7f", "\u0344"]
)
ESCAPES = st.sampled_from(
    [r"\n", r"\t", r"\r\n", r"\"", r"\\", r"\/", r"\b", r"\f", r"\u0041", r"\u00E9",
     r"\ud83d\ude00", r"\ud83d", r"\udc00\ud83d", r"\u0000", r"\ufeff", r"\u0301", r"\x", r"\u12",
     r"\u12g4", "\\", "\t", "\0"]
)  # fmt: skip
STRINGS = st.lists(CHARS | ESCAPES, max_size=6).map(lambda parts: f'"{"".join(parts)}"')
NUMBERS = st.sampled_from(["0", "-0", "7", "-12", "01", "1.5", "1e3", "-", "9" * 19, "9" * 5000])
OTHERS = st.sampled_from(
    ["null", "true", "NaN", "[]", "{}", '[1, {"text": 2}]', '{"a": "b"}', "[}", "[1,]", "", "nul",
     '{"s": 1}', '"2024-05-01T12:00:00Z"', "[" * 201 + "]" * 201]
)  # fmt: skip
NAMES = st.sampled_from(
    ['"text"'] * 6 + ['"id"', '"url"', '"labels"', '"published_at"', '"x"', '"te\\u0078t"', "text"]
)
MEMBERS = st.tuples(NAMES, STRINGS | NUMBERS | OTHERS).map(lambda pair: f"{pair[0]}: {pair[1]}")
SPACES = st.sampled_from([""] * 5 + [" ", "\t", "\r", "\x0b", "\xa0"])
OBJECTS = st.tuples(SPACES, st.lists(MEMBERS, min_size=1, max_size=4), SPACES).map(
    lambda parts: f"{parts[0]}{{{', '.join(parts[1])}}}{parts[2]}"
)
GOOD = st.dictionaries(
    st.sampled_from(["text", "id", "url", "labels", "published_at", "more", "a.b"]),
    st.text(max_size=8) | st.integers() | st.dictionaries(st.text(max_size=3), st.integers()),
).map(lambda fields: json.dumps({"text": "t", **fields}, ensure_ascii=False))
LINES = st.lists(
    (
        OBJECTS
        | GOOD
        | GOOD
        | st.sampled_from(["", " \t", "\x0b", "[]", "{}", '{"text": "a"', "\ufeff{}"])
    )
    .map(lambda line: line.encode("utf-8", "surrogatepass"))
    .flatmap(lambda line: st.just(line) | st.just(line) | st.binary(max_size=3).map(line.__add__)),
    max_size=12,
).map(lambda lines: b"\n".join(lines))
CONFIGS = st.builds(
    IngestConfig,
    st.just("files"),
    encoding_errors=st.sampled_from(["quarantine", "repair"]),
    id_field=st.sampled_from(["id", "id", "", "text", "url", "a.b"]),
    url_field=st.sampled_from(["url", "url", "id"]),
    max_record_bytes=st.sampled_from([1 << 20, 40]),
)

Found = tuple[pa.Table, pa.Table, dict[str, Any], Counter[str]]


def read(data: bytes, config: IngestConfig, min_scanned_bytes: int) -> Found:
    """Return all that ingest makes of lines, and how many records came in bytes or as text."""
    facts: dict[str, Any] = {"records_framed": 0}
    quarantined: list[dict[str, Any]] = []
    ways: Counter[str] = Counter()

    def watched() -> Any:
        place = Place("a.jsonl", "a.jsonl", {"folder": "f"})
        for item in jsonl.read(io.BytesIO(data), place, config, facts):
            if isinstance(item, RecordBlock):
                ways["bytes"] += len(item)
            elif isinstance(item, Record):
                ways[type(item.text).__name__] += 1
            yield item

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, "MIN_SCANNED_BYTES", min_scanned_bytes)
        batches = list(build_batches(watched(), "mine", config.encoding_errors, quarantined))
    rows = pa.Table.from_batches(batches, DOCUMENTS)
    return rows, pa.Table.from_pylist(quarantined, QUARANTINE), facts, ways


def test_hostile_lines_become_the_same_rows_whoever_reads_them() -> None:
    touched: Counter[str] = Counter()

    @settings(deadline=None, max_examples=200)
    @given(LINES, CONFIGS)
    def check(lines: bytes, config: IngestConfig) -> None:
        data = b'{"text": "first"}\n' + lines + b"\n"
        rows, quarantined, facts, ways = read(data, config, 0)
        expected_rows, expected_quarantined, expected_facts, parsed = read(data, config, 1 << 60)
        assert rows.equals(expected_rows)
        assert quarantined.equals(expected_quarantined)
        assert facts == expected_facts
        assert facts["records_framed"] == len(rows) + len(quarantined)
        assert not parsed["bytes"]
        touched["kernel"] += ways["bytes"]
        touched["parsed"] += ways["str"]
        touched["quarantined"] += len(quarantined)

    check()
    assert min(touched[name] for name in ("kernel", "parsed", "quarantined")) > 10, touched


def test_the_json_parsing_suite_is_judged_alike(shared_data: Path) -> None:
    lines = []
    with tarfile.open(shared_data / "json-test-suite" / "json_test_suite.tar.xz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is not None and (value := file.read()) and len(value) < 10_000:
                value = value.replace(b"\n", b" ")
                lines += [b'{"text": "t", "value": ' + value + b"}", b'{"text": ' + value + b"}"]
    assert len(lines) > 500
    for errors in ("quarantine", "repair"):
        config = IngestConfig("files", encoding_errors=errors)
        data = b"{}\n" + b"\n".join(lines) + b"\n"
        *found, ways = read(data, config, 0)
        *expected, _ = read(data, config, 1 << 60)
        assert found[0].equals(expected[0])
        assert found[1].equals(expected[1])
        assert ways["bytes"] > 80


def test_most_lines_of_usual_files_are_read_by_the_kernel() -> None:
    fields = {"text": 'Some "text"\nof a line, naïve\u2019s', "id": "a-1", "meta": {"n": [1, 2]}}
    lines = [json.dumps({**fields, "id": f"a-{n}"}, ensure_ascii=n % 2 == 0) for n in range(1000)]
    data = "\n".join(lines).encode()
    *_, ways = read(data, IngestConfig("files"), jsonl.MIN_SCANNED_BYTES)
    assert ways["bytes"] >= 999
