import numpy as np
import pyarrow as pa
import pytest

from data_contracts.errors import UsageError
from pipelines.dedupe.takings import TAKINGS, by_document

IDS = pa.chunked_array([["c", "a"], ["b"]])


def takings_of(*rows):
    names = ("doc_id", "start_byte", "end_byte")
    others = {"part_key": "p", "partner_id": "z", "partner_start_byte": 0}
    return pa.Table.from_pylist(
        [{**others, **dict(zip(names, row, strict=True))} for row in rows], TAKINGS
    )


def test_takings_come_in_the_order_of_the_documents():
    takings = takings_of(("a", 1, 3), ("a", 5, 9), ("b", 0, 1), ("c", 2, 2))
    rows, starts, ends = by_document(takings, IDS, np.array([2, 9, 1]))
    assert rows.tolist() == [0, 1, 1, 2]
    assert starts.tolist() == [2, 1, 5, 0]
    assert ends.tolist() == [2, 3, 9, 1]
    assert [column.size for column in by_document(takings_of(), IDS, np.zeros(3))] == [0] * 3


@pytest.mark.parametrize("row", [("d", 0, 1), ("a", 0, 10), ("a", 5, 4), ("c", -1, 2)])
def test_takings_of_other_texts_are_refused(row):
    takings = takings_of(("a", 1, 3), row)
    with pytest.raises(UsageError, match=f"document {row[0]}, which does not have them"):
        by_document(takings, IDS, np.array([2, 9, 1]))
