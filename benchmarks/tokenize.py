"""What ids cost: SentencePiece's batch encode, Hugging Face's tokenizers, and ours, on one core.

    python -m benchmarks.tokenize --shared FOLDER [--megabytes 250] [--vocab-size 32000]
        [--corpus NAME …] [--type bpe] [--without-tokenizers]

FOLDER holds the public collections that `benchmarks.corpora` reads. Their documents are mixed at
random (seed 0), models are trained on the last 20 MB, and every system gets the same others in the
same blocks of 5 MB one after the other, so that what else runs on the machine slows all of them.
Told is processor time: making Arrow arrays, lists of texts and models is left out, reading ids out
of what each system returns too. Our table is empty at first; ids are compared with SentencePiece's,
document by document. `tokenizers` is no dependency of ours: install it beside, or leave it out.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from benchmarks.corpora import CORPORA, read_texts
from benchmarks.dedupe_speed import on_one_core
from pipelines.kernels.cache import use_cache_dir
from pipelines.tokenizer.sample import MAX_LINE_BYTES, Lines

BLOCK_BYTES = 5_000_000
TRAINED_BYTES = 20_000_000
FIRST_BLOCKS = 2
OURS, SENTENCEPIECE, TOKENIZERS = "millrace", "SentencePiece encode", "tokenizers encode_batch_fast"


def train_sentencepiece(texts: Sequence[str], vocab_size: int, model_type: str) -> bytes:
    """Return a model with the options of `train_tokenizer`."""
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(Lines(texts)),
        model_writer=model,
        model_type=model_type,
        vocab_size=vocab_size,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        allow_whitespace_only_pieces=True,
        user_defined_symbols=["\n", "\t"],
        max_sentence_length=MAX_LINE_BYTES,
        minloglevel=2,
    )
    return model.getvalue()


def train_tokenizers(texts: Sequence[str], vocab_size: int) -> Callable[[list[str]], list]:
    """Return how a byte-level BPE of Hugging Face encodes texts."""
    from tokenizers import ByteLevelBPETokenizer, Tokenizer

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(texts, vocab_size=vocab_size, show_progress=False)
    fast = Tokenizer.from_str(trained.to_str())
    return lambda block: fast.encode_batch_fast(block, add_special_tokens=False)


def mixed(folder: Path, corpora: Sequence[str]) -> list[str]:
    """Return the documents of some corpora in a random order, always the same."""
    texts = [text for name in corpora for text in read_texts(name, folder)]
    random.Random(0).shuffle(texts)
    return texts


def blocks(texts: Sequence[str], size_bytes: int) -> Iterator[list[str]]:
    """Yield documents in runs of about so many bytes."""
    block: list[str] = []
    held = 0
    for text in texts:
        block.append(text)
        held += len(text.encode())
        if held >= size_bytes:
            yield block
            block, held = [], 0
    if block:
        yield block


def timed(call: Callable[[], object]) -> tuple[object, float]:
    """Return what a call returns, and its seconds of processor time."""
    started = time.process_time()
    result = call()
    return result, time.process_time() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--megabytes", type=int, default=250)
    parser.add_argument("--vocab-size", type=int, default=32_000)
    parser.add_argument("--corpus", nargs="*", default=list(CORPORA))
    parser.add_argument("--type", choices=("bpe", "unigram"), default="bpe")
    parser.add_argument("--without-tokenizers", action="store_true")
    options = parser.parse_args()
    os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    use_cache_dir(Path.home() / ".cache" / "millrace")
    texts = mixed(options.shared, options.corpus)
    learnt = next(blocks(texts[::-1], TRAINED_BYTES))
    model = train_sentencepiece(learnt, options.vocab_size, options.type)
    fast = None
    if not options.without_tokenizers:
        fast = train_tokenizers(learnt, options.vocab_size)
    on_one_core()
    measure(texts[: len(texts) - len(learnt)], model, fast, options.megabytes)


def measure(
    texts: Sequence[str],
    model: bytes,
    fast: Callable[[list[str]], list] | None,
    megabytes: int,
) -> None:
    """Encode block after block with each system, and print a table."""
    from pipelines.tokenizer.encoder import ChunkEncoder

    ChunkEncoder(model).encode(pa.array(["compile é 中"]))
    encoder = ChunkEncoder(model)
    oracle = SentencePieceProcessor(model_proto=model)
    seconds: dict[str, list[float]] = {OURS: [], SENTENCEPIECE: [], TOKENIZERS: []}
    sizes: list[int] = []
    different = num_tokens = num_texts = 0
    for block in blocks(texts, BLOCK_BYTES):
        array = pa.array(block, pa.large_string())
        ours, spent = timed(lambda array=array: encoder.encode(array))
        seconds[OURS].append(spent)
        theirs, spent = timed(
            lambda block=block: oracle.encode(block, return_type="numpy", num_threads=1)
        )
        seconds[SENTENCEPIECE].append(spent)
        if fast is not None:
            seconds[TOKENIZERS].append(timed(lambda block=block: fast(block))[1])
        sizes.append(sum(len(text.encode()) for text in block))
        num_tokens += ours.ids.size
        num_texts += len(block)
        for (start, end), ids in zip(pairwise(ours.offsets), theirs, strict=True):
            different += not np.array_equal(ours.ids[start:end], ids)
        if sum(sizes) >= megabytes * 1_000_000:
            break
    print_table(seconds, sizes)
    print(
        f"\n{num_texts:,} documents, {sum(sizes) / 1e6:,.1f} MB, {sum(sizes) / num_tokens:.2f} "
        f"bytes per token; {different:,} documents with other ids; {encoder.num_whole:,} "
        f"encoded whole; {encoder.num_chunks:,} chunks, {encoder.num_new:,} of them new and "
        f"{encoder.num_searched:,} searched with the sum before; the table takes "
        f"{encoder.table_bytes / 2**20:,.0f} MiB."
    )


def print_table(seconds: dict[str, list[float]], sizes: Sequence[int]) -> None:
    """Print the speed of each system over the first blocks, the last ones and all."""
    spans = {
        "first 10 MB": slice(FIRST_BLOCKS),
        "last 10 MB": slice(-FIRST_BLOCKS, None),
        "all": slice(None),
    }
    print(f"\n| MB/s of one core | {' | '.join(spans)} | times, all |")
    print("| --- | --: | --: | --: | --: |")
    mine = sum(seconds[OURS])
    for system, spent in seconds.items():
        if spent:
            speeds = [f"{sum(sizes[s]) / 1e6 / sum(spent[s]):,.2f}" for s in spans.values()]
            print(f"| {system} | {' | '.join(speeds)} | {sum(spent) / mine:,.1f} |")


if __name__ == "__main__":
    main()
