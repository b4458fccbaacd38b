"""Open token shards: check all but the tokens, in time that grows with documents alone; map them.

Where a document lies stands in three sidecars, which must agree; the sizes of all texts have a sum.
So a changed byte of a sidecar is found. `data_contracts.verify_shards` reads tokens as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_contracts.errors import Damaged, InputError, NotFound
from data_contracts.shard_index import MASK, REMEDY, ShardEntry, named_entries, read_index
from data_contracts.shards import Dtype, Shard, ShardSet
from data_contracts.sidecars import check_sidecars


def open_shards(folders: Path | Sequence[Path], names: Sequence[str] | None = None) -> ShardSet:
    """Open the named shards of one folder, or of several in order; all, if no names are given.

    Raises:
        NotFound: if a folder has no index, or no shard of a name.
        Damaged: if the structure of a shard is not what its index and sidecars say.
        InputError: if the folders were made with different tokenizers.
    """
    found = [folders] if isinstance(folders, Path) else list(folders)
    if not found:
        raise NotFound("no folder of token shards was named; run pack_tokens first.")
    indexes = [read_index(folder) for folder in found]
    vocabulary = indexes[0][0]
    shards = []
    for folder, (other, entries) in zip(found, indexes, strict=True):
        if other != vocabulary:
            raise InputError(
                f"the token shards in {found[0]} and {folder} were made with different tokenizers; "
                f"run pack_tokens for both with one of them."
            )
        for entry in named_entries(folder, entries, names):
            shards.append(open_shard(folder, entry, vocabulary.dtype))
    return ShardSet(vocabulary, tuple(shards))


def open_shard(folder: Path, entry: ShardEntry, dtype: Dtype) -> Shard:
    """Open the shard that an entry of a folder's index tells of.

    Raises:
        Damaged: if a file is missing, or its size or header is not what the entry says.
    """
    base = folder / entry.name
    try:
        offsets = _open_npy(Path(f"{base}.offsets.npy"), entry.num_documents + 1)
        num_bytes = _open_npy(Path(f"{base}.num_bytes.npy"), entry.num_documents)
        if offsets[0] != 0 or offsets[-1] != entry.num_tokens:
            raise ValueError(f"its offsets do not span {entry.num_tokens} tokens")
        if num_bytes.min(initial=0) < 0 or num_bytes.sum() != entry.num_bytes:
            raise ValueError(f"its texts have not {entry.num_bytes} bytes in all")
        tokens = _open_tokens(Path(f"{base}.bin"), entry.num_tokens, dtype)
        mask = None
        if MASK in entry.files:
            mask = _open_tokens(Path(f"{base}{MASK}"), entry.num_tokens, "<u1")
        check_sidecars(base, offsets, dtype)
    except (OSError, ValueError) as error:
        raise Damaged(f"the token shard {base} is damaged ({error}): {REMEDY}") from error
    return Shard(entry.name, tokens, offsets, num_bytes, mask)


def _open_npy(path: Path, length: int) -> np.ndarray:
    """Map a one-dimensional int64 ``.npy`` file whose length is known."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # a damaged header fails in many ways inside numpy
        raise ValueError(f"{path.name} is no .npy file: {error}") from error
    if array.dtype != np.dtype("<i8") or array.shape != (length,):
        raise ValueError(f"{path.name} holds {array.dtype} {array.shape}, not <i8 ({length},)")
    return array


def _open_tokens(path: Path, num_tokens: int, dtype: str) -> np.ndarray:
    size, expected = path.stat().st_size, num_tokens * np.dtype(dtype).itemsize
    if size != expected:
        raise ValueError(f"{path.name} has {size} bytes, not {expected}")
    if num_tokens == 0:  # an empty file cannot be mapped
        return np.empty(0, dtype)
    return np.memmap(path, dtype, mode="r")
