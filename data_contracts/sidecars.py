"""The small files beside a shard's tokens, each made from one vector of document lengths.

::

    NAME.idx           Megatron-core: header, lengths, *byte* pointers, D + 1 document bounds
    NAME.ds.index      datatrove, nanotron: where each document ends in *tokens*, <u8 [D]
    NAME.ds.metadata   datatrove: tokenizer and size of a token; tokens; the same for people
    NAME.offsets.npy   torchtitan's example: where each starts in tokens, and the end, int64 [D+1]

Source:
``megatron/core/datasets/indexed_dataset.py``; ``datatrove/pipeline/tokens/tokenizer.py``, 0.10.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

UNKNOWN_TOKENIZER = "Unknown Tokenizer"  # as datatrove calls it

_MAGIC = b"MMIDIDX\x00\x00"
_HEADER = struct.Struct("<9sQBQQ")  # magic, version, dtype code, sequences, document bounds
_MEGATRON_CODES = {"<u2": 8, "<i4": 4}
_METADATA_BYTES = 4096  # of which more are not read


def document_offsets(lengths: np.ndarray) -> np.ndarray:
    """Return where each document starts, and the end: int64 [D+1]."""
    return np.concatenate([np.zeros(1, "<i8"), np.cumsum(lengths, dtype="<i8")])


def megatron_index(lengths: np.ndarray, dtype: str) -> bytes:
    """Return a Megatron-core ``.idx`` with one sequence per document."""
    count = len(lengths)
    header = _HEADER.pack(_MAGIC, 1, _MEGATRON_CODES[dtype], count, count + 1)
    pointers = document_offsets(lengths)[:-1] * np.dtype(dtype).itemsize
    bounds = np.arange(count + 1, dtype="<i8")
    return b"".join([header, lengths.astype("<i4").tobytes(), pointers.tobytes(), bounds.tobytes()])


def datatrove_index(lengths: np.ndarray) -> bytes:
    """Return a datatrove ``.ds.index``."""
    return np.cumsum(lengths, dtype="<u8").tobytes()


def datatrove_metadata(num_tokens: int, dtype: str, tokenizer: str) -> bytes:
    """Return a datatrove ``.ds.metadata``; ``tokenizer`` is a name, or a digest of the model."""
    size = np.dtype(dtype).itemsize
    return f"{tokenizer}|{size}\n{num_tokens}\n{num_tokens / 1e6:.3g} MT".encode()


def check_sidecars(base: Path, offsets: np.ndarray, dtype: str) -> None:
    """Raise ValueError unless a shard's ``.idx``, ``.ds.index`` and ``.ds.metadata`` fit offsets.

    Every byte of them is compared, but for the tokenizer's name, in time that grows with documents
    alone. ``offsets``: int64 [D+1].
    """
    lengths = np.diff(offsets)
    if np.any(lengths < 0):
        raise ValueError("its offsets go down")
    told = f"of its {len(lengths)} documents"
    if Path(f"{base}.idx").read_bytes() != megatron_index(lengths, dtype):
        raise ValueError(f"{base.name}.idx is no Megatron index {told} in {dtype}")
    if Path(f"{base}.ds.index").read_bytes() != datatrove_index(lengths):
        raise ValueError(f"{base.name}.ds.index is no datatrove index {told}")
    metadata, num_tokens = Path(f"{base}.ds.metadata"), int(offsets[-1])
    with metadata.open("rb") as file:
        text = file.read(_METADATA_BYTES)
    tokenizer = text.partition(b"\n")[0].rpartition(b"|")[0].decode()
    if text != datatrove_metadata(num_tokens, dtype, tokenizer):
        raise ValueError(f"{metadata.name} does not tell of {num_tokens} tokens in {dtype}")
