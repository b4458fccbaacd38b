from __future__ import annotations

import json
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.json_values import ValueFramer

Ingest = Callable[..., Any]
OBJECTS = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=6), lambda s: st.lists(s, max_size=3)
    ),
    max_size=3,
)
CUTS = st.lists(st.integers(0, 30), max_size=8)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    blocks = []
    for size in sizes:
        blocks.append(data[:size])
        data = data[size:]
    return [*blocks, data]


def frame(blocks: list[bytes], max_bytes: int = 10_000) -> tuple[list[Any], Any]:
    framer = ValueFramer(max_bytes)
    values = [*framer.values(blocks)]
    last = framer.last()
    return [*values, last] if last else values, framer.rest()


@given(st.lists(OBJECTS), CUTS, st.sampled_from([None, 2]), st.booleans(), st.booleans())
def test_values_of_arrays_and_of_sequences_are_framed(
    objects: list[dict[str, Any]], sizes: list[int], indent: int, is_array: bool, ascii_: bool
) -> None:
    if is_array:
        data = json.dumps(objects, indent=indent, ensure_ascii=ascii_)
    else:
        data = "".join(json.dumps(o, indent=indent, ensure_ascii=ascii_) for o in objects)
    encoded = b"\xef\xbb\xbf" + data.encode("utf-8", "surrogatepass")
    values, rest = frame(cut(encoded, sizes))
    assert rest is None
    assert [json.loads(value.data) for value in values] == objects
    for value in values:
        assert encoded[value.offset :].startswith(value.data.rstrip())
        assert value.num_bytes == len(value.data)


@given(st.text(alphabet='[]{}",\\ 1a\n', max_size=30), CUTS, st.integers(1, 20))
def test_framing_does_not_depend_on_where_blocks_end(
    text: str, sizes: list[int], most: int
) -> None:
    data = text.encode()
    assert frame(cut(data, sizes), most) == frame([data], most)
    values, rest = frame([data])
    assert bool(values or rest) == bool(data.strip())


@pytest.mark.parametrize(
    ("data", "texts", "errors"),
    [
        (b"", [], []),
        (b" \n", [], []),
        (b"[]", [], []),
        (b'{"text": "a"}', ["a"], []),
        (b'{"text": "a"}{"text": "b"}\n{"text":\n"c"}', ["a", "b", "c"], []),
        (b'[{"text": "a"}, {"text": "b"}]\n', ["a", "b"], []),
        (b'[{"text": "a"}, {"text" "b"}, {"text": "c"}]', ["a", "c"], ["not JSON"]),
        (b'[{"text": "a"}, null, 3, "x", [], {"text": null}, {"text": "c"}]', ["a", "c"],
         ["but null", "but a number", "but a string", "but a list", "is null"]),
        (b'[{"text": "a"},]', ["a"], ["not JSON"]),
        (b'[,{"text": "a"}]', ["a"], ["not JSON"]),
        (b'[{"text": "a"}', ["a"], ["ends at byte 14 within"]),
        (b'[{"text": "a"}, {"text": "b', ["a"], ["ends at byte 27 within"]),
        (b'[{"text": "a"}] {"text": "b"}', ["a"], ["after the end of the array"]),
        (b'[{"text": "\xff"}, {"text": "b"}]', ["b"], ["not UTF-8: byte 0xff at byte 10"]),
        (b'{"text": "a"} nonsense {"text": "b"}', ["a", "b"], ["not JSON"]),
        (b'[{"text": "' + b"x" * 300 + b'"}, {"text": "b"}]', ["b"], ["has 312 bytes, over"]),
        (b"[" * 100_000, [], ["within a value"]),
    ],
)  # fmt: skip
def test_what_is_broken_is_named_and_the_rest_read(
    ingest_folder: Ingest, data: bytes, texts: list[str], errors: list[str]
) -> None:
    found = ingest_folder({"a.json": data}, max_record_bytes=200)
    assert [row["text"] for row in found.rows] == texts
    assert len(found.quarantined) == len(errors)
    for row, error in zip(found.quarantined, errors, strict=True):
        assert error in row["error"]


def test_keys_are_ordinals_or_declared(ingest_folder: Ingest) -> None:
    data = b'[{"text": "a"}, {"text": "b", "id": "x"}, {"text": "c", "id": "x"}, {"text": "d"}]'
    found = ingest_folder({"a.json": data})
    assert found.texts == {"a.json#1": "a", "x": "b", "a.json#4": "d"}
    assert "came before" in found.quarantined[0]["error"]


def test_a_huge_value_costs_no_memory() -> None:
    blocks = [b'[{"text": "'] + [b"x" * (1 << 20)] * 100 + [b'"}, 1]']
    tracemalloc.start()
    values, rest = frame(blocks, 4 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [value.num_bytes for value in values] == [(100 << 20) + 12, 1]
    assert rest is None
    assert peak < 16 << 20


def test_the_public_collection_of_json_files_loses_no_record(
    shared_data: Path, ingest_folder: Ingest
) -> None:
    """Each file alone: it reads, or says why not; framing agrees with Python's parser."""
    files = {}
    with tarfile.open(shared_data / "json-test-suite" / "json_test_suite.tar.xz") as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".json"):
                files[Path(member.name).name] = archive.extractfile(member).read()  # type: ignore
    assert len(files) > 300
    num_read = 0
    for name, data in files.items():
        values, rest = frame([data], 1 << 20)
        if name.startswith("y_"):
            assert rest is None, name
            parsed = json.loads(data)
            framed = [json.loads(value.data) for value in values]
            assert framed == (parsed if isinstance(parsed, list) else [parsed]), name
            num_read += 1
        elif name.startswith("n_") and data.strip(b" \n\xef\xbb\xbf\x0c\xe2\x81\xa0"):
            assert values or rest, name
    assert num_read > 90
    found = ingest_folder({name: b'{"text": "before"} ' + data for name, data in files.items()})
    assert len(found.rows) >= len(files)
    ingest_folder(files)
