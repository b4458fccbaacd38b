"""index_heldout: splits, documents -> an inverted index of the held-out documents' shingles.

Stands between `split` and `guard_heldout`, which looks up every train document in it. Held-out is
the small side: its texts are read partition by partition, and only their shingles stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import RecipeError
from pipelines.text_slices import one_array, slices_of
from store.step import Inputs, Output, Part, Step

if TYPE_CHECKING:
    from pipelines.kernels.heldout_index import HeldoutIndex
    from pipelines.kernels.shingles import Shingles

VERSION = 1

SHINGLE_WORDS = 5  # of Jaccard, as near-duplicates are measured
MAX_NGRAM_WORDS = 100
INDEX_FILE = "heldout.safetensors"
_INDEXES = ("shingles", "ngrams")

# One row for each held-out document, by doc_id; a document's row is its place in the index.
HELDOUT = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("num_shingles", pa.int64(), nullable=False),  # distinct, of SHINGLE_WORDS words
        pa.field("num_ngrams", pa.int64(), nullable=False),  # distinct, of ngram_words words
    ]
)


@dataclass(frozen=True)
class HeldoutIndexConfig:
    """``ngram_words``: how long the n-grams of containment are, 1 to `MAX_NGRAM_WORDS` words.

    Not ``enabled``: the index is empty, no text is read, and nothing is dropped by it.
    """

    enabled: bool = True
    ngram_words: int = 13

    def __post_init__(self) -> None:
        if not 1 <= self.ngram_words <= MAX_NGRAM_WORDS:
            raise RecipeError(
                f"guard.ngram_words is {self.ngram_words}; give 1 to {MAX_NGRAM_WORDS} words."
            )


@dataclass(frozen=True)
class Heldout:
    """What is known of the held-out documents: their ids, and who holds which shingle.

    ``ids`` are in ascending order; a place in an index is one in ``ids``.
    """

    ids: pa.ChunkedArray
    shingles: HeldoutIndex
    ngrams: HeldoutIndex
    ngram_words: int


def index_heldout(inputs: Inputs, config: HeldoutIndexConfig) -> Output:
    """Index the held-out documents; the same ones give the same bytes, however they are divided.

    Takes some 200 bytes of memory for each word of the held-out side. Without a held-out document
    there is no file. Raises `UsageError` if a text is null, `LookupError` if a held-out document is
    not among the documents, and `InputError` for more shingles than can be counted.
    """
    batches = list(_read_sets(inputs, config.ngram_words)) if config.enabled else []
    if not batches:
        return Output(HELDOUT.empty_table())
    ids = pa.concat_arrays([batch.ids for batch in batches])
    order = pc.sort_indices(ids)
    shingles = _in_order([batch.shingles for batch in batches], order.to_numpy())
    ngrams = _in_order([batch.ngrams for batch in batches], order.to_numpy())
    assert inputs.scratch is not None
    path = inputs.scratch / INDEX_FILE
    _save(shingles, ngrams, config.ngram_words, path)
    columns = [ids.take(order), np.diff(shingles.offsets), np.diff(ngrams.offsets)]
    return Output(pa.table(columns, schema=HELDOUT), files={INDEX_FILE: path})


def load_heldout(part: Part, folder: Path) -> Heldout | None:
    """Return what `index_heldout` wrote, or None if there is no held-out document."""
    from safetensors import safe_open

    from pipelines.kernels.heldout_index import HeldoutIndex

    if part.num_rows == 0:
        return None
    with safe_open(part.file(INDEX_FILE, folder), framework="numpy") as file:
        shingles, ngrams = (
            HeldoutIndex(*(file.get_tensor(f"{name}.{field}") for field in HeldoutIndex._fields))
            for name in _INDEXES
        )
        ngram_words = int(file.metadata()["ngram_words"])
    return Heldout(part.table(["doc_id"])["doc_id"], shingles, ngrams, ngram_words)


class _Sets(NamedTuple):
    ids: pa.Array
    shingles: Shingles
    ngrams: Shingles


def _read_sets(inputs: Inputs, ngram_words: int) -> Iterator[_Sets]:
    """Yield the sets of held-out documents; texts of a partition without any are not read."""
    from pipelines.kernels.decoded import text_batch
    from pipelines.kernels.normal_words import normal_words
    from pipelines.kernels.shingles import unique_shingles, word_shingles

    documents = {part.key: part for part in inputs.parts["documents"]}
    for splits in inputs.parts["splits"]:
        sides = splits.table(["doc_id", "split"])
        wanted = sides.filter(pc.equal(sides["split"], "heldout"))["doc_id"]
        if not len(wanted):
            continue
        for ids, texts in read_texts(documents[splits.key], wanted):
            words = normal_words(text_batch(texts).codes)
            shingles, ngrams = (
                unique_shingles(word_shingles(*words, num_words))
                for num_words in (SHINGLE_WORDS, ngram_words)
            )
            yield _Sets(ids, shingles, ngrams)


def read_texts(documents: Part, wanted: pa.ChunkedArray) -> Iterator[tuple[pa.Array, pa.Array]]:
    """Yield ids and texts of some documents of a partition, slice by slice, in its order.

    Raises LookupError unless all of them are there.
    """
    table = documents.table(["doc_id", "text"])
    is_wanted = pc.is_in(table["doc_id"], one_array(wanted))
    num_found = pc.sum(is_wanted).as_py() or 0
    if num_found != len(wanted):
        raise LookupError(
            f"partition {documents.key} has {num_found} of {len(wanted)} documents of its splits"
        )
    for first, num_rows in slices_of(table["text"]):
        rows = table.slice(first, num_rows).filter(is_wanted.slice(first, num_rows))
        if len(rows):
            yield one_array(rows["doc_id"]), one_array(rows["text"])


def _in_order(batches: Sequence[Shingles], order: np.ndarray) -> Shingles:
    from pipelines.kernels.heldout_index import take_texts
    from pipelines.kernels.shingles import Shingles

    sizes = np.concatenate([[0], *(np.diff(batch.offsets) for batch in batches)])
    hashes = np.concatenate([batch.hashes for batch in batches])
    return take_texts(Shingles(np.cumsum(sizes), hashes), order)


def _save(shingles: Shingles, ngrams: Shingles, ngram_words: int, path: Path) -> None:
    from safetensors.numpy import save_file

    from pipelines.kernels.heldout_index import build_index

    tensors = {
        f"{name}.{field}": array
        for name, sets in zip(_INDEXES, (shingles, ngrams), strict=True)
        for field, array in build_index(sets)._asdict().items()
    }
    save_file(tensors, path, {"ngram_words": str(ngram_words)})


STEP = Step(
    name="index_heldout",
    version=VERSION,
    kind="whole",
    run=index_heldout,
    config=HeldoutIndexConfig,
    schema=HELDOUT,
    inputs={"splits": "all", "documents": "all"},
    libraries=("safetensors",),
    accounts_for="splits",
    emits="model",
)
