"""Run datatrove's own MinHash over a Parquet file of texts; started with the peers' Python.

    .venv-peers/bin/python benchmarks/peers/datatrove_minhash.py signatures|kept TEXTS ANSWERS

TEXTS has the columns ``id`` (string) and ``text``. ``signatures`` asks ``MinhashDedupSignature``
for the signature of each text, by its default hash and by SHA-1 of 64 bits, as FineWeb was made;
files are left out. ``kept`` runs the four stages (signatures, buckets, clusters, filter) with the
local executor, one worker, from Parquet to Parquet, and writes the ids that it keeps. Printed as
JSON are the seconds: of processor time for signatures, by the clock for stages, and the processor
time and the peak of memory in MiB of all of them. One core is used.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

from datatrove.executor.local import LocalPipelineExecutor  # noqa: E402
from datatrove.pipeline.dedup.minhash import (  # noqa: E402
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.readers import ParquetReader  # noqa: E402
from datatrove.pipeline.writers import ParquetWriter  # noqa: E402
from datatrove.utils.hashing import HashConfig  # noqa: E402
from datatrove.utils.logging import logger  # noqa: E402

HASHES = {"default": HashConfig(), "sha1-64": HashConfig(precision=64, hash_fc="sha1")}


def sign(texts: list[str], hashing: HashConfig) -> float:
    """Return the seconds that the signatures of some texts take; words are loaded before."""
    with tempfile.TemporaryDirectory() as folder:
        step = MinhashDedupSignature(folder, MinhashConfig(hash_config=hashing))
        step.get_signature(step.get_shingles("Load the words of the language before the clock."))
        started = time.process_time()
        for text in texts:
            shingles = step.get_shingles(text)
            if shingles.size:
                step.get_signature(shingles)
        return time.process_time() - started


def keep(source: Path, folder: Path) -> dict[str, float]:
    """Run the four stages; return the seconds of each."""
    config = MinhashConfig()
    signatures, buckets, clusters, kept = (
        str(folder / name) for name in ("signatures", "buckets", "clusters", "kept")
    )
    reader = ParquetReader(str(source.parent), glob_pattern=source.name)
    stages = {
        "signature": (1, [reader, MinhashDedupSignature(signatures, config)]),
        "buckets": (config.num_buckets, [MinhashDedupBuckets(signatures, buckets, config=config)]),
        "cluster": (1, [MinhashDedupCluster(buckets, clusters, config=config)]),
        "filter": (1, [reader, MinhashDedupFilter(clusters), ParquetWriter(kept)]),
    }
    seconds = {}
    for name, (tasks, pipeline) in stages.items():
        started = time.perf_counter()
        LocalPipelineExecutor(
            pipeline, tasks=tasks, workers=1, logging_dir=str(folder / "logs" / name)
        ).run()
        seconds[name] = time.perf_counter() - started
    return seconds


def main(mode: str, source: Path, target: Path) -> dict[str, object]:
    """Do what a mode asks; return what is to be told."""
    logger.remove()
    if mode == "signatures":
        texts = pq.read_table(source)["text"].to_pylist()
        return {name: sign(texts, hashing) for name, hashing in HASHES.items()}
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        stages = keep(source, Path(folder))
        kept = [pq.read_table(path, columns=["id"]) for path in Path(folder, "kept").glob("*")]
    pq.write_table(pa.concat_tables(kept), target)
    status = Path("/proc/self/status").read_text()  # ru_maxrss begins at that of the parent
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024
    told = {"seconds": sum(stages.values()), "stages": stages, "peak_mib": peak}
    return told | {"cpu_seconds": time.process_time() - started}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
