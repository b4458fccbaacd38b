import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.spacy_tree import FROM, TO, find_text, text_tree, walk

TEXTS = st.text(st.sampled_from("ab.中\U0010ffff"), min_size=1, max_size=5)
LISTS = st.lists(st.dictionaries(TEXTS, st.integers(1, 2**31 - 1), max_size=30), min_size=1)


def codes_of(text):
    return np.array([ord(char) for char in text], dtype=np.int32)


def test_a_tree_holds_its_lists_and_nothing_else():
    found = missed = 0

    @given(LISTS, st.lists(TEXTS))
    def check(lists, others):
        nonlocal found, missed
        tree = text_tree(lists)
        for root, texts in enumerate(lists):
            for text in {*others, *texts, *(text[:-1] for text in texts)}:
                value = find_text(codes_of(f"x{text}x"), 1, 1 + len(text), root, tree)
                assert value == texts.get(text, 0)
                found += value > 0
                missed += value == 0

    check()
    assert found > 100
    assert missed > 100


def test_a_walk_may_pause_between_stretches():
    tree = text_tree([{"x": 1}, {"abc": 7}])
    codes = codes_of("ab c")
    row = walk(codes, 0, 2, 1, tree)
    assert row >= 0
    assert walk(codes, 3, 4, tree[row, TO], tree) >= 0
    assert walk(codes, 0, 2, 0, tree) == -1
    assert walk(codes, 2, 2, 1, tree) == -1  # an empty stretch has no edge
    assert tree[row, FROM] > 1
