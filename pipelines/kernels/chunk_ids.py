"""Kernel: the ids of texts, from the values that `pipelines.kernels.chunk_table.look_up` wrote.

Texts go through in portions that may begin and end within a text; `Ids` says how far they came.
"""

from typing import NamedTuple

import numpy as np

from pipelines.kernels import chunk_table as table
from pipelines.kernels.compiled import compiled
from pipelines.kernels.unigram_search import MOST, Unigram, search

_TEXTS, _WRITTEN, _START = range(3)
_BETWEEN = -1  # no text has begun
_LENGTH_AND_COUNT = table.LOW_8 << (table.LENGTH - table.COUNT) | table.LOW_16
_SURE_BELOW = 2.0 ** np.arange(table.MAX_TRUST + 1) - 1.0  # the size of a sum, by trust


class Ids(NamedTuple):
    """How far the ids of ``n`` texts are written.

    Text ``i`` has the ids ``offsets[i]:offsets[i + 1]``, int64 [n + 1]. ``state`` int64 [3]: texts
    ended, ids written, where the text under way begins or -1. ``total`` float32 [1] is what the
    scores of its ids add up to.
    """

    offsets: np.ndarray
    state: np.ndarray
    total: np.ndarray

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
        np.array([0, 0, _BETWEEN], np.int64),
        np.zeros(1, np.float32),
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
    new: table.NewIds,
    marks: Marks,
    out: np.ndarray,
    done: Ids,
) -> None:
    """Write the ids of chunks to ``out``, which has room, behind those of the portion before.

    ``records`` are the table's ids, ``new`` those of the portion's misses.
    """
    text, at, start = done.state[_TEXTS], done.state[_WRITTEN], done.state[_START]
    bos, eos, unknown = marks
    offsets, new_ids, new_offsets = done.offsets, new.ids, new.offsets
    unknown_value = table.ONE_ID << table.COUNT | unknown
    for value in values:
        if start == _BETWEEN:
            out[at] = bos
            at += bos >= 0
            start = at
        if value == table.END:
            out[at] = eos
            at += eos >= 0
            text, start = text + 1, _BETWEEN
            offsets[text] = at
        elif value >> table.COUNT == table.ONE_ID and value != unknown_value:
            out[at] = value & table.LOW_32
            at += 1
        else:
            chunk, where = at, value & table.LOW_32
            if value >> table.PENDING:
                for index in range(new_offsets[where], new_offsets[where + 1]):
                    out[at] = new_ids[index]
                    at += 1
            elif value >> table.COUNT & _LENGTH_AND_COUNT == 1:
                out[at] = where
                at += 1
            else:
                first = where + (value >> table.LENGTH & table.LOW_8 != 0)
                for index in range(first, first + (value >> table.COUNT & table.LOW_16)):
                    out[at] = records[index]
                    at += 1
            if unknown >= 0:
                at = _run_as_one(unknown, out, start, chunk, at)
    done.state[_TEXTS], done.state[_WRITTEN], done.state[_START] = text, at, start


@compiled
def emit_searched(
    values: np.ndarray,
    records: np.ndarray,
    new: table.NewIds,
    data: np.ndarray,
    begin: int,
    ends: np.ndarray,
    model: Unigram,
    marks: Marks,
    out: np.ndarray,
    done: Ids,
) -> int:
    """Write the ids of chunks as `emit` does, and search where the sum before a chunk may decide.

    A chunk has the ids of the table while the sum is below ``2 ** trust - 1`` in size, and at the
    beginning of a text, unless sums may begin again at zero within it. Chunks of the portion end at
    ``ends``, the first begins at byte ``begin``. Returns how many were searched.
    """
    text, at, start = done.state[_TEXTS], done.state[_WRITTEN], done.state[_START]
    bos, eos, unknown = marks
    num_searched, sum_before, place = 0, done.total[0], begin
    offsets, scores = done.offsets, model.scores
    new_ids, new_offsets, new_trusts = new
    for index in range(values.size):
        value, first, place = values[index], place, ends[index]
        if start == _BETWEEN:
            out[at] = bos
            at += bos >= 0
            start, sum_before = at, np.float32(0.0)
        if value == table.END:
            out[at] = eos
            at += eos >= 0
            text, start = text + 1, _BETWEEN
            offsets[text] = at
            continue
        chunk, where, trust = at, value & table.LOW_32, value >> table.TRUST & table.LOW_6
        if value >> table.PENDING:
            trust = new_trusts[where]
        if _may_decide(sum_before, trust, (place - first) * model.heaviest):
            at, sum_before = search(data, first, place, sum_before, model, out, at)
            num_searched += 1
        elif value >> table.PENDING:
            for place_of_id in range(new_offsets[where], new_offsets[where + 1]):
                out[at] = new_ids[place_of_id]
                sum_before = _sum_after(sum_before, scores[out[at]])
                at += 1
        elif value >> table.COUNT & _LENGTH_AND_COUNT == 1:
            out[at] = where
            sum_before = _sum_after(sum_before, scores[where])
            at += 1
        else:
            where += value >> table.LENGTH & table.LOW_8 != 0
            for place_of_id in range(where, where + (value >> table.COUNT & table.LOW_16)):
                out[at] = records[place_of_id]
                sum_before = _sum_after(sum_before, scores[out[at]])
                at += 1
        if unknown >= 0:
            at = _run_as_one(unknown, out, start, chunk, at)
    done.state[_TEXTS], done.state[_WRITTEN], done.state[_START] = text, at, start
    done.total[0] = sum_before
    return num_searched


@compiled
def _may_decide(sum_before: np.float32, trust: int, most_added: float) -> bool:
    """Return whether the sum before a chunk of a trust may change its ids."""
    size = np.abs(sum_before)
    return not (sum_before == 0.0 or size < _SURE_BELOW[trust]) or size + most_added > MOST


@compiled
def _sum_after(sum_before: np.float32, score: np.float32) -> np.float32:
    """Return the sum of scores after one more, rounded as SentencePiece does."""
    return np.float32(score + np.float64(sum_before))


@compiled
def _run_as_one(unknown: int, out: np.ndarray, start: int, chunk: int, at: int) -> int:
    """Make one id of each run of unknown ones that a chunk has or goes on with; return the end."""
    to = chunk
    for index in range(chunk, at):
        if out[index] != unknown or to == start or out[to - 1] != unknown:
            out[to] = out[index]
            to += 1
    return to
