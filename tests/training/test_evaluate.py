"""Scores of predictions, held against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from training.evaluate import accuracy, accuracy_of, confusion, macro_f1, macro_f1_of

NUM_CLASSES = 5

# Up to 30 documents of some of 5 classes, so that classes are often absent on one side or both.
PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30)


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    labels, predicted = zip(*pairs, strict=True)
    return np.array(labels, np.int32), np.array(predicted, np.int32)


@given(PAIRS)
def test_scores_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = arrays(pairs)
    theirs = f1_score(
        labels, predicted, labels=np.unique(labels), average="macro", zero_division=0.0
    )
    assert macro_f1(labels, predicted, NUM_CLASSES) == pytest.approx(theirs, abs=1e-12)
    assert accuracy(labels, predicted) == pytest.approx(accuracy_score(labels, predicted))
    matrix = confusion_matrix(labels, predicted, labels=range(NUM_CLASSES))
    assert confusion(labels, predicted, NUM_CLASSES).tolist() == matrix.tolist()


def test_a_class_that_is_only_predicted_has_no_f1_but_costs_the_true_one() -> None:
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 4, 1, 1])
    assert macro_f1(labels, predicted, 5) == pytest.approx((2 / 3 + 1) / 2)
    assert macro_f1(labels, np.array([4, 4, 4, 4]), 5) == 0


def test_counts_of_many_resamples_are_scored_at_once() -> None:
    draw = np.random.default_rng(0)
    labels, predicted = draw.integers(0, 3, (2, 7, 20))
    counts = np.stack([confusion(a, b, 4) for a, b in zip(labels, predicted, strict=True)])
    hits, labelled = counts.diagonal(axis1=1, axis2=2), counts.sum(axis=2)
    expected = [macro_f1(a, b, 4) for a, b in zip(labels, predicted, strict=True)]
    assert macro_f1_of(hits, counts.sum(axis=1), labelled).tolist() == expected
    expected = [accuracy(a, b) for a, b in zip(labels, predicted, strict=True)]
    assert accuracy_of(hits, labelled) == pytest.approx(expected)


def test_no_documents_score_nothing() -> None:
    none = np.array([], np.int64)
    assert (accuracy(none, none), macro_f1(none, none, 3)) == (0, 0)


@pytest.mark.parametrize(
    ("labels", "predicted"), [([0, 1], [0]), ([0, 3], [0, 0]), ([0, 0], [0, 3]), ([-1], [0])]
)
def test_what_does_not_fit_is_refused(labels: list[int], predicted: list[int]) -> None:
    with pytest.raises(ValueError, match=r"do not fit|outside of the 3"):
        confusion(np.array(labels), np.array(predicted), 3)
