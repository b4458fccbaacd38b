import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from catalog.contracts.declared_values import values_unlike_declared
from catalog.contracts.subject import CheckedPart
from data_contracts.errors import ContractError
from pipelines.signals.family import count_field, ratio_field

FIELDS = [
    pa.field("doc_id", pa.string()),
    count_field("num_marks", "marks", "Marks."),
    ratio_field("marks_ratio", "marks per mark", "A share.", most=1.0),
    ratio_field("mean_marks", "marks", "A mean."),
    pa.field("language", pa.string(), metadata={"description": "A code."}),
]


def part_of(rows, fields=FIELDS):
    schema = pa.schema([field.with_nullable(True) for field in fields])
    table = pa.Table.from_pylist(
        [dict(zip(schema.names, row, strict=True)) for row in rows], schema
    )
    return CheckedPart("p", "digest", schema, ds.dataset(table))


def test_rows_outside_what_columns_declare_are_counted_once_and_shown():
    nan, inf = float("nan"), float("inf")
    rows = [
        ("a", 0, 0.0, 7.5, "en"),
        ("b", -1, 1.5, 0.0, "en"),
        ("c", 1, nan, 0.0, None),
        ("d", 1, 1.0, inf, "en"),
        ("e", None, None, None, None),
    ]
    tally = values_unlike_declared(part_of(rows), {})
    assert (tally.num_checked, tally.num_broken, tally.problem) == (5, 3, None)
    assert tally.samples == (
        "doc_id='b', signal='num_marks', value=-1",
        "doc_id='b', signal='marks_ratio', value=1.5",
        "doc_id='c', signal='marks_ratio', value=nan",
        "doc_id='d', signal='mean_marks', value=inf",
    )


def test_at_most_ten_are_shown():
    tally = values_unlike_declared(part_of([(str(n), -1, -1.0, 0.0, "") for n in range(8)]), {})
    assert tally.num_broken == 8
    assert len(tally.samples) == 10


def test_a_column_without_a_meaning_is_a_problem():
    fields = [*FIELDS, pa.field("num_more", pa.int64())]
    tally = values_unlike_declared(part_of([("a", 0, 0.0, 0.0, "", 1)], fields), {})
    assert tally.problem == "num_more declares no meaning of its own"
    assert not tally.kept


def test_no_arguments_are_taken():
    with pytest.raises(ContractError, match="values_unlike_declared"):
        values_unlike_declared(part_of([]), {"of": "num_marks"})
