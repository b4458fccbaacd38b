"""pack_tokens: curated documents and a tokenizer -> token shards and a table of documents.

Each partition becomes two shards, ``train`` and ``heldout`` (either may be empty), laid out as
`data_contracts.shards` says, with documents in the order of the partition. So a new partition adds
shards and changes none; order and packing for training are decided when they are read.

Ids are exactly SentencePiece's (`pipelines.tokenizer.encoder`). The fact ``whole_texts`` counts the
documents that it had to be given whole, ``whole_because`` says why, and ``changed_texts`` counts
those that do not come back from their ids, since a given model normalises or removes spaces; each
is absent if there was none. U+2581 alone is spelt in bytes in its stead
(`pipelines.tokenizer.exact_ids`), so that ids decode to the very text; the fact
``lower_block_texts`` counts the documents that hold it. Partitions that one process packs share
the chunks that they repeat (`pipelines.tokenizer.warm_encoders`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import InputError
from data_contracts.lower_block import LOWER_BLOCK
from data_contracts.shard_index import ShardEntry, file_names
from data_contracts.shards import TOKEN_DOCUMENTS
from data_contracts.tokenizer import Tokenizer, tokenizer_of
from data_contracts.write_shards import write_index, write_shard
from pipelines.text_slices import one_array, slices_of
from store.step import Inputs, Output, Step

if TYPE_CHECKING:
    from pipelines.tokenizer.encoder import ChunkEncoder

VERSION = 5

SPLITS = ("train", "heldout")

_SLICE_BYTES = 4 << 20  # of text that is encoded at a time


@dataclass(frozen=True)
class PackConfig:
    """Nothing to choose yet."""


def pack_tokens(inputs: Inputs, config: PackConfig) -> Output:
    """Write the shards of a partition; one row per document, in document order.

    Raises:
        InputError: if a document has a character that the tokenizer has neither piece nor bytes
            for, or more text that must be encoded at once than memory allows.
    """
    from pipelines.tokenizer.warm_encoders import WARM_ENCODERS  # here: it compiles

    if inputs.scratch is None:
        raise ValueError("pack_tokens writes files and needs a folder to write them in")
    documents = inputs.one("curated").table(["doc_id", "source", "split", "text"])
    if unknown := set(documents["split"].unique().to_pylist()) - set(SPLITS):
        raise ValueError(f"documents are in the splits {sorted(unknown)}, besides {SPLITS}")
    tokenizer = tokenizer_of(inputs.table("tokenizer"))
    columns = {name: np.zeros(len(documents), np.int64) for name in TOKEN_DOCUMENTS.names[4:]}
    counts: Counter[str] = Counter()
    with WARM_ENCODERS.lent(tokenizer.model) as encoder:
        counts["whole_texts"] = -encoder.num_whole
        entries = [
            _write_split(inputs.scratch, documents, split, encoder, tokenizer, columns, counts)
            for split in SPLITS
        ]
        counts["whole_texts"] += encoder.num_whole
        told = {"whole_because": encoder.why_whole} if counts["whole_texts"] else {}
    write_index(inputs.scratch, tokenizer.vocabulary, entries)
    ids, sources, splits = (documents[name] for name in ("doc_id", "source", "split"))
    rows = pa.table([ids, sources, splits, splits, *columns.values()], schema=TOKEN_DOCUMENTS)
    files = {name: inputs.scratch / name for name in file_names(SPLITS)}
    return Output(rows, facts={**_facts(documents, entries, counts), **told}, files=files)


def _write_split(
    folder: Path,
    documents: pa.Table,
    split: str,
    encoder: ChunkEncoder,
    tokenizer: Tokenizer,
    columns: dict[str, np.ndarray],
    counts: Counter[str],
) -> ShardEntry:
    """Write the shard of a split and fill in its documents' offsets and sizes."""
    mask = pc.equal(documents["split"], split)
    chosen = documents.filter(mask)
    num_bytes = pc.binary_length(chosen["text"]).cast(pa.int64()).to_numpy()
    encoded = encode_documents(encoder, tokenizer, chosen)
    if encoder.may_change_texts:
        encoded = _counting_changes(encoded, chosen["text"], tokenizer, counts)
    vocabulary = tokenizer.vocabulary
    entry = write_shard(
        folder, split, encoded, num_bytes, vocabulary.dtype, vocabulary.tokenizer_digest
    )
    offsets = np.load(folder / f"{split}.offsets.npy")
    where = mask.to_numpy()
    columns["token_offset"][where] = offsets[:-1]
    columns["num_tokens"][where] = np.diff(offsets)
    columns["num_bytes"][where] = num_bytes
    return entry


def encode_documents(
    encoder: ChunkEncoder, tokenizer: Tokenizer, documents: pa.Table
) -> Iterator[np.ndarray]:
    """Yield the ids of each document between BOS and EOS, encoding some mebibytes at a time.

    Raises:
        InputError: for a character without an id, or a text that cannot be encoded; the document
            is named.
    """
    from pipelines.tokenizer.exact_ids import encode_exactly  # here: it compiles

    special, texts = tokenizer.special_ids, documents["text"]
    for first, count in slices_of(texts, _SLICE_BYTES):
        batch = one_array(texts.slice(first, count))
        marks = {"bos": special["bos"], "eos": special["eos"]}
        try:
            offsets, ids = encode_exactly(encoder, batch, **marks)
        except InputError:
            for row in range(count):
                _encode_named(encoder, documents.slice(first + row, 1), marks)
            raise
        unknown = np.flatnonzero(ids == special["unk"])
        if unknown.size:
            row = first + int(np.searchsorted(offsets, unknown[0], "right")) - 1
            raise _no_id(documents["doc_id"][row].as_py())
        for start, end in pairwise(offsets.tolist()):
            yield ids[start:end]


def _counting_changes(
    encoded: Iterator[np.ndarray],
    texts: pa.ChunkedArray,
    tokenizer: Tokenizer,
    counts: Counter[str],
) -> Iterator[np.ndarray]:
    """Hand ids on, and count the texts that they do not decode to."""
    for ids, text in zip(encoded, texts, strict=True):
        counts["changed_texts"] += tokenizer.decode(ids) != text.as_py()
        yield ids


def _encode_named(encoder: ChunkEncoder, document: pa.Table, marks: dict[str, int]) -> None:
    """Raise InputError with the name of a document if it cannot be encoded."""
    from pipelines.tokenizer.exact_ids import encode_exactly  # here: it compiles

    try:
        encode_exactly(encoder, one_array(document["text"]), **marks)
    except InputError as error:
        raise InputError(f"document {document['doc_id'][0].as_py()}: {error}") from error


def _no_id(doc_id: str) -> InputError:
    return InputError(
        f"document {doc_id} has a character that the tokenizer has no piece for, and no bytes to "
        f"spell it in, so that it would be lost; use a tokenizer with byte fallback."
    )


def _facts(documents: pa.Table, entries: list[ShardEntry], counts: Counter[str]) -> dict[str, Any]:
    held = pc.match_substring(documents["text"], LOWER_BLOCK)
    facts = {
        "num_tokens": sum(entry.num_tokens for entry in entries),
        "num_bytes": sum(entry.num_bytes for entry in entries),
        "lower_block_texts": int(pc.sum(held).as_py() or 0),
    }
    facts |= {name: count for name, count in counts.items() if count}
    for entry in entries:
        facts[f"{entry.name}_documents"] = entry.num_documents
        facts[f"{entry.name}_tokens"] = entry.num_tokens
        facts[f"{entry.name}_bytes"] = entry.num_bytes
    return facts


STEP = Step(
    name="pack_tokens",
    version=VERSION,
    kind="map",
    run=pack_tokens,
    config=PackConfig,
    schema=TOKEN_DOCUMENTS,
    inputs={"curated": "aligned", "tokenizer": "all"},
    libraries=("sentencepiece",),
    accounts_for="curated",
)
