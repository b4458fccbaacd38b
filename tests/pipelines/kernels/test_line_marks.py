from collections import Counter

import pyarrow as pa
from hostile_texts import HOSTILE_TEXTS, ORDINARY_TEXTS
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.kernels.decoded import text_batch
from pipelines.kernels.line_marks import count_marks

DOTS_AND_BREAKS = st.lists(st.text(".… \n\r\u2028\x1f-•#a", max_size=15), max_size=6)


def expected(text):
    lines = text.splitlines()
    return (
        text.count("#"),
        text.count("...") + text.count("…"),
        len(lines),
        sum(line.lstrip().startswith(("•", "-")) for line in lines),
        sum(line.rstrip().endswith(("...", "…")) for line in lines),
    )


def test_marks_are_those_of_python():
    touched = Counter()

    @example(ORDINARY_TEXTS)
    @example(["....", "\r\n", "a\r", "..\u2028.", "...\x1f", "…a", "- \r\n\n-"])
    @given(HOSTILE_TEXTS | DOTS_AND_BREAKS)
    def check(texts):
        counts = count_marks(text_batch(pa.array(texts, pa.string())).codes)
        for row, text in enumerate(texts):
            assert tuple(int(column[row]) for column in counts) == expected(text)
            touched.update(number for number, value in enumerate(expected(text)) if value)

    check()
    assert len(touched) == 5
