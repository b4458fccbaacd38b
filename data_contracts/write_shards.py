"""Write token shards: each with its sidecars, and then the index of their folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from data_contracts.open_shards import open_shard
from data_contracts.shard_index import INDEX, MASK, NAME, SUFFIXES, ShardEntry, encode_index
from data_contracts.shards import Dtype, Vocabulary
from data_contracts.sidecars import (
    UNKNOWN_TOKENIZER,
    datatrove_index,
    datatrove_metadata,
    document_offsets,
    megatron_index,
)
from data_contracts.verify_shards import shard_fault
from store.identity import digest_file


def write_shard(
    folder: Path,
    name: str,
    documents: Iterable[np.ndarray],
    num_bytes: Sequence[int] | np.ndarray,
    dtype: Dtype,
    tokenizer: str = UNKNOWN_TOKENIZER,
    mask: np.ndarray | None = None,
) -> ShardEntry:
    """Write one shard: documents in the given order, one at a time in memory.

    Each document is a one-dimensional array of ids, BOS and EOS included; ``num_bytes`` holds the
    UTF-8 bytes of each one's text, without them. ``tokenizer`` is its name in datatrove's
    metadata; ``mask`` has 0 or 1 for each token of all documents. No shard may have been written
    there before.

    Raises:
        ValueError: for an id that does not fit in ``dtype``, for a document of 2**31 tokens or
            more, for another number of ``num_bytes`` than of documents, or of ``mask`` than of
            tokens, for an unfit name.
        FileExistsError: if the shard's ``.bin`` exists.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a shard: use letters, digits, - and _")
    lengths = _write_tokens(folder / f"{name}.bin", documents, dtype)
    sizes = np.asarray(num_bytes, "<i8")
    if sizes.shape != lengths.shape:
        raise ValueError(f"{name} has {len(lengths)} documents, but {sizes.size} sizes in bytes")
    num_tokens = int(lengths.sum())
    suffixes = [*SUFFIXES]
    if mask is not None:
        _write_mask(folder / f"{name}{MASK}", mask, num_tokens)
        suffixes.append(MASK)
    (folder / f"{name}.idx").write_bytes(megatron_index(lengths, dtype))
    (folder / f"{name}.ds.index").write_bytes(datatrove_index(lengths))
    metadata = datatrove_metadata(num_tokens, dtype, tokenizer)
    (folder / f"{name}.ds.metadata").write_bytes(metadata)
    np.save(folder / f"{name}.offsets.npy", document_offsets(lengths))
    np.save(folder / f"{name}.num_bytes.npy", sizes)
    files = {suffix: digest_file(folder / f"{name}{suffix}") for suffix in suffixes}
    return ShardEntry(name, num_tokens, len(lengths), int(sizes.sum()), files)


def write_index(folder: Path, vocabulary: Vocabulary, entries: Sequence[ShardEntry]) -> Path:
    """Write the index of a folder whose shards are all there, and return its path.

    Raises:
        ValueError: if a document is not ``[BOS] … [EOS]`` or an id is outside the vocabulary.
    """
    for entry in entries:
        fault = shard_fault(open_shard(folder, entry, vocabulary.dtype), vocabulary)
        if fault:
            raise ValueError(f"{folder / entry.name}.bin cannot be indexed: {fault}")
    path = folder / INDEX
    path.write_bytes(encode_index(vocabulary, entries))
    return path


def _write_tokens(path: Path, documents: Iterable[np.ndarray], dtype: Dtype) -> np.ndarray:
    """Write the documents back to back and return their lengths, int64 [D]."""
    lengths = []
    with path.open("xb") as file:
        for number, document in enumerate(documents):
            file.write(_stored(document, dtype, f"document {number} of {path.name}"))
            lengths.append(len(document))
    return np.array(lengths, "<i8")


def _write_mask(path: Path, mask: np.ndarray, num_tokens: int) -> None:
    if (
        mask.shape != (num_tokens,)
        or mask.dtype.kind not in "biu"
        or not np.isin(mask, (0, 1)).all()
    ):
        raise ValueError(f"{path.name} is not 0 or 1 for each of {num_tokens} tokens")
    path.write_bytes(mask.astype(np.uint8).tobytes())


def _stored(document: np.ndarray, dtype: Dtype, what: str) -> bytes:
    if document.ndim != 1 or document.dtype.kind not in "iu" or len(document) >= 2**31:
        raise ValueError(f"{what} is not a row of less than 2**31 integers")
    limits = np.iinfo(dtype)
    if len(document) and not (limits.min <= document.min() and document.max() <= limits.max):
        raise ValueError(f"{what} has an id that does not fit in {dtype}")
    return document.astype(dtype).tobytes()
