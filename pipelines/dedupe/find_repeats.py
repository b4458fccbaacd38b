"""find_repeats: documents, shared fingerprints -> the spans to take, each with what it repeats.

Of all windows of ``min_span_bytes`` that are equal, byte by byte, the first one stays: the one in
the document of the smallest doc_id, and in it the first, with those that overlap it there. All
others are taken, and a taken span is the union of such windows. So every repeated span of at least
``min_span_bytes`` is found, wherever it stands, and nothing is taken that does not stand elsewhere
(Lee et al. 2021, arXiv:2107.06499, section 4.1, find such by a suffix array). The first copy of
a span may lie in one that is itself taken, for it stands earlier still: of each byte, the copy at
the end of that chain stays.

Rows are a function of the set of documents alone: no order, no partitions, no chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.dedupe.span_config import SpansConfig
from pipelines.dedupe.takings import TAKINGS
from pipelines.kernels.buffers import text_buffers
from store.step import Inputs, Output, Part, Step

VERSION = 1


@dataclass(frozen=True)
class Texts:
    """The texts of some documents in one file: that of number ``n`` is ``data[begins[n]:]``.

    ``ids`` are sorted, so that numbers stand in the order of doc_ids; ``parts[n]`` is the number of
    the partition that holds the document.
    """

    ids: pa.Array
    begins: np.ndarray
    parts: np.ndarray
    data: np.ndarray

    def numbers(self, ids: pa.ChunkedArray) -> np.ndarray:
        """Return the numbers of documents, int64."""
        return pc.index_in(ids, value_set=self.ids).to_numpy().astype(np.int64)


class Repeats(NamedTuple):
    """Stretches of documents, by their numbers, that repeat what stands elsewhere; all int64.

    Byte ``b`` of one is byte ``b + shifts`` of document ``partners``.
    """

    documents: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    partners: np.ndarray
    shifts: np.ndarray


def find_repeats(inputs: Inputs, config: SpansConfig) -> Output:
    """Return the spans to take: a slice per partition of documents, in the order of their ids.

    Rows of a document do not overlap; its spans are those rows joined where they touch. Memory is
    for the shared fingerprints of one bucket and for what is found; the texts of documents that
    have one lie in a file meanwhile. Raises LookupError if such a document is not there.
    """
    shared = inputs.parts["shared"]
    ids = pc.unique(pa.chunked_array([c for p in shared for c in _ids(p).chunks], pa.string()))
    if not len(ids):
        return Output(TAKINGS.empty_table(), slice_by="part_key")
    assert inputs.scratch is not None
    documents = inputs.parts["documents"]
    texts = _lay_out(documents, ids.sort(), inputs.scratch / "texts")
    found = [_find(part.table(), texts, config.min_span_bytes) for part in shared]
    repeats = _join(Repeats(*map(np.concatenate, zip(*found, strict=True))), config.min_span_bytes)
    return Output(_rows(repeats, texts, [part.key for part in documents]), slice_by="part_key")


def _ids(part: Part) -> pa.ChunkedArray:
    return part.table(["doc_id"])["doc_id"]


def _lay_out(parts: Sequence[Part], ids: pa.Array, path: Path) -> Texts:
    """Write the texts of the documents with these ids to a file, partition by partition."""
    begins = np.full(len(ids), -1, dtype=np.int64)
    numbers_of_parts = np.zeros(len(ids), dtype=np.int64)
    written = 0
    with path.open("wb") as file:
        for part_number, part in enumerate(parts):
            is_wanted = pc.is_in(_ids(part), ids)
            if not pc.any(is_wanted).as_py():
                continue
            rows = part.table(["doc_id", "text"]).filter(is_wanted)
            numbers = pc.index_in(rows["doc_id"], value_set=ids).to_numpy()
            sizes = pc.binary_length(rows["text"]).to_numpy().astype(np.int64)
            begins[numbers] = written + np.cumsum(sizes) - sizes
            numbers_of_parts[numbers] = part_number
            for chunk in rows["text"].chunks:
                offsets, bytes_ = text_buffers(chunk)
                bytes_[offsets[0] : offsets[-1]].tofile(file)
            written += int(sizes.sum())
    if (begins < 0).any():
        raise LookupError(f"{np.sum(begins < 0)} documents with fingerprints are not there")
    data = np.asarray(np.memmap(path, np.uint8, "r"))
    return Texts(ids, begins, numbers_of_parts, data)


def _find(shared: pa.Table, texts: Texts, size: int) -> Repeats:
    """Return the windows that are copies: they begin at bytes ``starts`` to ``ends``."""
    from pipelines.kernels.window_copies import Places, find_copies

    is_known = pc.greater(shared["copied_bytes"], 0)
    known, asked = shared.filter(is_known), shared.filter(pc.invert(is_known))
    hashes = asked["gram_hash"].to_numpy()
    is_other = np.append(True, hashes[1:] != hashes[:-1])[: hashes.size]
    groups = np.append(np.flatnonzero(is_other), hashes.size)
    documents = texts.numbers(asked["doc_id"])
    begins = texts.begins[documents]
    bytes_ = [asked[name].to_numpy() for name in ("anchor_byte", "first_byte", "last_byte")]
    anchors, firsts, lasts = (begins + of_text for of_text in bytes_)
    copies = find_copies(texts.data, Places(groups, documents, anchors, firsts, lasts), size)
    begins, partners = begins[copies.places], documents[copies.partners]
    shifts = bytes_[0][copies.partners] - bytes_[0][copies.places]
    own = texts.numbers(known["doc_id"])
    pairs = [
        (documents[copies.places], own),
        (copies.firsts - begins, known["first_byte"].to_numpy()),
        (copies.lasts - begins, known["last_byte"].to_numpy()),
        (partners, own),
        (shifts, -known["copied_bytes"].to_numpy()),
    ]
    return Repeats(*map(np.concatenate, pairs))


def _join(windows: Repeats, size: int) -> Repeats:
    """Return the stretches that windows make up, which begin at ``starts`` to ``ends``.

    Windows that go on where others end, with the same shift, are one stretch. Where stretches
    overlap, the bytes are those of the earlier one.
    """
    order = np.lexsort((windows.starts, windows.documents))
    documents, starts, ends, partners, shifts = (column[order] for column in windows)
    goes_on = (
        (documents[1:] == documents[:-1])
        & (starts[1:] == ends[:-1] + 1)
        & (partners[1:] == partners[:-1])
        & (shifts[1:] == shifts[:-1])
    )
    begins = np.flatnonzero(np.append(True, ~goes_on)[: order.size])
    ends = ends[np.append(begins[1:], order.size)[: begins.size] - 1] + size
    documents, starts = documents[begins], starts[begins]
    is_next = documents[1:] == documents[:-1]
    starts[1:] = np.where(is_next, np.maximum(starts[1:], ends[:-1]), starts[1:])
    return Repeats(documents, starts, ends, partners[begins], shifts[begins])


def _rows(repeats: Repeats, texts: Texts, part_keys: list[str]) -> pa.Table:
    parts = texts.parts[repeats.documents]
    order = np.lexsort((repeats.starts, repeats.documents, parts))
    documents, starts, ends, partners, shifts = (column[order] for column in repeats)
    columns = [
        pa.array(part_keys, pa.string()).take(pa.array(parts[order])),
        texts.ids.take(pa.array(documents)),
        starts,
        ends,
        texts.ids.take(pa.array(partners)),
        starts + shifts,
    ]
    return pa.table(columns, schema=TAKINGS)


STEP = Step(
    name="find_repeats",
    version=VERSION,
    kind="whole",
    run=find_repeats,
    config=SpansConfig,
    schema=TAKINGS,
    inputs={"documents": "all", "shared": "all"},
    emits="model",
)
