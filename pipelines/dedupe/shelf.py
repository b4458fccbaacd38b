"""A shelf: what is compared of many texts, in files, for comparing any two of them.

Texts are read partition by partition; of each its words and its shingles stay, on disk. The
operating system keeps in memory what is compared just now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.text_slices import one_array, slices_of
from store.step import Part

if TYPE_CHECKING:
    from pipelines.kernels.marked_words import MarkedWords
    from pipelines.kernels.shingles import Shingles


class Shelf(NamedTuple):
    """Some documents' ids, their words, and the sets of their shingles, in one order."""

    ids: pa.Array
    words: MarkedWords
    sets: Shingles

    def places(self, ids: pa.ChunkedArray) -> np.ndarray:
        """Return where documents stand, int64. Raises LookupError if one does not."""
        found = pc.index_in(ids, self.ids)
        if found.null_count:
            raise LookupError(f"{found.null_count} documents are not on the shelf")
        return found.to_numpy().astype(np.int64)


def shelve(parts: Sequence[Part], wanted: pa.Array, folder: Path) -> Shelf:
    """Put the documents with the ``wanted`` ids on a shelf in an empty folder.

    Texts of a partition without any are not read.
    """
    from pipelines.kernels.marked_words import MarkedWords
    from pipelines.kernels.shingles import Shingles

    ids = [pa.array([], pa.string())]
    words = _Ragged(folder, MarkedWords._fields[1:])
    sets = _Ragged(folder, ("shingles",))
    for part in parts:
        for mine, found, shingles in _read(part, wanted):
            ids.append(mine)
            words.append(*found)
            sets.append(*shingles)
    return Shelf(pa.concat_arrays(ids), MarkedWords(*words.mapped()), Shingles(*sets.mapped()))


def _read(part: Part, wanted: pa.Array) -> Iterator[tuple[pa.Array, MarkedWords, Shingles]]:
    from pipelines.kernels.decoded import text_batch
    from pipelines.kernels.marked_words import marked_words
    from pipelines.kernels.shingles import unique_shingles, word_shingles

    ids = one_array(part.table(["doc_id"])["doc_id"])
    is_wanted = np.zeros(len(ids), dtype=bool)
    is_wanted[pc.index_in(wanted, value_set=ids).drop_null().to_numpy()] = True  # ids are few
    if not is_wanted.any():
        return
    rows = part.table(["doc_id", "text"]).filter(pa.array(is_wanted))
    for first, num_rows in slices_of(rows["text"]):
        texts = one_array(rows["text"].slice(first, num_rows))
        words = marked_words(text_batch(texts).codes)
        sets = unique_shingles(word_shingles(words.offsets, words.hashes))
        yield one_array(rows["doc_id"].slice(first, num_rows)), words, sets


class _Ragged:
    """Rows of several lengths, a file for each of their columns."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._paths = [folder / name for name in names]
        self._sizes = [np.zeros(1, dtype=np.int64)]
        self._types: list[np.dtype] = []

    def append(self, offsets: np.ndarray, *columns: np.ndarray) -> None:
        """Add rows that lie between offsets."""
        self._sizes.append(np.diff(offsets))
        self._types = [column.dtype for column in columns]
        for path, column in zip(self._paths, columns, strict=True):
            with path.open("ab") as file:
                column.tofile(file)

    def mapped(self) -> list[np.ndarray]:
        """Return the offsets and the columns of all rows."""
        offsets = np.cumsum(np.concatenate(self._sizes))
        return [offsets, *map(_mapped, self._paths, self._types)]


def _mapped(path: Path, dtype: np.dtype) -> np.ndarray:
    """Return what lies in a file; of no bytes there is nothing to map."""
    if not path.stat().st_size:
        return np.empty(0, dtype)
    return np.asarray(np.memmap(path, dtype, "r+"))
