"""pack_tokens: curated documents and a tokenizer -> token shards and a table of documents.

Each partition becomes two shards, ``train`` and ``heldout`` (either may be empty), laid out as
`data_contracts.shards` says, with documents in the order of the partition. So a new partition adds
shards and changes none; order and packing for training are decided when they are read.

Ids are exactly SentencePiece's (`pipelines.tokenizer.encoder`); the fact ``whole_texts`` counts the
documents that it had to be given whole, and is absent if none was. One character does not survive:
U+2581, which SentencePiece uses for the space and decodes as one. The fact ``lossy_texts`` counts
the documents that hold it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.shards import (
    TOKEN_DOCUMENTS,
    ShardEntry,
    Vocabulary,
    file_names,
    write_index,
    write_shard,
)
from data_contracts.tokenizer import LOST_CHARACTER, tokenizer_of
from pipelines.text_slices import one_array, slices_of
from store.step import Inputs, Output, Step

if TYPE_CHECKING:
    from pipelines.tokenizer.encoder import ChunkEncoder

VERSION = 1

SPLITS = ("train", "heldout")

_SLICE_BYTES = 4 << 20  # of text that is encoded at a time


@dataclass(frozen=True)
class PackConfig:
    """Nothing to choose yet."""


def pack_tokens(inputs: Inputs, config: PackConfig) -> Output:
    """Write the shards of a partition; one row per document, in document order."""
    from pipelines.tokenizer.encoder import ChunkEncoder  # here: it compiles

    if inputs.scratch is None:
        raise ValueError("pack_tokens writes files and needs a folder to write them in")
    documents = inputs.one("curated").table(["doc_id", "split", "text"])
    if unknown := set(documents["split"].unique().to_pylist()) - set(SPLITS):
        raise ValueError(f"documents are in the splits {sorted(unknown)}, besides {SPLITS}")
    tokenizer = tokenizer_of(inputs.table("tokenizer"))
    encoder = ChunkEncoder(tokenizer.model)
    columns = {name: np.zeros(len(documents), np.int64) for name in TOKEN_DOCUMENTS.names[3:]}
    vocabulary = tokenizer.vocabulary
    entries = [
        _write_split(inputs.scratch, documents, split, encoder, vocabulary, columns)
        for split in SPLITS
    ]
    write_index(inputs.scratch, vocabulary, entries)
    ids, splits = documents["doc_id"], documents["split"]
    rows = pa.table([ids, splits, splits, *columns.values()], schema=TOKEN_DOCUMENTS)
    files = {name: inputs.scratch / name for name in file_names(SPLITS)}
    return Output(rows, facts=_facts(documents, entries, encoder), files=files)


def _write_split(
    folder: Path,
    documents: pa.Table,
    split: str,
    encoder: ChunkEncoder,
    vocabulary: Vocabulary,
    columns: dict[str, np.ndarray],
) -> ShardEntry:
    """Write the shard of a split and fill in its documents' offsets and sizes."""
    mask = pc.equal(documents["split"], split)
    texts = documents["text"].filter(mask)
    num_bytes = pc.binary_length(texts).cast(pa.int64()).to_numpy()
    encoded = encode_texts(encoder, vocabulary, texts)
    entry = write_shard(folder, split, encoded, num_bytes, vocabulary.dtype)
    offsets = np.load(folder / f"{split}.offsets.npy")
    where = mask.to_numpy()
    columns["token_offset"][where] = offsets[:-1]
    columns["num_tokens"][where] = np.diff(offsets)
    columns["num_bytes"][where] = num_bytes
    return entry


def encode_texts(
    encoder: ChunkEncoder, vocabulary: Vocabulary, texts: pa.ChunkedArray
) -> Iterator[np.ndarray]:
    """Yield the ids of each text between BOS and EOS, encoding some mebibytes at a time."""
    for first, count in slices_of(texts, _SLICE_BYTES):
        batch = one_array(texts.slice(first, count))
        offsets, ids = encoder.encode(batch, bos=vocabulary.bos_id, eos=vocabulary.eos_id)
        for start, end in pairwise(offsets.tolist()):
            yield ids[start:end]


def _facts(documents: pa.Table, entries: list[ShardEntry], encoder: ChunkEncoder) -> dict[str, int]:
    lossy = pc.match_substring(documents["text"], LOST_CHARACTER)
    facts = {
        "num_tokens": sum(entry.num_tokens for entry in entries),
        "num_bytes": sum(entry.num_bytes for entry in entries),
        "lossy_texts": int(pc.sum(lossy).as_py() or 0),
    }
    if encoder.num_whole:
        facts["whole_texts"] = encoder.num_whole
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
