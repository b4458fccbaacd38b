"""Verify token shards: read all of them, and find any byte that is not as it was written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_contracts.errors import Damaged
from data_contracts.open_shards import open_shard
from data_contracts.shard_index import INDEX, REMEDY, encode_index, named_entries, read_index
from data_contracts.shards import Shard, Vocabulary
from store.identity import digest_file


def verify_shards(folder: Path, names: Sequence[str] | None = None) -> int:
    """Read every byte of a folder's shards, or of the named ones; return how many there are.

    Raises:
        NotFound: if there is no index, or no shard of a name.
        Damaged: if any byte of the index or of a shard's file is not what was written, if a
            document is not ``[BOS] … [EOS]``, or if an id is outside the vocabulary.
    """
    vocabulary, entries = read_index(folder)
    path = folder / INDEX
    if path.read_bytes() != encode_index(vocabulary, entries):
        raise Damaged(f"{path} is not as it was written: {REMEDY}")
    num_bytes = path.stat().st_size
    for entry in named_entries(folder, entries, names):
        shard = open_shard(folder, entry, vocabulary.dtype)
        for suffix in entry.files:
            file = folder / f"{entry.name}{suffix}"
            if digest_file(file) != entry.files[suffix]:
                raise Damaged(f"{file} is not as it was written: {REMEDY}")
            num_bytes += file.stat().st_size
        fault = shard_fault(shard, vocabulary)
        if fault:
            raise Damaged(f"{folder / entry.name}.bin is sound but wrong, {fault}: {REMEDY}")
    return num_bytes


def shard_fault(shard: Shard, vocabulary: Vocabulary) -> str | None:
    """Return what is wrong with the documents of an opened shard, or None; reads all of them."""
    starts, ends = shard.offsets[:-1], shard.offsets[1:] - 1
    if np.any(ends <= starts) or np.any(shard.num_bytes < 0):
        return "a document is shorter than BOS and EOS"
    framed = (shard.tokens[starts] == vocabulary.bos_id) & (shard.tokens[ends] == vocabulary.eos_id)
    if not framed.all():
        return f"document {int(np.argmin(framed))} does not start with BOS and end with EOS"
    tokens, vocab_size = shard.tokens, vocabulary.vocab_size
    marks = np.count_nonzero((tokens == vocabulary.bos_id) | (tokens == vocabulary.eos_id))
    if marks != 2 * len(starts):
        return "BOS or EOS stands within a document"
    if len(tokens) and not 0 <= tokens.min() <= tokens.max() < vocab_size:
        return f"an id is outside the vocabulary of {vocab_size}"
    if shard.mask is not None and len(tokens):
        return _mask_fault(shard.mask, starts)
    return None


def _mask_fault(mask: np.ndarray, starts: np.ndarray) -> str | None:
    if mask.max() > 1:
        return "its mask has more than 0 and 1"
    asked = np.maximum.reduceat(mask, starts)
    if not asked.all() or mask[starts].any():
        number = int(np.argmin(asked & (mask[starts] == 0)))
        return f"the mask of document {number} asks for nothing, or for BOS"
    return None
