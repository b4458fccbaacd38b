"""Labels as classes: sorted, of train alone; documents without any are left out and counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import InputError
from training.document_labels import UNLABELLED, number_labels


def test_classes_are_those_of_train_in_sorted_order() -> None:
    train = [["b", None, "a", None], ["x", "y", None, None]]
    heldout = [["c", "a"], [None, None]]
    labels = number_labels(["kind", "package"], train, heldout)
    none = UNLABELLED
    assert labels.class_names == (("a", "b"), ("x", "y"))
    assert labels.train_NL.tolist() == [[1, 0], [none, 1], [0, none], [none, none]]
    assert labels.heldout_NL.tolist() == [[none, none], [0, none]]
    assert (labels.num_unlabelled("train"), labels.num_unlabelled("heldout")) == (1, 1)


def test_a_column_that_teaches_nothing_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="no train document has the label 'kind'"):
        number_labels(["kind"], [[None, None]], [["a"]])
    with pytest.raises(InputError, match="'kind' have the value 'a'; name labels of two"):
        number_labels(["kind"], [["a", "a", None]], [["b"]])


def test_the_fingerprint_changes_with_what_is_learnt() -> None:
    base = number_labels(["kind"], [["a", "b"]], [["a"]])
    assert base.fingerprint() == number_labels(["kind"], [["a", "b"]], [["b"]]).fingerprint()
    others = [
        number_labels(["kind"], [["b", "a"]], [["a"]]),
        number_labels(["sort"], [["a", "b"]], [["a"]]),
        number_labels(["kind"], [["a", "c"]], [["a"]]),
    ]
    assert len({base.fingerprint(), *(other.fingerprint() for other in others)}) == 4


@given(st.lists(st.sampled_from([None, "a", "b", "ü", ""]), min_size=1, max_size=30))
def test_numbers_name_the_values_again(values: list[str | None]) -> None:
    found = sorted({value for value in values if value is not None})
    if len(found) < 2:
        with pytest.raises(InputError):
            number_labels(["kind"], [values], [[]])
        return
    labels = number_labels(["kind"], [values], [[]])
    names = labels.class_names[0]
    back = [None if number == UNLABELLED else names[number] for number in labels.train_NL[:, 0]]
    assert back == values
    assert labels.heldout_NL.shape == (0, 1)
    assert labels.train_NL.dtype == np.int64
