import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.kernels.marks import hash_signs_and_ellipses


def count(text):
    return hash_signs_and_ellipses(np.array([ord(char) for char in text], dtype=np.int32))


@given(st.text(st.sampled_from("#.…a "), max_size=40))
def test_marks_are_those_that_python_counts(text):
    assert count(text) == (text.count("#"), text.count("...") + text.count("…"))


@pytest.mark.parametrize(("text", "marks"), [("", (0, 0)), ("......", (0, 2)), ("#..…#", (2, 1))])
def test_examples(text, marks):
    assert count(text) == marks
