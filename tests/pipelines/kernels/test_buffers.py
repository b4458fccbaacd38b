from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hostile_texts import HOSTILE_TEXTS, ORDINARY_TEXTS, as_arrays
from hypothesis import example, given

from data_contracts.errors import UsageError
from pipelines.kernels.buffers import each_chunk, text_buffers


def texts_in(array):
    buffers = text_buffers(array)
    ends = buffers.offsets.tolist()
    return [buffers.data[start:end].tobytes().decode() for start, end in pairwise(ends)]


def test_every_layout_gives_the_same_texts_and_types():
    seen = 0

    @example(ORDINARY_TEXTS)
    @given(HOSTILE_TEXTS)
    def check(texts):
        nonlocal seen
        for array in as_arrays(texts):
            buffers = text_buffers(array)
            assert texts_in(array) == texts
            assert buffers.num_texts == len(texts)
            assert (buffers.offsets.dtype, buffers.data.dtype) == (np.int64, np.uint8)
            assert not buffers.data.flags.writeable
            seen += len(texts)

    check()
    assert seen > 0


def test_text_is_not_copied():
    array = pa.array(["abc", "def"])
    assert text_buffers(array).data.ctypes.data == array.buffers()[2].address


def test_chunks_come_in_order_and_an_empty_column_gives_one():
    column = pa.chunked_array([["a"], [], ["b", "c"]], type=pa.string())
    assert [chunk.num_texts for chunk in each_chunk(column)] == [1, 0, 2]
    assert [chunk.num_texts for chunk in each_chunk(pa.chunked_array([], pa.string()))] == [0]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (pa.array([b"a"]), "not binary; cast"),
        (pa.array([1]), "not int64; cast"),
        (pa.array(["a", None]), "1 texts are null; drop or fill"),
    ],
)
def test_other_columns_are_refused(array, message):
    with pytest.raises(UsageError, match=message):
        text_buffers(array)
