"""What holding contracts costs, beside the steps whose datasets they are of.

    python benchmarks/contracts.py --rows 1000000 [--folder FOLDER]

Writes that many short documents (about a twentieth of them repeated) in files of 200,000, runs the
recipe my-text on them without contracts, then holds each step's dataset against its shipped
contract: with nothing known, with the partitions known (as most are in a night), with all known.
The limit is max(2 s, 5 % of the step's seconds); the import of Great Expectations, once per
process, is shown apart. The same folder goes on from the run that it holds.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

from catalog.contracts.check import check_dataset
from catalog.contracts.findings import FOLDER, PARTITIONS_FOLDER
from catalog.contracts.subject import DATASETS, Subject, subject_of
from catalog.opened import OpenedRun
from data_contracts.contract import Contract
from data_contracts.gate import Expectation, judge
from data_contracts.read_contract import load_contract
from flows.api import run_order
from flows.session import Order
from store.datasets import Dataset
from store.runs import get_run
from store.storage import Storage

ROWS_PER_FILE = 200_000  # 75 MB, about half of what a partition is meant to be
WORDS = """
the of and to in that is was for on with as his they at be this from have or by one had not but what
all were when we there can an your which their said if do will each about how up out them then she
many some so these would other into has more her two like him see time could river mill wheel water
grain stone flour sack cart road village market morning evening
""".split()  # noqa: SIM905 (lines of words are read as lines)


def write_texts(folder: Path, num_rows: int) -> None:
    """Write JSON lines, the same ones for the same number."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(7)
    for start in range(0, num_rows, ROWS_PER_FILE):
        path = folder / f"texts-{start:09d}.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for number in range(start, min(start + ROWS_PER_FILE, num_rows)):
                seed = number // 2 if draw.random() < 0.05 else number
                words = random.Random(seed).choices(WORDS, k=25 + seed % 50)
                file.write(json.dumps({"id": str(number), "text": " ".join(words) + "."}) + "\n")


def subjects(home: str) -> list[tuple[str, float, Subject, Contract]]:
    """Return each dataset of the run that has a contract, with the seconds of its step."""
    storage = Storage(home)
    opened = OpenedRun(storage, get_run(storage, None))
    found, before = [], {}
    for step in opened.steps():
        dataset = opened.dataset(step)
        if step in DATASETS:
            record = opened.run.step(step)
            subject = subject_of(storage, dataset, before, dataset_before(dataset))
            seconds = record.seconds if record else 0.0
            found.append((step, seconds, subject, load_contract(DATASETS[step])))
        before[step] = dataset
    return found


def dataset_before(dataset: Dataset) -> Dataset | None:
    """Return all partitions but the last as the baseline, as the night before would have had."""
    return Dataset(dataset.step, dataset.parts[:-1]) if len(dataset.parts) > 1 else None


def timed(storage: Storage | None, subject: Subject, contract: Contract) -> tuple[float, str]:
    """Return the seconds of a check and what it came to."""
    started = time.perf_counter()
    result = check_dataset(storage, subject, contract)
    return time.perf_counter() - started, f"{result.state}, {result.summary()}"


def forget(home: str, last_only: bool) -> None:
    """Remove what is known of contracts: all, or all but the findings of single partitions."""
    for folder in (FOLDER, "checks/contracts", *([] if last_only else [PARTITIONS_FOLDER])):
        for path in (Path(home) / folder).rglob("*.json"):
            path.unlink()


def import_seconds() -> float:
    """Import Great Expectations and judge nothing much."""
    import pyarrow as pa

    started = time.perf_counter()
    kwargs = {"column": "x", "value_set": [1]}
    judge(pa.table({"x": [1]}), [Expectation("x", "expect_column_values_to_be_in_set", kwargs)])
    return time.perf_counter() - started


def main() -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    folder = Path(options.folder or tempfile.mkdtemp(prefix="millrace-contracts-"))
    home = str(folder / "home")
    if not (folder / "texts").exists():
        write_texts(folder / "texts", options.rows)
    settings = (f"ingest.path={folder / 'texts'}", "contracts.enabled=false")
    if not (folder / "home" / "runs").exists():
        run_order(Order("my-text", home, "bench", settings))
    print(f"import of Great Expectations: {import_seconds():.1f} s")
    print(f"{'step':20} {'step s':>8} {'limit s':>8} {'new s':>7} {'night s':>8} {'known s':>8}")
    for step, seconds, subject, contract in subjects(home):
        storage = Storage(home)
        forget(home, last_only=False)
        new, said = timed(storage, subject, contract)
        forget(home, last_only=True)
        night, _ = timed(storage, subject, contract)
        known, _ = timed(storage, subject, contract)
        limit = max(2.0, 0.05 * seconds)
        verdict = "" if new <= limit else "  OVER"
        print(
            f"{step:20} {seconds:8.1f} {limit:8.2f} {new:7.2f} {night:8.2f} {known:8.3f}"
            f"{verdict}  {said}",
            flush=True,
        )


if __name__ == "__main__":
    main()
