"""A deterministic sample of curated documents, within a budget of bytes, and its lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import InputError
from store.step import Part

MAX_LINE_BYTES = 4096

_DIGITS = 13  # of an id, 52 bits: a float64 holds them exactly

# U+2585 is the trainer's own sign for an unknown character and NUL its end of text: it leaves out
# a line that holds either. U+2581 it takes for a space. So lines end there too.
_LINE_ENDS = re.compile("[\n\u2581\u2585\0]")


Weights = tuple[tuple[str, float], ...]  # a source's name and weight; others weigh 1


@dataclass(frozen=True)
class Sample:
    """The documents of a split that come first in an order, up to a number of bytes.

    A document's place is the number that its id begins with, a hash, divided by the weight of its
    source; equal places are told apart by id. So the sample does not depend on partitions or their
    order, a new document moves none of the others, and of each source comes a share of bytes in
    proportion to its bytes times its weight, or all if it has fewer (sequential Poisson sampling).
    ``bytes_by_source`` are the sample's, by name. ``last`` is place and id of the last document, of
    which only the first ``last_bytes`` count if the budget ends within it.
    """

    split: str
    weights: Weights
    num_documents: int
    num_bytes: int
    bytes_by_source: dict[str, int]
    last: tuple[float, str]
    last_bytes: int

    def texts(self, parts: Sequence[Part]) -> Iterator[str]:
        """Yield the texts, partition by partition in document order."""
        for _, text in self._rows(parts):
            yield text

    def texts_by_source(self, parts: Sequence[Part]) -> dict[str, list[str]]:
        """Return the texts of each source, by name."""
        found: dict[str, list[str]] = {}
        for source, text in self._rows(parts):
            found.setdefault(source, []).append(text)
        return dict(sorted(found.items()))

    def _rows(self, parts: Sequence[Part]) -> Iterator[tuple[str, str]]:
        """Yield source and text of each document, the last one cut."""
        last_place, last_id = self.last
        for part in parts:
            table = part.table(["doc_id", "split", "source", "text"])
            table = table.filter(pc.equal(table["split"], self.split))
            places = pa.array(places_of(table, self.weights))
            is_before = pc.less(places, last_place)
            is_tied = pc.and_(pc.equal(places, last_place), pc.less_equal(table["doc_id"], last_id))
            table = table.filter(pc.or_(is_tied, is_before))
            for doc_id, source, text in zip(
                table["doc_id"], table["source"], table["text"], strict=True
            ):
                counted = text.as_py()
                if doc_id.as_py() == last_id:
                    counted = counted.encode()[: self.last_bytes].decode(errors="ignore")
                yield source.as_py(), counted


def draw_sample(parts: Sequence[Part], split: str, max_bytes: int, weights: Weights = ()) -> Sample:
    """Choose documents of a split up to a number of UTF-8 bytes; reads one partition at a time.

    Raises:
        InputError: if a source has a weight above 0, but no text in the split.
    """
    found = [_sizes(part, split, weights) for part in parts]
    sizes = pa.concat_tables(found) if found else pa.table({"source": []})
    _check_weights(weights, sizes, split)
    if not len(sizes):
        return Sample(split, weights, 0, 0, {}, (0.0, ""), 0)
    sizes = sizes.sort_by([("place", "ascending"), ("doc_id", "ascending")])
    ends = np.cumsum(sizes["num_bytes"].to_numpy())
    count = min(int(np.searchsorted(ends, max_bytes)) + 1, len(ends))
    before = int(ends[count - 2]) if count > 1 else 0
    num_bytes = min(int(ends[count - 1]), max_bytes)
    last = sizes["place"][count - 1].as_py(), sizes["doc_id"][count - 1].as_py()
    by_source = _bytes_by_source(sizes.slice(0, count))
    by_source[sizes["source"][count - 1].as_py()] -= int(ends[count - 1]) - num_bytes
    return Sample(split, weights, count, num_bytes, by_source, last, num_bytes - before)


def places_of(table: pa.Table, weights: Weights) -> np.ndarray:
    """Return where documents stand in the order, float64; infinity for a weight of 0."""
    digits = pc.utf8_slice_codeunits(table["doc_id"], 0, _DIGITS)
    numbers = pc.cast(pc.binary_join_element_wise("0x", digits, ""), pa.int64())
    places = numbers.to_numpy().astype(np.float64)
    for source, weight in weights:
        of_source = pc.equal(table["source"], source).to_numpy()
        places[of_source] = places[of_source] / weight if weight else np.inf
    return places


def _sizes(part: Part, split: str, weights: Weights) -> pa.Table:
    """Return id, source, place and bytes of the documents that may be drawn."""
    table = part.table(["doc_id", "split", "source", "text"])
    table = table.filter(pc.equal(table["split"], split))
    columns = {
        "doc_id": table["doc_id"],
        "source": table["source"],
        "place": places_of(table, weights),
        "num_bytes": pc.binary_length(table["text"]).cast(pa.int64()),
    }
    sizes = pa.table(columns)
    return sizes.filter(pc.less(sizes["place"], np.inf))


def _bytes_by_source(sizes: pa.Table) -> dict[str, int]:
    sums = sizes.group_by("source").aggregate([("num_bytes", "sum")]).sort_by("source")
    return dict(zip(sums["source"].to_pylist(), sums["num_bytes_sum"].to_pylist(), strict=True))


def _check_weights(weights: Weights, sizes: pa.Table, split: str) -> None:
    sources = set(sizes["source"].unique().to_pylist())
    missing = [source for source, weight in weights if weight and source not in sources]
    if missing:
        known = ", ".join(sorted(sources)) or "no source"
        raise InputError(
            f"tokenizer.weights has {missing[0]!r}, of which there is no text in the {split} "
            f"split; it has text of {known}."
        )


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
