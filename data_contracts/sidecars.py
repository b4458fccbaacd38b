"""The small files beside a shard's tokens, each made from one vector of document lengths.

::

    NAME.idx           Megatron-core: header, lengths, *byte* pointers, D + 1 document bounds
    NAME.ds.index      datatrove, nanotron: where each document ends in *tokens*, <u8 [D]
    NAME.ds.metadata   datatrove: tokenizer and size of a token; tokens; the same for people
    NAME.offsets.npy   torchtitan's example: where each starts in tokens, and the end, int64 [D+1]

Checks compare what can be told without reading all of a file. Source:
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


def check_megatron(path: Path, num_documents: int, dtype: str) -> None:
    """Raise ValueError unless a file begins and is as long as an ``.idx`` of so many documents."""
    code = _MEGATRON_CODES[dtype]
    expected = _HEADER.pack(_MAGIC, 1, code, num_documents, num_documents + 1)
    size = _HEADER.size + 12 * num_documents + 8 * (num_documents + 1)
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
    if header != expected or path.stat().st_size != size:
        raise ValueError(
            f"{path.name} is no Megatron index of {num_documents} documents in {dtype}"
        )


def check_datatrove(
    index: Path, metadata: Path, num_documents: int, num_tokens: int, dtype: str
) -> None:
    """Raise ValueError unless both files are of so many documents, tokens, and bytes a token."""
    if index.stat().st_size != 8 * num_documents:
        raise ValueError(f"{index.name} is no datatrove index of {num_documents} documents")
    with metadata.open("rb") as file:
        text = file.read(_METADATA_BYTES)
    tokenizer = text.partition(b"\n")[0].rpartition(b"|")[0].decode()
    if text != datatrove_metadata(num_tokens, dtype, tokenizer):
        raise ValueError(f"{metadata.name} does not tell of {num_tokens} tokens in {dtype}")
