from __future__ import annotations

import csv
import gzip
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ingest.lines import LineFramer
from pipelines.ingest.separated import Row, Rows, _fields_of_row

Ingest = Callable[..., Any]
FIELD = st.text(alphabet='",\n a1', max_size=6)
CUTS = st.lists(st.integers(0, 30), max_size=6)


def rows_of(data: bytes, max_bytes: int = 10_000) -> list[Row]:
    framer, rows = LineFramer(max_bytes), Rows(max_bytes)
    found = [row for line in framer.lines([data]) for row in rows.add(line)]
    if (last := framer.rest()) is not None:
        found += rows.add(last)
    return [*found, *rows.end()]


@given(st.lists(st.lists(FIELD, min_size=2, max_size=3), min_size=1, max_size=6))
def test_rows_are_framed_and_parsed_as_python_writes_them(table: list[list[str]]) -> None:
    target = io.StringIO()
    csv.writer(target, lineterminator="\n").writerows(table)
    rows = rows_of(target.getvalue().encode())
    texts = [b"\n".join(line.data for line in row.lines).decode() for row in rows]
    assert [_fields_of_row(text) for text in texts] == table
    assert not any(row.is_open for row in rows)


@given(st.text(alphabet='",\na', max_size=40))
def test_no_line_is_lost_whatever_the_quotes(text: str) -> None:
    rows = rows_of(text.encode(), 20)
    lines = [line.data.decode() for row in rows for line in row.lines]
    assert [line for line in lines if line] == [
        line for line in text.split("\n") if line.strip()
    ] or any(line.is_cut for row in rows for line in row.lines)


@pytest.mark.parametrize(
    ("name", "data", "texts", "errors"),
    [
        ("a.csv", b"", [], []),
        ("a.csv", b"id,text\n", [], []),
        ("a.csv", b"text,n\none,1\ntwo,2\n", ["one", "two"], []),
        ("a.csv", b'\xef\xbb\xbftext\r\n"a ""b"", c"\r\n"two\r\nlines"\r\n',
         ['a "b", c', "two\nlines"], []),
        ("a.csv", b"id,text\r1,one\r2,two", ["one", "two"], []),
        ("a.csv", b'\xef\xbb\xbf"n","text"\r\r1,"a\rb\nc"\r2,"5"" pipe"\r3,"\r\n"\r',
         ["a\nb\nc", '5" pipe'], ["empty text"]),
        ("a.csv", b'n,text\r1,"never closed\r2,two\r', ["two"], ["never closed"]),
        ("a.csv", b"n,text\n1,one\rtwo\n", ["one\ntwo"], []),
        ("a.tsv", b'n\ttext\r1\t"one\r2\ttwo\r', ['"one', "two"], []),
        ("a.tsv", b"n\ttext\r\n1\tone\rtwo\r\n", ["one\ntwo"], []),
        ("a.csv.gz", gzip.compress(b"n,text\r1,one\r2,tw", mtime=0)[:-4], ["one"],
         ["cut off at byte"]),
        ("a.csv", b'n,text\n1,5" pipe\n2,ok\n', ['5" pipe', "ok"], []),
        ("a.csv", b'n,text\n1,"never closed\n2,two\n3,three\n', ["two", "three"], ["never closed"]),
        ("a.csv", b'n,text\n1,"a"b\n2,two\n', ["two"], ["not CSV"]),
        ("a.csv", b"n,text\n1,one,more\n2\n3,three\n", ["three"], ["has 3 fields, not 2", "has 1"]),
        ("a.csv", b"n,text\n1,caf\xe9\n2,two\n", ["two"], ["not UTF-8: byte 0xe9"]),
        ("a.csv", b"n,body\n1,one\n", [], ["no field 'text'"]),
        ("a.csv", b"text,text\n1,one\n", [], ["names a field twice", "has 2 fields, not 0"]),
        ("a.csv", b'n,text\n1,"' + b"x" * 300 + b'"\n2,two\n', ["two"], ["over max_record_bytes"]),
        ("a.csv", b'n,text\n1,"' + b"x\n" * 300 + b'y"\n2,"z"\n', ["z"],
         ["never closed", *["has 1 f"] * 300]),
        ("a.tsv", b'text\tn\n"quoted" and 5"\t1\n\n  \ntwo\t2\r\n', ['"quoted" and 5"', "two"], []),
        ("a.csv.gz", gzip.compress(b'n,text\n1,one\n2,"tw', mtime=0)[:-4], ["one"],
         ["cut off at byte"]),
    ],
)  # fmt: skip
def test_what_is_broken_is_named_and_the_rest_read(
    ingest_folder: Ingest, name: str, data: bytes, texts: list[str], errors: list[str]
) -> None:
    found = ingest_folder({name: data}, max_record_bytes=250)
    assert [row["text"] for row in found.rows] == texts
    assert len(found.quarantined) == len(errors)
    for row, error in zip(found.quarantined, errors, strict=True):
        assert error in row["error"]


def test_hostile_quotes_cost_linear_time() -> None:
    data = b'x"' + b'\nx",",' * 200_000
    started = time.process_time()
    rows = rows_of(data, 1 << 20)
    assert len(rows) > 1000
    assert time.process_time() - started < 10


def test_columns_may_be_named_by_the_recipe(ingest_folder: Ingest, shared_data: Path) -> None:
    data = (shared_data / "ag-news" / "test.csv.gz").read_bytes()
    found = ingest_folder(
        {"test.csv.gz": data}, columns=("class", "title", "text"), max_bundle_file_bytes=1
    )
    oracle = list(csv.reader(io.StringIO(gzip.decompress(data).decode())))
    assert [row["text"] for row in found.rows] == [row[2] for row in oracle]
    assert len(found.rows) == 7600


def test_a_public_set_of_tabs_is_read_whole(ingest_folder: Ingest, shared_data: Path) -> None:
    data = (shared_data / "cola" / "in_domain_train.tsv").read_bytes()
    columns = ("source", "label", "mark", "text")
    found = ingest_folder({"in_domain_train.tsv": data}, columns=columns)
    assert len(found.rows) == 8551 == found.framed
    banking = (shared_data / "banking77" / "train.csv").read_bytes()
    found = ingest_folder({"train.csv": banking}, columns=())
    rows = [row for row in found.rows if row["uri"] == "train.csv"]
    assert [row["text"].strip("\n") for row in rows] == [
        row["text"].replace("\r", "\n").strip("\n")
        for row in csv.DictReader(io.StringIO(banking.decode(), newline=""))
    ]
    assert len(rows) == 10_003
