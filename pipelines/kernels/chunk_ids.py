"""Kernel: the ids of texts, from the values that `pipelines.kernels.chunk_table.look_up` wrote.

Texts go through in portions that may begin and end within a text; `Ids` says how far they came.
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels import chunk_table as table
from pipelines.kernels.compiled import compiled

_TEXTS, _WRITTEN, _START = range(3)
_BETWEEN = -1  # no text has begun


class Ids(NamedTuple):
    """How far the ids of ``n`` texts are written.

    Text ``i`` has the ids ``offsets[i]:offsets[i + 1]``, int64 [n + 1]; ``doubtful`` bool [n] (see
    `emit`). ``state`` int64 [3]: texts ended, ids written, where the text under way begins or -1.
    ``weight`` float64 [1] is what its ids weigh.
    """

    offsets: np.ndarray
    doubtful: np.ndarray
    state: np.ndarray
    weight: np.ndarray

    @property
    def num_written(self) -> int:
        """Ids of all texts so far."""
        return int(self.state[_WRITTEN])


class Marks(NamedTuple):
    """Ids with a meaning: around each text, and of what has no piece; -1 for none.

    A run of ``unknown`` ids is one. With byte fallback there is none.
    """

    bos: int
    eos: int
    unknown: int


def no_ids(num_texts: int) -> Ids:
    """Return the state before the first text."""
    return Ids(
        np.zeros(num_texts + 1, np.int64),
        np.zeros(num_texts, np.bool_),
        np.array([0, 0, _BETWEEN], np.int64),
        np.zeros(1, np.float64),
    )


@compiled
def count_ids(values: np.ndarray, new_offsets: np.ndarray) -> int:
    """Return how many ids `emit` writes for some values at most."""
    num_ids = 1
    for value in values:
        if value == table.END:
            num_ids += 2
        elif value >> table.PENDING:
            miss = value & table.LOW_32
            num_ids += new_offsets[miss + 1] - new_offsets[miss]
        else:
            num_ids += value >> table.COUNT & table.LOW_16
    return num_ids


@compiled
def emit(
    values: np.ndarray,
    records: np.ndarray,
    new_ids: np.ndarray,
    new_offsets: np.ndarray,
    new_trusts: np.ndarray,
    weights: np.ndarray,
    bos: int,
    eos: int,
    unknown: int,
    out: np.ndarray,
    offsets: np.ndarray,
    doubtful: np.ndarray,
    state: np.ndarray,
    weight: np.ndarray,
) -> None:
    """Write the ids of chunks to ``out``, which has room, behind those of the portion before.

    ``records`` are the table's ids; those of miss ``m`` are ``new_ids`` from ``new_offsets[m]``.
    A text is doubtful if the ``weights`` of its ids before some chunk add up to ``2 ** trust - 1``
    or more, or if it has an unknown id; without weights (BPE) no text is.
    """
    text, at, start, heavy = state[_TEXTS], state[_WRITTEN], state[_START], weight[0]
    weighs = weights.size > 0
    plain = -2 if weighs else table.ONE_ID
    unknown_value = table.ONE_ID << table.COUNT | unknown
    for value in values:
        if start == _BETWEEN:
            if bos >= 0:
                out[at] = bos
                at += 1
            start, heavy = at, 0.0
        if value == table.END:
            if eos >= 0:
                out[at] = eos
                at += 1
            text += 1
            offsets[text] = at
            start = _BETWEEN
            continue
        if value >> table.COUNT == plain and value != unknown_value:
            out[at] = value & table.LOW_32
            at += 1
            continue
        chunk = at
        count, where = value >> table.COUNT & table.LOW_16, value & table.LOW_32
        trust = value >> table.TRUST & table.LOW_6
        if value >> table.PENDING:
            trust = np.int64(new_trusts[where])
            for index in range(new_offsets[where], new_offsets[where + 1]):
                out[at] = new_ids[index]
                at += 1
        elif value >> table.LENGTH & table.LOW_8 == 0 and count == 1:
            out[at] = where
            at += 1
        else:
            first = where + (value >> table.LENGTH & table.LOW_8 != 0)
            for index in range(first, first + count):
                out[at] = records[index]
                at += 1
        if weighs:
            doubtful[text] |= heavy >= 2.0**trust - 1.0
            for index in range(chunk, at):
                heavy += weights[out[index]]
                doubtful[text] |= out[index] == unknown
        if chunk > start and at > chunk and out[chunk] == unknown and out[chunk - 1] == unknown:
            for index in range(chunk + 1, at):
                out[index - 1] = out[index]
            at -= 1
    state[_TEXTS], state[_WRITTEN], state[_START], weight[0] = text, at, start, heavy
