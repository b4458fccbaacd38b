"""pack_tokens: curated documents and a tokenizer -> token shards and a table of documents.

Each partition becomes two shards, ``train`` and ``heldout`` (either may be empty), laid out as
`data_contracts.shards` says, with documents in the order of the partition. So a new partition adds
shards and changes none; order and packing for training are decided when they are read.

Ids are exactly SentencePiece's. One character does not survive them: U+2581, which SentencePiece
uses for the space and decodes as one. The fact ``lossy_texts`` counts the documents that hold it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.shards import (
    TOKEN_DOCUMENTS,
    ShardEntry,
    file_names,
    write_index,
    write_shard,
)
from data_contracts.tokenizer import LOST_CHARACTER, Tokenizer, tokenizer_of
from store.step import Inputs, Output, Step

VERSION = 1

SPLITS = ("train", "heldout")

_BATCH_CHARS = 1 << 20


@dataclass(frozen=True)
class PackConfig:
    """Nothing to choose yet."""


def pack_tokens(inputs: Inputs, config: PackConfig) -> Output:
    """Write the shards of a partition; one row per document, in document order."""
    if inputs.scratch is None:
        raise ValueError("pack_tokens writes files and needs a folder to write them in")
    documents = inputs.one("curated").table(["doc_id", "split", "text"])
    if unknown := set(documents["split"].unique().to_pylist()) - set(SPLITS):
        raise ValueError(f"documents are in the splits {sorted(unknown)}, besides {SPLITS}")
    tokenizer = tokenizer_of(inputs.table("tokenizer"))
    columns = {name: np.zeros(len(documents), np.int64) for name in TOKEN_DOCUMENTS.names[3:]}
    entries = [
        _write_split(inputs.scratch, documents, split, tokenizer, columns) for split in SPLITS
    ]
    write_index(inputs.scratch, tokenizer.vocabulary, entries)
    ids, splits = documents["doc_id"], documents["split"]
    rows = pa.table([ids, splits, splits, *columns.values()], schema=TOKEN_DOCUMENTS)
    files = {name: inputs.scratch / name for name in file_names(SPLITS)}
    return Output(rows, facts=_facts(documents, entries), files=files)


def _write_split(
    folder: Path,
    documents: pa.Table,
    split: str,
    tokenizer: Tokenizer,
    columns: dict[str, np.ndarray],
) -> ShardEntry:
    """Write the shard of a split and fill in its documents' offsets and sizes."""
    mask = pc.equal(documents["split"], split)
    texts = documents["text"].filter(mask)
    num_bytes = pc.binary_length(texts).cast(pa.int64()).to_numpy()
    encoded = encode_texts(tokenizer, texts)
    entry = write_shard(folder, split, encoded, num_bytes, tokenizer.vocabulary.dtype)
    offsets = np.load(folder / f"{split}.offsets.npy")
    where = mask.to_numpy()
    columns["token_offset"][where] = offsets[:-1]
    columns["num_tokens"][where] = np.diff(offsets)
    columns["num_bytes"][where] = num_bytes
    return entry


def encode_texts(tokenizer: Tokenizer, texts: pa.ChunkedArray) -> Iterator[np.ndarray]:
    """Yield the ids of each text between BOS and EOS, encoding about a mebibyte at a time."""
    batch: list[str] = []
    num_chars = 0
    for text in texts:
        batch.append(text.as_py())
        num_chars += len(batch[-1])
        if num_chars >= _BATCH_CHARS:
            yield from tokenizer.encode_documents(batch)
            batch, num_chars = [], 0
    yield from tokenizer.encode_documents(batch)


def _facts(documents: pa.Table, entries: list[ShardEntry]) -> dict[str, int]:
    lossy = pc.match_substring(documents["text"], LOST_CHARACTER)
    facts = {
        "num_tokens": sum(entry.num_tokens for entry in entries),
        "num_bytes": sum(entry.num_bytes for entry in entries),
        "lossy_texts": int(pc.sum(lossy).as_py() or 0),
    }
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
