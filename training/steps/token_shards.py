"""Partitions of token shards -> one opened set of them, for the steps that read tokens."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import InputError, NotFound
from data_contracts.open_shards import open_shards
from data_contracts.shard_index import MASK, file_names
from data_contracts.shards import ShardSet
from store.step import Part


def open_parts(parts: Sequence[Part], split: str, folder: Path) -> ShardSet:
    """Open the shards of one split, ``train`` or ``heldout``, of all partitions, in their order.

    From a local home the files are read where they lie; those of a bucket are copied to ``folder``,
    a folder for each partition.

    Raises:
        InputError: if there is no partition, or they were made with different tokenizers.
        NotFound: if a partition has no such shard.
        Damaged: if a file is missing, or its structure is not what its index says.
    """
    return open_shards(shard_folders(parts, split, folder), [split])


def shard_folders(parts: Sequence[Part], split: str, folder: Path) -> list[Path]:
    """Return the folders in which `open_parts` finds a split's shards; raises as that does."""
    if not parts:
        raise InputError("there are no token shards: no partition was packed; add sources.")
    return [_folder_of(part, split, folder / f"{number:05d}") for number, part in enumerate(parts)]


def documents_of(parts: Sequence[Part], split: str) -> pa.Table:
    """Return the rows (``doc_id`` and ``num_bytes``) of a split, in the order of `open_parts`."""
    tables = []
    for part in parts:
        table = part.table(["doc_id", "split", "num_bytes"])
        mask = pc.equal(table["split"], split)
        tables.append(table.filter(mask).select(["doc_id", "num_bytes"]))
    return pa.concat_tables(tables)


def _folder_of(part: Part, split: str, copies: Path) -> Path:
    """Return the folder in which the files of a partition's split lie together."""
    copies.mkdir(parents=True, exist_ok=True)
    (folder,) = {part.file(name, copies).parent for name in file_names([split])}
    with suppress(NotFound):  # only packed conversations have one
        part.file(f"{split}{MASK}", copies)
    return folder
