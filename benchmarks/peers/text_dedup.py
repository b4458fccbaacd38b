"""Run text-dedup's own MinHash over a Parquet file of texts; started with its own Python.

    .venv-peers-text-dedup/bin/python benchmarks/peers/text_dedup.py TEXTS ANSWERS

TEXTS has the columns ``id`` and ``text``. The command of the package is run as it is, one process,
with 14 bands of 8 rows of 5-word shingles, and the ids that it keeps are written. Printed as JSON
are the seconds of the command by the clock and of processor time (those of starting Python and
importing it apart), and the peak of memory in MiB of its largest process. One core is used.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import pyarrow.parquet as pq  # noqa: E402
from datasets import load_from_disk  # noqa: E402

OPTIONS = {"num_proc": 1, "ngram": 5, "min_length": 5, "num_perm": 112, "b": 14, "r": 8}


def run(*arguments: str) -> float:
    """Run the command; return its seconds."""
    command = [sys.executable, "-m", "text_dedup.minhash", *arguments]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=tempfile.gettempdir())
    return time.perf_counter() - started


def children() -> resource.struct_rusage:
    """Return what the processes started here have used."""
    return resource.getrusage(resource.RUSAGE_CHILDREN)


def main(source: Path, target: Path) -> dict[str, float]:
    """Write what is kept; return what it took."""
    start = run("--help")
    spent = children().ru_utime + children().ru_stime
    with tempfile.TemporaryDirectory() as folder:
        options = {
            **OPTIONS,
            "path": "parquet",
            "data_files": str(source),
            "split": "train",
            "cache_dir": f"{folder}/cache",
            "output": f"{folder}/kept",
            "column": "text",
        }
        given = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        seconds = run(*given)
        kept = load_from_disk(f"{folder}/kept").data.table.select(["id"])
        pq.write_table(kept, target)
    cpu = children().ru_utime + children().ru_stime - 2 * spent
    told = {"seconds": seconds - start, "start": start, "cpu_seconds": cpu}
    return told | {"peak_mib": children().ru_maxrss / 1024}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))))
