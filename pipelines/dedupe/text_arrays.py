"""Texts that kernels wrote, as Arrow columns."""

import pyarrow as pa

from pipelines.kernels.buffers import TextBuffers


def text_array(texts: TextBuffers) -> pa.Array:
    """Return texts, of which the first begins at the first byte of ``data``, as a string array."""
    buffers = [None, pa.py_buffer(texts.offsets), pa.py_buffer(texts.data)]
    return pa.Array.from_buffers(pa.large_string(), texts.num_texts, buffers).cast(pa.string())
