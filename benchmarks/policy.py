"""What deciding costs: a policy over ten million rows of signals, and what a new threshold re-runs.

    python -m benchmarks.policy [--rows 10000000] [--dialect NAME …]

Writes signals in partitions of 140,000 rows (128 MiB of text of 950 bytes each), drawn at random so
that about a third of them is dropped, then runs the step's own function over all of them on as many
threads as there are cores: reading the columns that rules mention, deciding, and the rows with
reason and values of each document, as the runner would get them. Writing them is shown apart.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.documents import DECISIONS
from pipelines.apply_policy import PolicyConfig, apply_policy, signals_asked
from pipelines.signals.registry import ALL_SIGNALS
from store.step import Inputs
from store.writer import write_rows

ROWS_PER_PART = 140_000


@dataclass
class FilePart:
    """A partition of signals in a file: as much of `store.step.Part` as deciding asks for."""

    key: str
    path: Path
    num_rows: int

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read some columns."""
        return pq.read_table(self.path, columns=list(columns or ()) or None, use_threads=False)


def write_parts(folder: Path, names: Sequence[str], num_rows: int) -> list[FilePart]:
    """Write partitions of random signals: counts up to 3,000, shares below a tenth."""
    parts = []
    fields = [ALL_SIGNALS.field(name) for name in names]
    for start in range(0, num_rows, ROWS_PER_PART):
        draw = np.random.default_rng(start)
        size = min(ROWS_PER_PART, num_rows - start)
        columns = {"doc_id": pa.array([f"{start + row:032x}" for row in range(size)])}
        for field in fields:
            is_count = pa.types.is_integer(field.type)
            values = draw.integers(0, 3000, size) if is_count else draw.random(size) * 0.1
            columns[field.name] = pa.array(values, field.type)
        for name in ("mean_word_chars", "alphabetic_words_ratio"):
            if name in columns:
                columns[name] = pa.array(columns[name].to_numpy() * 50)
        path = folder / f"part-{start:09d}.parquet"
        pq.write_table(pa.table(columns), path, compression="zstd")
        parts.append(FilePart(path.stem, path, size))
    return parts


def decide(part: FilePart, config: PolicyConfig) -> pa.Table:
    """Run the step over one partition."""
    rows = apply_policy(Inputs(part.key, {"signals": (part,)}), config).rows
    assert isinstance(rows, pa.Table)
    return rows


def main() -> None:
    """Print seconds and rows per second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--dialect", nargs="+", default=["gopher@millrace-1"])
    options = parser.parse_args()
    config = PolicyConfig(use=tuple(options.dialect))
    names = sorted({name for names in signals_asked(config.all_rules()) for name in names})
    with tempfile.TemporaryDirectory() as folder:
        parts = write_parts(Path(folder), names, options.rows)
        size = sum(part.path.stat().st_size for part in parts)
        print(f"{options.rows:,} rows of {len(names)} signals, {size / 1e6:,.0f} MB of Parquet")
        decide(parts[0], config)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            started, used = time.perf_counter(), time.process_time()
            dropped = sum(pool.map(lambda part: count_dropped(decide(part, config)), parts))
            seconds, used = time.perf_counter() - started, time.process_time() - used
            started = time.perf_counter()
            sum(pool.map(lambda part: write(part, config, Path(folder)), parts))
            with_writing = time.perf_counter() - started
        print(f"decided  {seconds:6.2f} s  {options.rows / seconds / 1e6:5.1f} million rows/s")
        print(f"computed {used:6.2f} s  of CPU while deciding, all threads together")
        print(f"written  {with_writing:6.2f} s  with digests and Parquet")
        print(f"dropped  {dropped:,} ({dropped / options.rows:.0%})")


def count_dropped(rows: pa.Table) -> int:
    """Return how many documents a table of decisions drops."""
    return pa.compute.sum(pa.compute.invert(rows["keep"])).as_py()


def write(part: FilePart, config: PolicyConfig, folder: Path) -> int:
    """Decide and write as the runner does."""
    return write_rows(decide(part, config), DECISIONS, folder / f"{part.key}.out", None).num_rows


if __name__ == "__main__":
    main()
