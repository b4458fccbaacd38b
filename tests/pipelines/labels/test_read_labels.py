import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from data_contracts.documents import DOCUMENTS
from data_contracts.errors import InputError, RecipeError
from pipelines.labels.config import ReadLabelsConfig
from pipelines.labels.read_labels import STEP
from store.step import QUARANTINE, Inputs


def read(config):
    """Return rows and quarantined rows of all partitions; no record may be lost."""
    rows, quarantined, framed = [], [], 0
    for part in STEP.list_parts(config):
        output = STEP.run(Inputs(part.key, source=part), config)
        table = pa.Table.from_batches(list(output.rows), DOCUMENTS)
        table.validate(full=True)
        pa.Table.from_pylist(output.quarantined, QUARANTINE).validate(full=True)
        rows += table.to_pylist()
        quarantined += output.quarantined
        framed += output.facts["records_framed"]
    assert framed == len(rows) + len(quarantined)
    return rows, quarantined


def config_of(path, **values):
    return ReadLabelsConfig(str(path), **values)


RECORDS = [
    {"body": "one text", "class": "a", "by": "x", "more": [1]},
    {"body": "two text", "class": 7, "by": 3},
    {"body": "three text", "class": "b", "by": "x"},
]
FIELDS = {"text_field": "body", "label_field": "class", "group_field": "by"}


def write(path, records):
    data = "".join(f"{json.dumps(record)}\n" for record in records).encode()
    if path.suffix == ".parquet":
        columns = {name: [str(r[name]) for r in records] for name in ("body", "class", "by")}
        pq.write_table(pa.table(columns), path)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(data))
    elif path.suffix == ".zst":
        path.write_bytes(zstandard.compress(data))
    else:
        path.write_bytes(data)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.parquet", "A.JSONL"])
@pytest.mark.parametrize("as_folder", [True, False])
def test_texts_labels_and_groups_are_read(tmp_path, name, as_folder):
    write(tmp_path / name, RECORDS)
    rows, quarantined = read(config_of(tmp_path if as_folder else tmp_path / name, **FIELDS))
    assert quarantined == []
    assert [row["text"] for row in rows] == ["one text", "two text", "three text"]
    assert [dict(row["labels"]) for row in rows] == [
        {"label": "a", "group": "x"},
        {"label": "7", "group": "3"},
        {"label": "b", "group": "x"},
    ]
    assert [row["record_key"] for row in rows] == [f"{name}#{i}" for i in (1, 2, 3)]


def test_parquet_of_numbers_and_dictionaries(tmp_path):
    table = pa.table(
        {
            "text": pa.array(["x y", "z", None]).dictionary_encode(),
            "label": pa.array([3, None, 1], pa.int8()),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    rows, quarantined = read(config_of(tmp_path))
    assert [dict(row["labels"]) for row in rows] == [{"label": "3"}]
    assert [row["error"] for row in quarantined] == [
        "the field 'label' is neither a string nor a whole number",
        "the field 'text' is no string",
    ]


@pytest.mark.parametrize(
    ("record", "error"),
    [
        ({"body": "t", "by": "x"}, "no field 'class'"),
        ({"body": "t", "class": "a"}, "no field 'by'"),
        ({"body": "t", "class": True, "by": "x"}, "the field 'class' is neither"),
        ({"body": "t", "class": None, "by": "x"}, "the field 'class' is neither"),
        ({"body": "t", "class": 1.5, "by": "x"}, "the field 'class' is neither"),
        ({"body": "t", "class": " ", "by": "x"}, "the field 'class' is empty"),
        ({"body": "t", "class": "\ud800", "by": "x"}, "the field 'class' holds a lone surrogate"),
        ({"class": "a", "by": "x"}, "no field 'body'"),
        ({"body": 4, "class": "a", "by": "x"}, "the field 'body' is a number"),
        ({"body": " ", "class": "a", "by": "x"}, "empty text"),
        ([1], "not a JSON object"),
    ],
)
def test_a_record_that_cannot_be_used_is_quarantined_with_its_cause(tmp_path, record, error):
    write(tmp_path / "a.jsonl", [RECORDS[0], record, RECORDS[2]])
    rows, quarantined = read(config_of(tmp_path, **FIELDS))
    assert len(rows) == 2
    assert [row["error"][: len(error)] for row in quarantined] == [error]


def test_lines_that_are_no_json_or_too_long_and_a_cut_stream(tmp_path):
    good = b'{"text": "fine", "label": "a"}\n'
    (tmp_path / "a.jsonl").write_bytes(good + b"{\n\n\xff\n" + b'{"text": "' + b"x" * 300 + b'"}\n')
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(good * 3)[:-3])
    rows, quarantined = read(config_of(tmp_path, max_record_bytes=100))
    assert len(rows) >= 1
    assert len(quarantined) == 4


def test_what_is_hidden_linked_or_something_else_is_left_alone(tmp_path):
    write(tmp_path / "a.jsonl", RECORDS)
    (tmp_path / ".b.jsonl").write_text("{")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "c.jsonl").write_text("{")
    (tmp_path / "d.jsonl").symlink_to(tmp_path / "a.jsonl")
    (tmp_path / "notes.txt").write_text("hello")
    rows, _ = read(config_of(tmp_path, **FIELDS))
    assert {row["uri"] for row in rows} == {"a.jsonl"}


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_a_wrong_field_is_named_with_those_that_there_are(tmp_path, name):
    write(tmp_path / name, RECORDS)
    with pytest.raises(InputError, match=r"field 'text'; fields that there are: body, by, class"):
        STEP.list_parts(config_of(tmp_path))
    with pytest.raises(InputError, match=r"labels\.group_field"):
        STEP.list_parts(config_of(tmp_path, **{**FIELDS, "group_field": "author"}))


def test_nothing_to_read_is_found_before_anything_is_read(tmp_path):
    with pytest.raises(RecipeError, match=r"labels\.path is empty"):
        STEP.list_parts(ReadLabelsConfig())
    with pytest.raises(InputError, match="does not exist"):
        STEP.list_parts(config_of(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"holds no \.jsonl"):
        STEP.list_parts(config_of(tmp_path))
    (tmp_path / "a.jsonl").write_text("\n \n")
    with pytest.raises(InputError, match="holds no labelled record"):
        STEP.list_parts(config_of(tmp_path))


def test_a_file_that_changed_or_is_damaged_is_an_error(tmp_path):
    path = tmp_path / "a.parquet"
    write(path, RECORDS)
    config = config_of(path, **FIELDS)
    (part,) = STEP.list_parts(config)
    data = path.read_bytes()
    path.write_bytes(data[:8] + b"\0" + data[9:])
    with pytest.raises(InputError, match="changed while it was being read"):
        list(STEP.run(Inputs(part.key, source=part), config).rows)
    path.write_bytes(data[:-3])
    with pytest.raises(InputError, match="not a whole Parquet file"):
        STEP.list_parts(config)
