from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

Ingest = Callable[..., Any]
TABLE = pa.table(
    {
        "text": [f"text number {n} of many" for n in range(2000)],
        "id": [f"id-{n}" for n in range(2000)],
        "n": range(2000),
    }
)


def parquet(table: pa.Table, **options: Any) -> bytes:
    target = io.BytesIO()
    pq.write_table(table, target, **{"row_group_size": 500, **options})
    return target.getvalue()


def stream(table: pa.Table, max_rows: int = 300) -> bytes:
    target = io.BytesIO()
    with pa.ipc.new_stream(target, table.schema) as writer:
        writer.write_table(table, max_chunksize=max_rows)
    return target.getvalue()


def arrow_file(table: pa.Table) -> bytes:
    target = io.BytesIO()
    with pa.ipc.new_file(target, table.schema) as writer:
        writer.write_table(table)
    return target.getvalue()


PACK = {"parquet": parquet, "arrow": stream}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.parquet", parquet(TABLE)),
        ("a.parquet", parquet(TABLE, compression="zstd", use_dictionary=False)),
        ("a.arrow", stream(TABLE)),
        ("a.arrow", arrow_file(TABLE)),
    ],
)
def test_rows_become_records(ingest_folder: Ingest, name: str, data: bytes) -> None:
    found = ingest_folder({name: data})
    assert found.texts == dict(zip(*(TABLE[n].to_pylist() for n in ("id", "text")), strict=True))
    assert found.rows[7]["meta"] == '{"n": 7}'
    assert found.framed == 2000


def test_values_of_every_kind_find_their_place(ingest_folder: Ingest) -> None:
    when = datetime(2024, 5, 1, 12, tzinfo=UTC)
    table = pa.table(
        {
            "page": pa.array([{"text": "nested", "size": 3}]),
            "labels": pa.array([{"topic": "news", "stars": 5}]),
            "published_at": pa.array([when], pa.timestamp("us", tz="UTC")),
            "raw": pa.array([b"\xff\x00"]),
            "price": pa.array([Decimal("1.50")]),
            "ratio": pa.array([float("nan")]),
            "day": pa.array([when.date()]),
        }
    )
    (row,) = ingest_folder({"a.parquet": parquet(table)}, text_field="page.text").rows
    assert (row["text"], row["record_key"], row["published_at"]) == ("nested", "a.parquet#1", when)
    assert row["labels"] == [("stars", "5"), ("topic", "news")]
    assert json.loads(row["meta"]) == {
        "page": {"size": 3}, "raw": "\\xff\x00", "price": "1.50", "ratio": "nan",
        "day": "2024-05-01",
    }  # fmt: skip


@pytest.mark.parametrize("kind", PACK)
def test_what_is_no_text_is_quarantined_by_row(ingest_folder: Ingest, kind: str) -> None:
    bad = pa.array([b"good", b"caf\xe9", None, b"x" * 600, b"last"]).cast(pa.binary())
    column = pa.Array.from_buffers(pa.string(), 5, bad.buffers())
    found = ingest_folder(
        {f"a.{kind}": PACK[kind](pa.table({"text": column}))}, max_record_bytes=500
    )
    assert [row["text"] for row in found.rows] == ["good", "last"]
    assert [(row["position"], row["unit"]) for row in found.quarantined] == [
        (1, "row"), (2, "row"), (3, "row")
    ]  # fmt: skip
    errors = [row["error"] for row in found.quarantined]
    assert errors[0] == "not UTF-8: byte 0xe9 at byte 3 of the record"
    assert errors[1] == "the field 'text' is null, not a string"
    assert "600 bytes, over max_record_bytes" in errors[2]
    binary = ingest_folder({"b.parquet": parquet(pa.table({"text": bad}))})
    assert binary.texts["b.parquet#1"] == "good"


def unchecked(kind: pa.DataType, values: list[bytes]) -> pa.Array:
    """Return texts of a type, whatever their bytes are."""
    as_bytes = pa.array(values, pa.large_binary() if kind == pa.large_string() else pa.binary())
    return pa.Array.from_buffers(kind, len(values), as_bytes.buffers())


BAD = [b"good", b"caf\xe9", b"last"]
PLAIN = unchecked(pa.string(), BAD)
ONE_EACH = pa.array([0, 1, 2, 3], pa.int32())


@pytest.mark.parametrize(
    ("column", "error"),
    [
        (unchecked(pa.large_string(), BAD), "byte 0xe9 at byte 3"),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), PLAIN), "byte 0xe9 at byte 3"),
        (pa.StructArray.from_arrays([PLAIN], ["text"]), "not UTF-8 in the field 'text'"),
        (pa.ListArray.from_arrays(ONE_EACH, PLAIN), "not UTF-8 in the field 'text'"),
        (pa.MapArray.from_arrays(ONE_EACH, PLAIN, PLAIN), "not UTF-8 in the field 'text'"),
        (
            pa.StructArray.from_arrays([pa.ListArray.from_arrays(ONE_EACH, PLAIN)], ["text"]),
            "not UTF-8 in the field 'text'",
        ),
    ],
)
def test_bytes_that_are_no_text_cost_their_row_wherever_they_stand(
    ingest_folder: Ingest, column: pa.Array, error: str
) -> None:
    found = ingest_folder({"a.arrow": stream(pa.table({"text": column}))})
    assert [row["position"] for row in found.quarantined if error in row["error"]] == [1]


def test_a_dictionary_of_texts_may_be_repaired(ingest_folder: Ingest) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), PLAIN)
    data = stream(pa.table({"text": column}))
    found = ingest_folder({"a.arrow": data}, encoding_errors="repair")
    assert [row["text"] for row in found.rows] == ["good", "caf\ufffd", "last"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_offsets_that_lead_outside_are_damage(ingest_folder: Ingest, kind: pa.DataType) -> None:
    size = pa.int64() if kind == pa.large_string() else pa.int32()
    offsets = pa.array([0, 1 << 30, 2, 5], size).buffers()[1]
    texts = pa.Array.from_buffers(kind, 3, [None, offsets, pa.py_buffer(b"hello")])
    nested = pa.StructArray.from_arrays([texts], ["text"])
    found = ingest_folder({"a.arrow": stream(pa.table({"page": nested}))}, text_field="page.text")
    assert ["damaged after row 0" in row["error"] for row in found.quarantined] == [True]


@pytest.mark.parametrize("kind", PACK)
def test_a_nested_text_over_the_limit_is_quarantined(ingest_folder: Ingest, kind: str) -> None:
    table = pa.table({"page": pa.array([{"text": "y" * 600}, {"text": "short"}])})
    limits = {"text_field": "page.text", "max_record_bytes": 500}
    found = ingest_folder({f"a.{kind}": PACK[kind](table)}, **limits)
    assert [row["text"] for row in found.rows] == ["short"]
    (row,) = found.quarantined
    assert "600 bytes, over max_record_bytes" in row["error"]
    assert row["raw"] == b"y" * 256


def test_a_corrupt_page_costs_the_rows_of_its_group(ingest_folder: Ingest) -> None:
    data = bytearray(parquet(TABLE, compression="zstd", use_dictionary=False))
    group = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(1).column(0)
    start = group.data_page_offset + 40
    data[start : start + 40] = b"\xaa" * 40
    found = ingest_folder({"a.parquet": bytes(data)})
    assert found.framed == 2000
    kept = [int(row["record_key"][3:]) for row in found.rows]
    assert kept == [n for n in range(2000) if not 500 <= n < 1000]
    assert [row["position"] for row in found.quarantined] == list(range(500, 1000))
    assert all("damaged in row group 1" in row["error"] for row in found.quarantined)


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.99])
def test_a_cut_file_says_so(ingest_folder: Ingest, kind: str, share: float) -> None:
    data = PACK[kind](TABLE)
    found = ingest_folder({f"a.{kind}": data[: int(len(data) * share)]})
    assert len(found.quarantined) == 1
    kept = [row["text"] for row in found.rows]
    assert kept == TABLE["text"].to_pylist()[: len(kept)]
    assert bool(kept) == (kind == "arrow" and share >= 0.5)


def test_no_damage_raises_or_loses_a_row(ingest_folder: Ingest) -> None:
    whole = {kind: pack(TABLE.slice(0, 600)) for kind, pack in PACK.items()}
    touched = []

    @settings(max_examples=40)
    @given(st.sampled_from(sorted(PACK)), st.floats(0, 1), st.binary(min_size=1, max_size=30))
    def check(kind: str, share: float, noise: bytes) -> None:
        data = bytearray(whole[kind])
        at = int(share * (len(data) - len(noise)))
        data[at : at + len(noise)] = noise
        found = ingest_folder({f"a.{kind}": bytes(data)}, id_field="")  # counts add up
        touched.append(bool(found.quarantined))

    check()
    assert sum(touched) > 2


def test_the_public_collection_of_parquet_files_loses_no_row(
    shared_data: Path, ingest_folder: Ingest
) -> None:
    archive = shared_data / "parquet-testing" / "parquet_testing_data.tar.xz"
    num_read = 0
    with tarfile.open(archive) as files:
        for member in files:
            if not member.name.endswith(".parquet"):
                continue
            data = files.extractfile(member).read()  # type: ignore[union-attr]
            found = ingest_folder({"a.parquet": data}, text_field="string_col", id_field="")
            rows = found.rows + found.quarantined
            try:
                metadata = pq.ParquetFile(io.BytesIO(data)).metadata
            except (OSError, ValueError):
                assert len(rows) == 1
                continue
            groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
            assert len(rows) == sum(groups) == found.framed, member.name
            num_read += bool(found.rows)
    assert num_read >= 5


def test_a_dataset_of_hugging_face_on_disk_is_read(ingest_folder: Ingest) -> None:
    """As `datasets.Dataset.save_to_disk` lays it out: streams, and two files that describe them."""
    names = ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]
    state = {"_data_files": [{"filename": name} for name in names], "_split": "train"}
    info = {"features": {"text": {"dtype": "string", "_type": "Value"}}, "license": "mit"}
    found = ingest_folder(
        {
            "train/state.json": json.dumps(state).encode(),
            "train/dataset_info.json": json.dumps(info).encode(),
            "dataset_dict.json": b'{"splits": ["train"]}',
            f"train/{names[0]}": stream(TABLE.slice(0, 1200)),
            f"train/{names[1]}": stream(TABLE.slice(1200)),
        }
    )
    assert len(found.rows) == 2000 == found.framed
    assert dict(found.rows[0]["labels"]) == {"folder": "train"}
    assert found.facts["num_files_ignored"] == 3
