"""count_lines: documents -> the places of their lines. What repeats on a site is found in these.

The first of the steps that take boilerplate out: navigation, footers, notices that stand on many
pages. Lines (or paragraphs) are compared in their normalised form (`pipelines.dedupe.normalise`):
case, white space and punctuation do not count, digits do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from blake3 import blake3

from data_contracts.documents import hash_text
from data_contracts.errors import RecipeError
from pipelines.dedupe.by_bucket import by_bucket
from pipelines.dedupe.normalise import hash_normalised
from pipelines.dedupe.sites import site_of
from pipelines.dedupe.text_arrays import text_array
from pipelines.dedupe.text_keys import text_keys
from pipelines.kernels.decoded import text_batch
from pipelines.text_slices import one_array, slices_of
from store.step import Inputs, Output, Step

VERSION = 1
EXAMPLE_BYTES = 80
_HASH_BYTES = 16

LINES = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),  # of line_hash; slices
        pa.field("site", pa.string(), nullable=False),  # `pipelines.dedupe.sites.site_of`
        pa.field("line_hash", pa.binary(), nullable=False),  # BLAKE3 of the form, 128 bits
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("text_key", pa.uint64(), nullable=False),  # first 64 bits of normal_hash
        pa.field("page_key", pa.uint64(), nullable=False),  # of the URL; text_key without one
        pa.field("start_byte", pa.int64(), nullable=False),  # of the text, where the line begins
        pa.field("end_byte", pa.int64(), nullable=False),  # behind the break that ends it
        pa.field("example", pa.string(), nullable=False),  # how the line begins
    ]
)


@dataclass(frozen=True)
class CountLinesConfig:
    """Which lines are looked at, and into how many buckets, 1 to 65,536, the search is divided.

    ``unit`` is ``lines``, or ``paragraphs``: lines without a blank one between them. Those whose
    normalised form has fewer than ``min_chars`` characters are left alone, and so are those without
    a letter, digit or symbol.
    """

    unit: Literal["lines", "paragraphs"] = "lines"
    min_chars: int = 20
    num_buckets: int = 8

    def __post_init__(self) -> None:
        if self.unit not in ("lines", "paragraphs"):
            raise RecipeError(f"count_lines.unit is {self.unit!r}; give lines or paragraphs.")
        if self.min_chars < 1:
            raise RecipeError(f"count_lines.min_chars is {self.min_chars}; give at least 1.")
        if not 1 <= self.num_buckets <= 2**16:
            raise RecipeError(f"count_lines.num_buckets is {self.num_buckets}; give 1 to {2**16}.")


def count_lines(inputs: Inputs, config: CountLinesConfig) -> Output:
    """Return a row for each place of a line, by bucket, and within it in document order.

    Besides the documents, memory is for some 20 bytes per character of a slice of text and for the
    rows. Raises `UsageError` if a text is null.
    """
    documents = inputs.one("documents").table(["doc_id", "source", "url", "text"])
    tables = (
        _lines_of(documents.slice(first, num_rows), config)
        for first, num_rows in slices_of(documents["text"])
    )
    return by_bucket(tables, LINES)


def _lines_of(documents: pa.Table, config: CountLinesConfig) -> pa.Table:
    from pipelines.kernels.cuts import rows_of
    from pipelines.kernels.line_forms import beginnings, find_lines, normal_forms

    texts = text_batch(one_array(documents["text"]))
    lines = find_lines(texts.buffers, texts.codes, config.unit == "paragraphs")
    forms = normal_forms(texts.buffers, lines)
    asked = np.flatnonzero(forms.chars >= config.min_chars)
    rows, starts, ends = rows_of(lines)[asked], lines.starts[asked], lines.ends[asked]
    hashes = _hash_all(forms.data, forms.starts[asked], forms.ends[asked])
    first_bytes = texts.buffers.offsets[rows]
    columns = {
        "bucket": (hashes["head"] % config.num_buckets).astype(np.int32),
        "line_hash": _binaries(hashes),
        **{name: column.take(pa.array(rows)) for name, column in _of_documents(documents).items()},
        "start_byte": starts - first_bytes,
        "end_byte": ends - first_bytes,
        "example": text_array(beginnings(texts.buffers.data, starts, ends, EXAMPLE_BYTES)),
    }
    return pa.table({name: columns[name] for name in LINES.names}, schema=LINES)


def _hash_all(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the hashes of stretches of bytes, each with its first 32 bits as a number."""
    view = data.data
    hashes = [
        blake3(view[start:end]).digest(_HASH_BYTES)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    return np.frombuffer(b"".join(hashes), dtype=[("head", ">u4"), ("rest", f"V{_HASH_BYTES - 4}")])


def _binaries(hashes: np.ndarray) -> pa.Array:
    offsets = np.arange(hashes.size + 1, dtype=np.int32) * _HASH_BYTES
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(hashes.tobytes())]
    return pa.Array.from_buffers(pa.binary(), hashes.size, buffers)


def _of_documents(documents: pa.Table) -> dict[str, pa.Array]:
    """Return the columns whose values a document's lines share."""
    urls, sources = documents["url"].to_pylist(), documents["source"].to_pylist()
    normal_hashes = hash_normalised(documents["text"])
    pages = [
        hash_text(url) if url else normal_hash
        for url, normal_hash in zip(urls, normal_hashes, strict=True)
    ]
    sites = [site_of(url, source) for url, source in zip(urls, sources, strict=True)]
    return {
        "site": pa.array(sites, pa.string()),
        "doc_id": one_array(documents["doc_id"]),
        "text_key": pa.array(text_keys(pa.array(normal_hashes, pa.string()))),
        "page_key": pa.array(text_keys(pa.array(pages, pa.string()))),
    }


STEP = Step(
    name="count_lines",
    version=VERSION,
    kind="map",
    run=count_lines,
    config=CountLinesConfig,
    schema=LINES,
    inputs={"documents": "aligned"},
    libraries=("tldextract",),  # it brings the list of public suffixes
    emits="model",
)
