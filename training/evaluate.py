"""Scores of a classifier: accuracy, macro-F1, and the counts that both are made of.

Stands after fine-tuning and the baseline: labels and predictions in, numbers in [0, 1] out. Needs
numpy alone. A class is a number from 0.

Shapes: N documents, C classes; ``...`` any leading dimensions (resamples, seeds).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]

METRICS = ("accuracy", "macro_f1")


def confusion(labels_N: Integers, predicted_N: Integers, num_classes: int) -> NDArray[np.int64]:
    """Count documents by class and prediction, [C, C]: rows are labels, columns predictions.

    Raises:
        ValueError: if the two differ in length, or a class is not in ``[0, num_classes)``.
    """
    if labels_N.shape != predicted_N.shape or labels_N.ndim != 1:
        raise ValueError(f"{labels_N.shape} labels do not fit {predicted_N.shape} predictions")
    for classes_N in (labels_N, predicted_N):
        if len(classes_N) and not 0 <= classes_N.min() <= classes_N.max() < num_classes:
            raise ValueError(f"a class is outside of the {num_classes} classes")
    cells_N = labels_N.astype(np.int64) * num_classes + predicted_N
    return np.bincount(cells_N, minlength=num_classes**2).reshape(num_classes, num_classes)


def accuracy(labels_N: Integers, predicted_N: Integers) -> float:
    """Return the share of documents whose class is predicted; 0 for no documents."""
    return float(np.mean(labels_N == predicted_N)) if len(labels_N) else 0.0


def macro_f1(labels_N: Integers, predicted_N: Integers, num_classes: int) -> float:
    """Return the mean F1 of the classes that occur among the labels; 0 for no documents.

    A class that is only predicted has no F1 of its own, but each such prediction is a miss of the
    class that it should have been.

    Raises:
        ValueError: if the two differ in length, or a class is not in ``[0, num_classes)``.
    """
    counts_CC = confusion(labels_N, predicted_N, num_classes)
    scores = macro_f1_of(counts_CC.diagonal(), counts_CC.sum(axis=0), counts_CC.sum(axis=1))
    return float(scores)


def accuracy_of(hits_C: NDArray, labelled_C: NDArray) -> Floats:
    """Return accuracies [...] from numbers of hits and of labels of each class, [..., C]."""
    return _ratio(hits_C.sum(axis=-1), labelled_C.sum(axis=-1))


def macro_f1_of(hits_C: NDArray, predicted_C: NDArray, labelled_C: NDArray) -> Floats:
    """Return macro-F1 [...] from numbers of hits, predictions and labels of each class, [..., C].

    F1 is 2 hits / (predictions + labels), the harmonic mean of precision and recall.
    """
    f1_C = _ratio(2.0 * hits_C, predicted_C + labelled_C)
    occurs_C = labelled_C > 0
    return _ratio(np.where(occurs_C, f1_C, 0.0).sum(axis=-1), occurs_C.sum(axis=-1))


def _ratio(part: NDArray, whole: NDArray) -> Floats:
    """Divide; 0 where there is nothing to divide by."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
