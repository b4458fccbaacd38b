"""Run rensa's own RMinHash over a Parquet file of texts; started with the peers' Python.

    .venv-peers/bin/python benchmarks/peers/rensa_signatures.py TEXTS

TEXTS has the columns ``text`` and ``shingles``, a list of 64-bit hashes of its five-word shingles.
Printed as JSON are the seconds of processor time that 112 permutations of all texts take, in its
fastest call for many texts: ``text`` divides them into words in Python first, ``strings`` is given
the shingles as strings, ``hashes`` those of TEXTS. One core is used.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import numpy as np  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from rensa import RMinHash  # noqa: E402

NUM_PERMUTATIONS, NUM_WORDS, SEED = 112, 5, 1
REPEATS = 3
WORD = re.compile(r"\w+")


def shingles_of(text: str) -> list[str]:
    """Return the runs of five words of a text in lower case, joined by spaces."""
    words = WORD.findall(text.lower())
    return [" ".join(words[place : place + NUM_WORDS])
            for place in range(len(words) - NUM_WORDS + 1)]  # fmt: skip


def timed(call: object) -> float:
    """Return the seconds of processor time of the fastest of some runs."""
    best = float("inf")
    for _ in range(REPEATS):
        started = time.process_time()
        call()  # type: ignore[operator]
        best = min(best, time.process_time() - started)
    return best


def main(source: Path) -> dict[str, float]:
    """Return the seconds of each way."""
    table = pq.read_table(source)
    texts = table["text"].to_pylist()
    strings = [shingles_of(text) for text in texts]
    column = table["shingles"].combine_chunks()
    hashes = column.values.to_numpy().astype(np.uint64)
    offsets = column.offsets.to_numpy().astype(np.uint64)
    tokens = RMinHash.digest_matrix_from_token_sets
    flat = RMinHash.digest_matrix_from_flat_token_hashes
    ways = {
        "text": lambda: tokens([shingles_of(text) for text in texts], NUM_PERMUTATIONS, SEED),
        "strings": lambda: tokens(strings, NUM_PERMUTATIONS, SEED),
        "hashes": lambda: flat(hashes, offsets, NUM_PERMUTATIONS, SEED),
    }
    return {name: timed(call) for name, call in ways.items()}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
