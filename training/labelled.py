"""Labelled documents as batches: rows of one document each, a function of (table, seed, step).

Stands beside `training.loader` for fine-tuning. An epoch holds every document once, in an order
that depends on seed and epoch alone. Within a window of batches, documents of like length stand
together, so that little is filled up; the batches of a window then come in an order of their own.

Shapes: N documents, B rows of a batch, S tokens of its longest document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data_contracts.errors import InputError
from data_contracts.labels import PARTITIONS
from training.loader import PADDING, Rows
from training.shuffle import Shuffle

WINDOW_BATCHES = 8
_WINDOW_SEED = 0x77696E646F7773  # keeps the order of batches apart from that of documents


@dataclass(frozen=True)
class Documents:
    """Some documents in the order of their table; row ids count from 0.

    Document i has the ``tokens`` from ``offsets[i]`` to ``offsets[i + 1]``, at least one.
    """

    doc_ids: tuple[str, ...]
    tokens: NDArray[np.int32]
    offsets_N1: NDArray[np.int64]
    labels_N: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels_N)

    @property
    def lengths_N(self) -> NDArray[np.int64]:
        """Tokens of each document."""
        return np.diff(self.offsets_N1)

    def rows(self, row_ids_B: NDArray[np.int64]) -> Rows:
        """Return rows of one document each, filled up to the longest with `PADDING`."""
        begins_B, lengths_B = self.offsets_N1[row_ids_B], self.lengths_N[row_ids_B]
        places_S = np.arange(lengths_B.max())
        own_BS = places_S < lengths_B[:, None]
        tokens_BS = np.full(own_BS.shape, PADDING, dtype=np.int64)
        tokens_BS[own_BS] = self.tokens[(begins_B[:, None] + places_S)[own_BS]]
        return Rows(tokens_BS, row_ids_B)


@dataclass(frozen=True)
class Labelled:
    """The documents of each partition, the classes' names by number, and what was cut.

    ``num_cut`` counts documents that were longer than ``max_tokens`` of the model's context.
    """

    partitions: dict[str, Documents]
    class_names: tuple[str, ...]
    num_cut: int

    @property
    def train(self) -> Documents:
        """The documents to learn from."""
        return self.partitions["train"]

    def fingerprint(self) -> str:
        """Return 32 hex digits of all that a run depends on: ids, labels, names, order."""
        digest = hashlib.sha256("\0".join(self.class_names).encode())
        for name in PARTITIONS:
            documents = self.partitions[name]
            digest.update("\0".join([name, *documents.doc_ids]).encode())
            for array in (documents.tokens, documents.offsets_N1, documents.labels_N):
                digest.update(array.tobytes())
        return digest.hexdigest()[:32]


def read_labelled(table: pa.Table, vocab_size: int, max_tokens: int) -> Labelled:
    """Return a table of `data_contracts.labels.LABELLED` as documents, cut at ``max_tokens``.

    Raises InputError if a model cannot be fine-tuned and judged on it: fewer than two classes, a
    class without train documents, no dev or test, ids that the model does not have, an empty row.
    """
    class_names = read_class_names(table)
    partitions = {
        name: read_documents(table.filter(pc.equal(table["partition"], name)), max_tokens)
        for name in PARTITIONS
    }
    lengths = pc.list_value_length(table["ids"])
    labelled = Labelled(
        partitions, class_names, int(pc.sum(pc.greater(lengths, max_tokens)).as_py() or 0)
    )
    check_labelled(labelled, vocab_size)
    return labelled


def read_class_names(table: pa.Table) -> tuple[str, ...]:
    """Return the classes' names by number; raises InputError unless numbers and names agree."""
    pairs = sorted(
        (row["label"], row["class_name"])
        for row in table.select(["label", "class_name"])
        .group_by(["label", "class_name"])
        .aggregate([])
        .to_pylist()
    )
    if len(pairs) < 2:
        raise InputError(
            f"the labelled documents have {len(pairs)} classes; give documents of 2 classes or more"
        )
    if [label for label, _ in pairs] != list(range(len(pairs))):
        raise InputError(
            "the numbers of the classes are not 0, 1, 2 … with one name each; pack the labels again"
        )
    return tuple(name for _, name in pairs)


def read_documents(table: pa.Table, max_tokens: int) -> Documents:
    """Return the rows of a table as documents, each cut at ``max_tokens``."""
    ids = pc.list_slice(table["ids"].combine_chunks(), 0, max_tokens)
    lengths_N = pc.list_value_length(ids).to_numpy(zero_copy_only=False).astype(np.int64)
    return Documents(
        doc_ids=tuple(table["doc_id"].to_pylist()),
        tokens=pc.list_flatten(ids).to_numpy(zero_copy_only=False).astype(np.int32),
        offsets_N1=np.concatenate([[0], np.cumsum(lengths_N)]).astype(np.int64),
        labels_N=table["label"].to_numpy().astype(np.int64),
    )


def check_labelled(labelled: Labelled, vocab_size: int) -> None:
    """Raise InputError if a run on these documents would fail, or mean nothing."""
    for name, documents in labelled.partitions.items():
        if name != "train" and not len(documents):
            raise InputError(f"no labelled document is in {name}; label more, or raise its share")
        if len(documents) and not documents.lengths_N.all():
            empty = documents.doc_ids[int(documents.lengths_N.argmin())]
            raise InputError(f"labelled document {empty} has no tokens; pack the labels again")
        tokens = documents.tokens
        if len(tokens) and not 0 <= tokens.min() <= tokens.max() < vocab_size:
            bad = tokens.min() if tokens.min() < 0 else tokens.max()
            raise InputError(
                f"the labelled documents of {name} hold the id {bad}, outside the model's "
                f"vocabulary of {vocab_size}; pack them again with the model's tokenizer"
            )
    missing = sorted({*range(len(labelled.class_names))} - {*labelled.train.labels_N.tolist()})
    if missing:
        names = ", ".join(repr(labelled.class_names[number]) for number in missing)
        raise InputError(f"no train document is of class {names}; label some, or leave it out")


class LabelledLoader:
    """Draws batches of at most ``batch_rows`` documents, whose sizes differ by one at most.

    Epoch e is the steps from e · ``steps_per_epoch``; every document is in one of them.
    """

    def __init__(self, documents: Documents, batch_rows: int, seed: int):
        self.documents, self.seed = documents, seed
        self.steps_per_epoch = -(-len(documents) // batch_rows)
        self._epoch: tuple[int, Sequence[NDArray[np.int64]]] = (-1, ())

    def __call__(self, step: int) -> Rows:
        """Return the rows of a step, counted from 0."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self.batches(epoch))
        return self.documents.rows(self._epoch[1][place])

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the row ids of an epoch's batches, in order."""
        num_rows = len(self.documents)
        order = Shuffle(num_rows, self.seed, epoch).rows(np.arange(num_rows))
        bounds = np.arange(self.steps_per_epoch + 1) * num_rows // self.steps_per_epoch
        batches: list[NDArray[np.int64]] = []
        for first in range(0, self.steps_per_epoch, WINDOW_BATCHES):
            cuts = bounds[first : first + WINDOW_BATCHES + 1]
            window = order[cuts[0] : cuts[-1]]
            window = window[np.argsort(self.documents.lengths_N[window], kind="stable")]
            pieces = np.split(window, cuts[1:-1] - cuts[0])
            turns = Shuffle(
                len(pieces), self.seed ^ _WINDOW_SEED, epoch * self.steps_per_epoch + first
            )
            batches += [pieces[turn] for turn in turns.rows(np.arange(len(pieces)))]
        return batches
