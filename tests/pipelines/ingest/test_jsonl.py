from __future__ import annotations

import json
import math
import tarfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.fields import MAX_META_BYTES
from pipelines.ingest.jsonl import MAX_DEPTH, parse_line
from pipelines.ingest.lines import Line
from pipelines.ingest.rows import Item, Record, Unreadable


def parse(data: bytes | str | dict[str, Any], **config: Any) -> Item:
    if isinstance(data, dict):
        data = json.dumps(data)
    if isinstance(data, str):
        data = data.encode()
    line = Line(3, 100, data, len(data), False)
    return parse_line(
        line, "a.jsonl", "a.jsonl#3", {"folder": "x"}, IngestConfig("files", **config)
    )


def parsed(data: bytes | str | dict[str, Any], **config: Any) -> Record:
    item = parse(data, **config)
    assert isinstance(item, Record), item
    return item


def error_of(data: bytes | str | dict[str, Any], **config: Any) -> str:
    item = parse(data, **config)
    assert isinstance(item, Unreadable), item
    assert (item.origin.position, item.origin.unit) == (100, "byte")
    return item.error


def test_fields_find_their_columns() -> None:
    record = parsed(
        {
            "text": "hello",
            "id": "doc-1",
            "url": "https://example.org",
            "published_at": "2024-05-01T12:00:00+02:00",
            "labels": {"topic": "news", "stars": 5, "good": True, "none": None},
            "lang": "en",
            "metadata": {"b": 1, "a": [None, 0.5]},
        }
    )
    assert record.key == "doc-1"
    assert record.text == "hello"
    assert record.url == "https://example.org"
    assert record.published_at == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert record.labels == {"folder": "x", "topic": "news", "stars": "5", "good": "true"}
    assert record.meta == '{"lang": "en", "metadata": {"a": [null, 0.5], "b": 1}}'


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("x", "x"),
        (7, "7"),
        (-1, "-1"),
        ("", "a.jsonl#3"),
        (None, "a.jsonl#3"),
        (True, "a.jsonl#3"),
        (1.5, "a.jsonl#3"),
    ],
)
def test_a_declared_id_is_a_string_or_an_integer(value: object, key: str) -> None:
    assert parsed({"text": "t", "id": value}).key == key


def test_an_empty_field_name_means_never() -> None:
    record = parsed({"text": "t", "id": "x", "": "odd"}, id_field="", url_field="")
    assert record.key == "a.jsonl#3"
    assert json.loads(record.meta or "") == {"id": "x", "": "odd"}


def test_field_names_are_the_recipes() -> None:
    record = parsed(
        {"content": "t", "key": 3, "text": "other"}, text_field="content", id_field="key"
    )
    assert (record.text, record.key, record.meta) == ("t", "3", '{"text": "other"}')


def test_a_time_that_is_none_stays_in_meta() -> None:
    for value in ["yesterday", "", 1714557600, "0001-01-01T00:00:00+14:00", "2024-13-01"]:
        record = parsed({"text": "t", "published_at": value})
        assert record.published_at is None
        assert json.loads(record.meta or "") == {"published_at": value}
    assert parsed({"text": "t", "published_at": "2024-05-01"}).published_at == datetime(
        2024, 5, 1, tzinfo=UTC
    )


def test_labels_that_are_no_scalars_stay_in_meta() -> None:
    for value in [["a"], "a", {"a": {"b": 1}}]:
        record = parsed({"text": "t", "labels": value})
        assert record.labels == {"folder": "x"}
        assert json.loads(record.meta or "") == {"labels": value}


def test_meta_is_bounded_and_names_what_it_leaves_out() -> None:
    fields = {"text": "t", "big": "x" * MAX_META_BYTES, "small": 1}
    meta = parsed(fields).meta or ""
    assert json.loads(meta) == {"small": 1, "_left_out": ["big"]}
    many = {"text": "t"} | {f"field-{n:05d}" * 30: "x" * 100 for n in range(10_000)}
    meta = parsed(many).meta or ""
    assert len(meta) < 3 * MAX_META_BYTES
    assert len(json.loads(meta)["_left_out"]) == 100


def test_surrogates_in_other_fields_cannot_break_the_row() -> None:
    record = parsed(
        r'{"text": "t", "url": "\ud800", "labels": {"\ud801": "\udfff"}, "m": "\ud800"}'
    )
    for value in [record.url, record.meta, *record.labels, *record.labels.values()]:
        assert value is not None
        value.encode()
    assert parsed(r'{"text": "\ud83d\ude00"}').text == "😀"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ('{"text": "breaks o', "not JSON: Unterminated string"),
        ("[1, 2]", "not a JSON object but a list"),
        ("null", "not a JSON object but null"),
        ('"text"', "not a JSON object but a string"),
        ("{}", "no field 'text'"),
        ('{"text": null}', "the field 'text' is null, not a string"),
        ('{"text": 5}', "is a number"),
        ('{"text": true}', "is a boolean"),
        ('{"text": ["a"]}', "is a list"),
        ('{"text": {}}', "is an object"),
        ('{"text": "a", "n": NaN}', "NaN is no JSON number"),
        ('{"text": "a", "text": "b"}', "stands twice"),
        ('{"text": "a"} {"text": "b"}', "not JSON: Extra data"),
        ('{"text": "a\0b"}', "not JSON: Invalid control character"),
        (b'{"text": "a\xffb"}', "not UTF-8: byte 0xff at byte 11"),
        ('{"text": ' + "[" * 100_000, "nested deeper than 200"),
        ('{"text": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested deeper than 200"),
        ('{"text": "a", "n": ' + "9" * 5000 + "}", "Exceeds the limit"),
    ],
)
def test_what_is_no_document_says_why(data: str | bytes, error: str) -> None:
    assert error in error_of(data)


def test_a_field_name_inside_texts_is_no_repetition() -> None:
    assert parsed({"text": '"text" "text"', "m": {"text": "x"}}).text == '"text" "text"'
    assert parsed('{"m": {"text": 1, "text": 2}, "text": "t"}').text == "t"


def test_brackets_in_strings_are_not_depth() -> None:
    text = '[{"' * 5000 + "\\"
    assert parsed({"text": text}).text == text
    assert parsed({"text": "t", "rows": [[1]] * 5000}).text == "t"
    assert MAX_DEPTH < 5000


def test_measuring_depth_takes_linear_time() -> None:
    hostile = "[" * 300 + '"' + '\\"' * 2_000_000
    started = time.perf_counter()
    assert "nested deeper" in error_of(hostile)
    assert time.perf_counter() - started < 5


def test_numbers_beyond_floats_keep_their_digits() -> None:
    assert parsed('{"text": "t", "n": 1e999, "m": -1e999}').meta == '{"m": "-1e999", "n": "1e999"}'


def test_bytes_that_are_not_utf8_are_repaired_if_the_recipe_says_so() -> None:
    record = parsed(b'{"text": "a\xff\xfeb"}', encoding_errors="repair")
    assert (record.text, record.num_repairs) == ("a\ufffd\ufffdb", 2)


def test_a_byte_order_mark_opens_a_file_only() -> None:
    data = b'\xef\xbb\xbf{"text": "t"}'
    first = parse_line(Line(1, 0, data, len(data), False), "a", "a#1", {}, IngestConfig("files"))
    assert isinstance(first, Record)
    assert "not JSON" in error_of(data)


def test_the_json_parsing_suite_is_read_as_it_asks(shared_data: Path) -> None:
    num_good = num_bad = 0
    with tarfile.open(shared_data / "json-test-suite" / "json_test_suite.tar.xz") as archive:
        for member in archive:
            name = Path(member.name).name
            if not member.isfile() or name[:2] not in ("y_", "n_"):
                continue
            file = archive.extractfile(member)
            assert file is not None
            # The suite's files are values of all kinds, a record is an object.
            item = parse(b'{"text": "t", "value": ' + file.read() + b"}")
            if name.startswith("y_"):
                num_good += 1
                assert isinstance(item, Record), name
            else:
                num_bad += 1
                assert isinstance(item, Unreadable), name
    assert num_good > 80
    assert num_bad > 150


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


FIELDS = st.sampled_from(["text", "id", "url", "labels", "published_at", "x"])


@given(st.dictionaries(FIELDS, JSON | st.text(), max_size=4))
def test_any_object_becomes_one_item(fields: dict[str, Any]) -> None:
    item = parse(json.dumps(fields))
    is_finite = all(math.isfinite(n) for n in _floats(fields))
    assert isinstance(item, Record) == (isinstance(fields.get("text"), str) and is_finite)
    if isinstance(item, Record) and item.meta:
        assert isinstance(json.loads(item.meta), dict)


def _floats(value: object) -> list[float]:
    if isinstance(value, float):
        return [value]
    if isinstance(value, dict):
        return [number for inner in value.values() for number in _floats(inner)]
    if isinstance(value, list):
        return [number for inner in value for number in _floats(inner)]
    return []
