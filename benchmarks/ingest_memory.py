"""What memory reading a large file takes: a made file of JSON Lines, ingested by two workers.

    python -m benchmarks.ingest_memory --shared FOLDER [--gigabytes 10] [--folder DIR] [--gzip]

The file is made of sentences of real reviews, some 2,000 bytes a document, and lies in the folder
until it is read; so does the home, which needs about half as much room again. The run is a process
of its own, that of `store.runner` with the recipe's step and no contract; its resident memory and
that of its children are sampled ten times a second, and the highest sum counts.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO, cast

import psutil

from benchmarks.corpora import read_texts

_RUN = """
import sys
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.ingest import STEP
from store.graph import Node
from store.plan import plan_node
from store.runner import Runner
from store.storage import Storage

path, home, workers = sys.argv[1:]
storage = Storage(home)
plan = plan_node(storage, Node(STEP, IngestConfig("files", path=path), {}), {})
with Runner(storage, int(workers)) as runner:
    result = runner.run(plan)
kept = sum(part.rows.kept for part in result.dataset.parts)
print(f"{kept:,} documents in {len(result.dataset.parts)} partitions")
"""
_BLOCK_DOCUMENTS = 2000
_SENTENCES = 18


def make_file(path: Path, size_bytes: int, shared: Path) -> None:
    """Write documents of sentences, drawn with a fixed seed, until the file has its size."""
    reviews = read_texts("reviews", shared, 10_000)
    sentences = [one for text in reviews for one in re.split(r"(?<=[.!?])\s+", text) if one]
    encoded = [json.dumps(sentence)[1:-1] for sentence in sentences]
    generator, number, written = random.Random(7), 0, 0
    opened = (gzip.open if path.suffix == ".gz" else open)(path, "wb")
    with cast(BinaryIO, opened) as file:
        while written < size_bytes:
            lines = []
            for _ in range(_BLOCK_DOCUMENTS):
                text = " ".join(generator.choices(encoded, k=_SENTENCES))
                lines.append(f'{{"id": "{number}", "stars": {number % 10}, "text": "{text}"}}\n')
                number += 1
            block = "".join(lines).encode()
            file.write(block)
            written += len(block)


def peak_of(command: list[str]) -> tuple[int, str]:
    """Run a command; return the highest resident memory of it and its children, and its output."""
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                family = [watched, *watched.children(recursive=True)]
                peak = max(peak, sum(one.memory_info().rss for one in family))
            except psutil.NoSuchProcess:
                pass
            time.sleep(0.1)
        output = process.stdout.read() if process.stdout else ""
        if process.returncode:
            raise SystemExit(f"the run failed with {process.returncode}")
    return peak, output.strip()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--gigabytes", type=float, default=10.0)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--gzip", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="millrace-memory-", dir=options.folder))
    try:
        path = folder / ("texts.jsonl.gz" if options.gzip else "texts.jsonl")
        make_file(path, int(options.gigabytes * 1e9), options.shared)
        print(f"{path.name}: {path.stat().st_size / 1e9:.2f} GB", flush=True)
        started = time.perf_counter()
        arguments = [str(path), str(folder / "home"), str(options.workers)]
        peak, said = peak_of([sys.executable, "-c", _RUN, *arguments])
        seconds = time.perf_counter() - started
        print(f"{said}; {seconds:.0f} s, at most {peak / (1 << 20):.0f} MiB")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
