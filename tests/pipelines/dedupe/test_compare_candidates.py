"""The pairs that candidates come to, against all pairs of documents looked at one by one."""

from itertools import combinations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from memory_part import MemoryPart

from pipelines.dedupe.compare_candidates import _ends

FAR = 1 << 63  # keys are unsigned
KEYS = st.integers(FAR, FAR + 6)
CANDIDATES = st.lists(st.tuples(KEYS, KEYS), max_size=5)


def part_of(candidates):
    sides = zip(("left_key", "right_key"), zip(*candidates, strict=True), strict=False)
    columns = {name: pa.array(keys, pa.uint64()) for name, keys in sides}
    empty = pa.array([], pa.uint64())
    return MemoryPart("bucket", pa.table(columns or {"left_key": empty, "right_key": empty}))


@given(st.lists(KEYS, min_size=1, max_size=12), st.lists(CANDIDATES, max_size=3))
def test_each_pair_of_texts_comes_once_though_keys_are_shared(keys, buckets):
    asked = {pair for candidates in buckets for pair in candidates}
    wanted = [
        (one, other)
        for one, other in combinations(range(len(keys)), 2)
        if keys[one] == keys[other] or {(keys[one], keys[other]), (keys[other], keys[one])} & asked
    ]
    centres = pa.table({"text_key": pa.array(keys, pa.uint64())})
    ends = _ends([part_of(candidates) for candidates in buckets], centres)
    assert list(zip(ends.left.tolist(), ends.right.tolist(), strict=True)) == wanted
