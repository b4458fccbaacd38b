"""Partitions of documents on sides, and the index of the held-out ones, without a store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from memory_part import MemoryPart

from data_contracts.documents import SPLITS
from store.step import Output


@dataclass
class PartWithFiles(MemoryPart):
    """A partition in memory whose files lie in a folder."""

    folder: Path = Path()

    def file(self, name: str, folder: Path) -> Path:
        return self.folder / name


class Unread(MemoryPart):
    """A partition of which nothing may be read."""

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        raise AssertionError("nothing of it is needed")


def documents_of(texts: Mapping[str, str]) -> pa.Table:
    """Return documents by id."""
    return pa.table({"doc_id": pa.array(texts, pa.string()), "text": list(texts.values())})


def splits_of(sides: Mapping[str, str]) -> pa.Table:
    """Return the rows of split for documents by id, each with its side."""
    rows = [{"doc_id": doc_id, "keep": True, "split": side} for doc_id, side in sides.items()]
    return pa.Table.from_pylist(rows, schema=SPLITS)


def written(output: Output) -> PartWithFiles:
    """Return the partition that a step's output would be."""
    folders = {path.parent for path in output.files.values()} or {Path()}
    (folder,) = folders
    return PartWithFiles("all", output.rows, folder)
