"""Arrow string columns as the two arrays that kernels read."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from data_contracts.errors import UsageError


class TextBuffers(NamedTuple):
    """``n`` texts as UTF-8: text ``i`` is ``data[offsets[i]:offsets[i + 1]]``.

    ``offsets`` is int64 of length ``n + 1``, ``data`` is a read-only uint8 view of Arrow's memory
    (not a copy), so that each kernel is compiled for one combination of types only.
    """

    offsets: np.ndarray
    data: np.ndarray

    @property
    def num_texts(self) -> int:
        """How many texts there are."""
        return self.offsets.size - 1


def text_buffers(texts: pa.Array) -> TextBuffers:
    """Return the buffers of a ``string``, ``large_string`` or ``string_view`` array, sliced or not.

    Raises `UsageError` for another type, and for nulls, whose bytes Arrow leaves undefined.
    """
    if pa.types.is_string_view(texts.type):
        texts = texts.cast(pa.large_string())
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise UsageError(f"Kernels read text columns, not {texts.type}; cast the column to string.")
    if texts.null_count:
        raise UsageError(f"{texts.null_count} texts are null; drop or fill them before this step.")
    if len(texts) == 0:
        return TextBuffers(np.zeros(1, dtype=np.int64), _read_only(b""))
    width = np.dtype(np.int32 if pa.types.is_string(texts.type) else np.int64)
    _, offsets, data = texts.buffers()
    first_byte = texts.offset * width.itemsize
    stored = np.frombuffer(offsets, dtype=width, count=len(texts) + 1, offset=first_byte)
    return TextBuffers(stored.astype(np.int64), _read_only(data or b""))


def each_text(texts: pa.Array) -> Iterator[memoryview]:
    """Yield each text of an array as a view of its bytes."""
    offsets, data = text_buffers(texts)
    view, bounds = memoryview(data.data), offsets.tolist()
    return (view[start:end] for start, end in itertools.pairwise(bounds))


def each_chunk(texts: pa.Array | pa.ChunkedArray) -> Iterator[TextBuffers]:
    """Yield the buffers of each chunk of a column, in order, at least one."""
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    for chunk in chunks or [pa.array([], pa.string())]:
        yield text_buffers(chunk)


def _read_only(data: pa.Buffer | bytes) -> np.ndarray:
    view = np.frombuffer(data, dtype=np.uint8)
    view.flags.writeable = False
    return view
