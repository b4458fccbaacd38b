"""A deterministic sample of curated documents, within a budget of bytes, and its lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store.step import Part

MAX_LINE_BYTES = 4096

# U+2585 is the trainer's own sign for an unknown character and NUL its end of text: it leaves out
# a line that holds either, so that lines end there too.
_LINE_ENDS = re.compile("[\n\u2585\0]")


@dataclass(frozen=True)
class Sample:
    """The documents of a split whose ids come first in the order of ids, which is a hash's order.

    So the sample does not depend on partitions or their order. ``last_id`` is of the last document,
    of which only the first ``last_bytes`` count if the budget ends within it.
    """

    split: str
    num_documents: int
    num_bytes: int
    last_id: str
    last_bytes: int

    def texts(self, parts: Sequence[Part]) -> Iterator[str]:
        """Yield the texts, partition by partition in document order."""
        for table in self._tables(parts, []):
            for doc_id, text in zip(table["doc_id"], table["text"], strict=True):
                yield self._counted(doc_id.as_py(), text.as_py())

    def texts_by_source(self, parts: Sequence[Part]) -> dict[str, list[str]]:
        """Return the texts of each source, by name."""
        found: dict[str, list[str]] = {}
        for table in self._tables(parts, ["source"]):
            rows = zip(table["source"], table["doc_id"], table["text"], strict=True)
            for source, doc_id, text in rows:
                counted = self._counted(doc_id.as_py(), text.as_py())
                found.setdefault(source.as_py(), []).append(counted)
        return dict(sorted(found.items()))

    def _tables(self, parts: Sequence[Part], columns: list[str]) -> Iterator[pa.Table]:
        for part in parts:
            table = part.table(["doc_id", "split", "text", *columns])
            yield table.filter(
                pc.and_(
                    pc.equal(table["split"], self.split),
                    pc.less_equal(table["doc_id"], self.last_id),
                )
            )

    def _counted(self, doc_id: str, text: str) -> str:
        if doc_id != self.last_id:
            return text
        return text.encode()[: self.last_bytes].decode(errors="ignore")


def draw_sample(parts: Sequence[Part], split: str, max_bytes: int) -> Sample:
    """Choose documents of a split up to a number of UTF-8 bytes; reads one partition at a time."""
    found = [_sizes(part, split) for part in parts]
    if not sum(map(len, found)):
        return Sample(split, 0, 0, "", 0)
    sizes = pa.concat_tables(found).sort_by("doc_id")
    ends = np.cumsum(sizes["num_bytes"].to_numpy())
    count = min(int(np.searchsorted(ends, max_bytes)) + 1, len(ends))
    before = int(ends[count - 2]) if count > 1 else 0
    num_bytes = min(int(ends[count - 1]), max_bytes)
    last_id = sizes["doc_id"][count - 1].as_py()
    return Sample(split, count, num_bytes, last_id, num_bytes - before)


def _sizes(part: Part, split: str) -> pa.Table:
    table = part.table(["doc_id", "split", "text"])
    table = table.filter(pc.equal(table["split"], split))
    sizes = pc.binary_length(table["text"]).cast(pa.int64())
    return pa.table({"doc_id": table["doc_id"], "num_bytes": sizes})


@dataclass
class Lines:
    """The lines of some texts, none over `MAX_LINE_BYTES`; counts what it gave, and what it cut.

    A longer line is cut before a space, if it has one there, else between two characters.
    """

    texts: Iterable[str]
    num_lines: int = 0
    num_cut: int = 0

    def __iter__(self) -> Iterator[str]:
        """Yield the lines that are not empty."""
        for text in self.texts:
            for line in _LINE_ENDS.split(text):
                pieces = list(cut_line(line.encode())) if line else []
                self.num_lines += len(pieces)
                self.num_cut += len(pieces) > 1
                yield from pieces


def cut_line(line: bytes) -> Iterator[str]:
    """Yield a line of UTF-8 in pieces of at most `MAX_LINE_BYTES` that join to the line."""
    start = 0
    while len(line) - start > MAX_LINE_BYTES:
        limit = start + MAX_LINE_BYTES
        end = line.rfind(b" ", start + 1, limit + 1)
        if end < 0:
            end = limit
            while line[end] & 0xC0 == 0x80:  # within a character
                end -= 1
        yield line[start:end].decode()
        start = end
    yield line[start:].decode()
