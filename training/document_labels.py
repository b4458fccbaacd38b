"""Labels of a corpus as classes to learn: which documents have them, numbered how.

Stands between the curated documents and supervised pre-training. A column is a key of the
documents' ``labels``; its classes are the values that train documents have, in sorted order. A
document without any asked label is left out, and counted; one that lacks a column's only is not
asked about it.

Shapes: N documents, L columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import InputError

UNLABELLED = -100  # what an objective ignores as a target

Values = Sequence[Sequence[str | None]]


@dataclass(frozen=True)
class DocumentLabels:
    """The classes of all documents of a shard set, int64 [N, L] for each split.

    `UNLABELLED` stands where a document has no such label, or one that no train document has.
    ``class_names`` are each column's, by number.
    """

    columns: tuple[str, ...]
    class_names: tuple[tuple[str, ...], ...]
    train_NL: NDArray[np.int64]
    heldout_NL: NDArray[np.int64]

    def num_unlabelled(self, split: str) -> int:
        """Return how many documents of a split have no asked label, and are left out."""
        labels_NL = self.train_NL if split == "train" else self.heldout_NL
        return int((labels_NL == UNLABELLED).all(axis=1).sum())

    def fingerprint(self) -> str:
        """Return 32 hex digits of columns, classes and the train documents' labels."""
        digest = hashlib.sha256(repr((self.columns, self.class_names)).encode())
        digest.update(np.ascontiguousarray(self.train_NL, dtype="<i8").tobytes())
        return digest.hexdigest()[:32]


def number_labels(columns: Sequence[str], train: Values, heldout: Values) -> DocumentLabels:
    """Return the classes of documents from their labels, one sequence of values a column.

    Raises InputError for a column that no train document has, or that has one value only.
    """
    class_names = tuple(
        read_classes(name, values) for name, values in zip(columns, train, strict=True)
    )
    train_NL, heldout_NL = (numbers_of(class_names, values) for values in (train, heldout))
    return DocumentLabels(tuple(columns), class_names, train_NL, heldout_NL)


def read_classes(column: str, values: Sequence[str | None]) -> tuple[str, ...]:
    """Return the classes of a column in sorted order; raises InputError if they are below two."""
    names = tuple(sorted({value for value in values if value is not None}))
    if not names:
        raise InputError(
            f"no train document has the label {column!r}; look at what `millrace trace` tells of a "
            "document, and name labels that documents have in pretrain.label_columns."
        )
    if len(names) < 2:
        raise InputError(
            f"all train documents with the label {column!r} have the value {names[0]!r}; name "
            "labels of two values or more in pretrain.label_columns."
        )
    return names


def numbers_of(class_names: Sequence[Sequence[str]], values: Values) -> NDArray[np.int64]:
    """Return the numbers of the values of each column, [N, L]."""
    columns = []
    for names, column in zip(class_names, values, strict=True):
        number_of = {name: number for number, name in enumerate(names)}
        columns.append([number_of.get(value, UNLABELLED) for value in column])  # type: ignore[arg-type]
    return np.array(columns, dtype=np.int64).reshape(len(columns), -1).T
