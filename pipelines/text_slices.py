"""Columns of text, cut into runs that fit beside what is made of them in memory."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

SLICE_BYTES = 4 * 2**20  # of text that is decoded and divided into words at a time


def slices_of(texts: pa.ChunkedArray, size_bytes: int = SLICE_BYTES) -> Iterator[tuple[int, int]]:
    """Yield (first row, number of rows) of runs of texts with at most ``size_bytes`` each.

    A longer text is a slice of its own. No slice crosses a chunk, so that none is a copy.
    """
    start = 0
    for chunk in texts.chunks:
        lengths = pc.binary_length(chunk).fill_null(0).to_numpy(zero_copy_only=False)
        first = held = 0
        for row, length in enumerate(lengths.tolist()):
            if row > first and held + length > size_bytes:
                yield start + first, row - first
                first, held = row, 0
            held += length
        if len(chunk) > first:
            yield start + first, len(chunk) - first
        start += len(chunk)


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, without a copy if it is one already."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
