"""What learning a tokenizer costs, in time and memory: the coefficients of its estimate.

    python -m benchmarks.train_tokenizer --shared FOLDER [--megabytes 2 8 24] [--vocab-size 16000]
        [--types bpe unigram] [--threads 1 2]

FOLDER holds the public collections that `benchmarks.corpora` reads; their documents are mixed at
random (seed 0), and each model learns from the first so many megabytes in a process of its own.
Told are processor seconds of all threads, seconds on the clock, and the most memory that the
process had beyond what it had before it began. `pipelines.tokenizer.estimate` has the coefficients.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.corpora import CORPORA
from benchmarks.tokenize import mixed
from pipelines.tokenizer.estimate import estimate
from pipelines.tokenizer.sample import Lines
from pipelines.tokenizer.train_tokenizer import TokenizerConfig, train_model
from store.peak_memory import peak_bytes

CORPORA_USED = ("reviews", "encyclopedia", "chinese", "posts", "books")


def measured(texts: Sequence[str], config: TokenizerConfig) -> tuple[float, float, int]:
    """Return processor seconds, seconds and bytes of memory that learning took."""
    receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)
    if os.fork() == 0:
        before = _resident_bytes()
        started, used = time.monotonic(), time.process_time()
        train_model(Lines(texts), config)
        used, seconds = time.process_time() - used, time.monotonic() - started
        most = peak_bytes()
        sender.send((used, seconds, most - before))
        os._exit(0)
    sender.close()
    found = receiver.recv()
    os.wait()
    return found


def _resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def first_bytes(texts: Sequence[str], size_bytes: int) -> list[str]:
    """Return the first documents, of so many bytes together."""
    chosen, held = [], 0
    for text in texts:
        if held >= size_bytes:
            break
        chosen.append(text)
        held += len(text.encode())
    return chosen


def main() -> None:
    """Measure each combination and print it beside what was estimated."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--corpus", nargs="+", choices=CORPORA, default=CORPORA_USED)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[2, 8, 24])
    parser.add_argument("--vocab-size", type=int, default=16_000)
    parser.add_argument("--types", nargs="+", default=["bpe", "unigram"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    texts = mixed(options.shared, options.corpus)
    print("type     threads   MB    cpu s  seconds  estimate  memory MB  estimate", flush=True)
    for megabytes in options.megabytes:
        sample = first_bytes(texts, megabytes * 1_000_000)
        for model_type in options.types:
            for num_threads in options.threads:
                config = TokenizerConfig(
                    vocab_size=options.vocab_size, model_type=model_type, num_threads=num_threads
                )
                used, seconds, memory = measured(sample, config)
                told = estimate(model_type, megabytes * 1_000_000)
                print(
                    f"{model_type:8} {num_threads:7} {megabytes:4} {used:8.1f} {seconds:8.1f} "
                    f"{told.seconds:9.1f} {memory / 1e6:10.0f} {told.memory_bytes / 1e6:9.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
