"""What packing costs with SentencePiece's own batches, and with ids by chunks, on one core.

    python -m benchmarks.pack_tokens --shared FOLDER [--megabytes 100] [--vocab-size 32000]
        [--corpus NAME …] [--type bpe]

FOLDER holds the public collections that `benchmarks.corpora` reads. Their documents are mixed at
random (seed 0) and lie in partitions of 10 MB; each is packed both ways, one after the other, into
a folder that is removed. Told is processor time of the whole step so far, shards, digests, checks
and all; the table of chunks is empty at first and goes on from partition to partition. The model
learns from the last 5 MB. The shards must be the same bytes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pyarrow as pa

from benchmarks.corpora import CORPORA
from benchmarks.dedupe_speed import on_one_core
from benchmarks.tokenize import blocks, mixed, timed, train_sentencepiece
from data_contracts.documents import doc_id
from data_contracts.open_shards import open_shards
from data_contracts.tokenizer import TOKENIZERS, Tokenizer
from pipelines.kernels.cache import use_cache_dir
from pipelines.text_slices import slices_of
from pipelines.tokenizer import warm_encoders
from pipelines.tokenizer.warm_encoders import WarmEncoders
from pipelines.tokens import pack_tokens as step
from store.identity import digest_bytes
from store.step import Inputs

PART_BYTES = 10_000_000
TRAINED_BYTES = 5_000_000


def in_memory(key: str, rows: pa.Table) -> Any:
    """Return a table as a partition that a step reads."""
    table = rows.select
    return SimpleNamespace(
        key=key, num_rows=len(rows), table=lambda columns=None: table(columns or rows.column_names)
    )


def in_batches(encoder: Any, tokenizer: Tokenizer, documents: pa.Table) -> Iterator[Any]:
    """Yield ids as SentencePiece's batch encode gives them: `pack_tokens` without chunks."""
    texts = documents["text"]
    for first, count in slices_of(texts, 4 << 20):
        yield from tokenizer.encode_documents(texts.slice(first, count).to_pylist())


def packed(model: pa.Table, texts: Sequence[str], by_chunks: bool) -> tuple[list[str], float]:
    """Return the digests of a partition's shards, and the seconds that packing took."""
    ids = [doc_id("mix", f"{number}") for number in range(len(texts))]
    split = ["train"] * len(texts)
    source, text = ["mix"] * len(texts), pa.array(texts, pa.string())
    rows = pa.table({"doc_id": ids, "source": source, "split": split, "text": text})
    parts = {"curated": (in_memory("part", rows),), "tokenizer": (in_memory("all", model),)}
    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs("part", parts, scratch=Path(folder))
        encode = step.encode_documents if by_chunks else in_batches
        with mock.patch.object(step, "encode_documents", encode):
            _, seconds = timed(lambda: step.pack_tokens(inputs, step.PackConfig()))
        (shard,) = open_shards(Path(folder), ["train"]).shards
        return [digest_bytes(shard.tokens.tobytes())], seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--vocab-size", type=int, default=32_000)
    parser.add_argument("--corpus", nargs="*", default=list(CORPORA))
    parser.add_argument("--type", choices=("bpe", "unigram"), default="bpe")
    options = parser.parse_args()
    use_cache_dir(Path.home() / ".cache" / "millrace")
    texts = mixed(options.shared, options.corpus)
    learnt = next(blocks(texts[::-1], TRAINED_BYTES))
    data = train_sentencepiece(learnt, options.vocab_size, options.type)
    row = {"name": "tokenizer.model", "digest": digest_bytes(data), "data": data}
    model = pa.Table.from_pylist([row], TOKENIZERS)
    on_one_core()
    packed(model, ["compile é 中 ▁"], by_chunks=True)
    warm_encoders.WARM_ENCODERS = WarmEncoders()
    others = texts[: len(texts) - len(learnt)]
    num_parts = max(1, options.megabytes * 1_000_000 // PART_BYTES)
    spent, size = {True: 0.0, False: 0.0}, 0
    for part in islice(blocks(others, PART_BYTES), num_parts):
        size += sum(len(text.encode()) for text in part)
        digests = []
        for by_chunks in (False, True):
            found, seconds = packed(model, part, by_chunks)
            digests.append(found)
            spent[by_chunks] += seconds
        if digests[0] != digests[1]:
            raise SystemExit("the two ways gave other shards")
        before, after = (size / 1e6 / spent[by_chunks] for by_chunks in (False, True))
        print(f"{size / 1e6:6.0f} MB  {before:6.2f}  {after:6.2f} MB/s  {after / before:.2f} times")


if __name__ == "__main__":
    main()
