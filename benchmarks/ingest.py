"""What reading costs beside DuckDB: JSON Lines in gzip to Parquet, the same file, one thread each.

    python -m benchmarks.ingest FILE.jsonl.gz [--repeats 3]

Ours is the step's own function over the file and the writing of its rows: ids, hashes, cleaning,
quarantine. DuckDB's is ``COPY (SELECT … FROM read_json(…)) TO …`` of the same fields. The figures
are seconds of the processor, the least of some repeats taken in turns, so that other work on the
machine disturbs neither more than the other; beside their ratio stands the median of the turns'.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import duckdb

from data_contracts.documents import DOCUMENTS
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.ingest import STEP
from store.step import Inputs
from store.writer import write_rows


def read_ours(path: Path, target: Path) -> int:
    """Read a file as ingest does, write its rows, and return their number."""
    config = IngestConfig("files", path=str(path))
    assert STEP.list_parts is not None
    (part,) = STEP.list_parts(config)
    output = STEP.run(Inputs(part.key, source=part), config)
    return write_rows(output.rows, DOCUMENTS, target, None).num_rows


def read_duckdb(path: Path, target: Path) -> int:
    """Read a file with DuckDB alone, write its rows, and return their number."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        read = f"read_json('{path}', format = 'newline_delimited')"
        copy = f"COPY (SELECT * FROM {read}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
        found = connection.execute(copy).fetchone()
        return int(found[0]) if found else 0


def seconds_of(read: Callable[[Path, Path], int], path: Path, target: Path) -> float:
    """Return the seconds of the processor that one reading takes."""
    started = time.process_time()
    read(path, target)
    return time.process_time() - started


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    readers = {"Millrace": read_ours, "DuckDB": read_duckdb}
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "rows.parquet"
        num_rows = {name: read(options.file, target) for name, read in readers.items()}
        turns = [
            {name: seconds_of(read, options.file, target) for name, read in readers.items()}
            for _ in range(options.repeats)
        ]
    least = {name: min(turn[name] for turn in turns) for name in readers}
    for name, seconds in least.items():
        print(f"{name:<10} {num_rows[name]:>10,} rows  {seconds:8.2f} s")
    middle = median(turn["Millrace"] / turn["DuckDB"] for turn in turns)
    print(f"ratio {least['Millrace'] / least['DuckDB']:.2f}, median of turns {middle:.2f}")


if __name__ == "__main__":
    main()
