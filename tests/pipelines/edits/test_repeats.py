import numpy as np
import pyarrow as pa

from pipelines.edits import repeated_spans
from pipelines.edits.registry import EDITS
from pipelines.edits.repeated_lines import FIELDS, cut_lines
from pipelines.edits.repeated_spans import cut_spans
from pipelines.kernels.buffers import text_buffers
from pipelines.signals.registry import FAMILIES

TEXTS = text_buffers(pa.array(["a\n\nX\nX\n\nb", "é", "X"]))
ROWS, STARTS, ENDS = np.array([0, 0, 2]), np.array([3, 5, 11]), np.array([5, 7, 12])


def test_lines_are_counted_one_by_one_and_cut_with_blank_lines():
    cut, counts = cut_lines(TEXTS, ROWS, STARTS, ENDS)
    assert counts.tolist() == [2, 0, 1]
    assert counts.dtype == np.int64
    assert cut.offsets.tolist() == [0, 1, 1, 2]
    assert (cut.starts.tolist(), cut.ends.tolist()) == ([3, 11], [8, 12])


def test_spans_are_counted_where_they_touch_and_cut_at_characters():
    rows, starts, ends = np.array([0, 0, 1]), np.array([3, 5, 9]), np.array([5, 7, 10])
    cut, counts = cut_spans(TEXTS, rows, starts, ends)
    assert counts.tolist() == [1, 0, 0]
    assert (cut.starts.tolist(), cut.ends.tolist()) == ([3], [7])


def test_facts_have_names_of_their_own():
    fields = [*FIELDS, *repeated_spans.FIELDS]
    names = {field.name for field in fields}
    others = {field.name for family in FAMILIES for field in family.fields}
    others |= {field.name for edit in EDITS.values() for field in edit.fields}
    assert len(names) == 4
    assert names.isdisjoint(others)
