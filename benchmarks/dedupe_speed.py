"""What signatures and kept sets cost, beside datatrove, rensa and text-dedup, one core each.

Signatures are timed by processor time, so that what else runs on the machine counts little. *Own*
is the package's word rule with 14 bands of 8 rows, *exact* its dialect of datatrove with spaCy's
words. Ours and rensa's are the fastest of some runs, datatrove's is one run. Where shingles are
given, dividing texts into words is left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.corpora import read_texts
from pipelines.kernels.datatrove_minhash import datatrove_shingles, datatrove_signatures
from pipelines.kernels.decoded import text_batch
from pipelines.kernels.minhash import FINEWEB, band_keys
from pipelines.kernels.shingles import Shingles, text_shingles

ROOT = Path(__file__).parent.parent
CORPORA = ("docstrings", "reviews", "encyclopedia")
REPEATS = 5
FEW = 20  # texts, for compiling
BEFORE = ("ingest", "compute_signals", "apply_policy")  # the neighbours do nothing of the kind


class Peers(NamedTuple):
    """The interpreters that have the neighbours: datatrove and rensa, and text-dedup."""

    python: Path = ROOT / ".venv-peers" / "bin" / "python"
    text_dedup: Path = ROOT / ".venv-peers-text-dedup" / "bin" / "python"


class Kept(NamedTuple):
    """What it took to come from texts to those that are kept, and the numbers of these."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    kept: list[int]
    stages: dict[str, float]  # processor time of each, where it is known


def print_signatures(folder: Path, shared: Path, num_texts: int, peers: Peers) -> None:
    """Print documents per second of each way of signing, for each corpus."""
    corpora = {name: read_texts(name, shared, num_texts) for name in CORPORA}
    seconds = {
        name: _signing_seconds(texts, folder, peers.python) for name, texts in corpora.items()
    }
    heading = [
        f"{name}: {len(texts):,} of {sum(len(t.encode()) for t in texts) / len(texts):,.0f} bytes"
        for name, texts in corpora.items()
    ]
    print("\nDocuments per second of one core, and how many times that of datatrove.\n")
    print(f"| signatures | {' | '.join(heading)} |")
    print("| --- |" + " --: |" * len(heading))
    for way in next(iter(seconds.values())):
        cells = [
            f"{len(corpora[name]) / of[way]:,.0f} (×{of['datatrove, default'] / of[way]:,.1f})"
            for name, of in seconds.items()
        ]
        print(f"| {way} | {' | '.join(cells)} |")


def _signing_seconds(texts: Sequence[str], folder: Path, peers: Path) -> dict[str, float]:
    """Return the seconds of each way of signing some texts."""
    array = pa.array(texts, pa.string())
    shingles = text_shingles(text_batch(array).codes)
    seconds = {
        "own": _fastest(lambda: band_keys(text_shingles(text_batch(array).codes), FINEWEB)),
        "exact, default hash": _fastest(lambda: _exact(array, "xxhash64")),
        "exact, SHA-1": _fastest(lambda: _exact(array, "sha1-64")),
        "own, shingles given": _fastest(lambda: band_keys(shingles, FINEWEB)),
    }
    source = write_texts(texts, folder, shingles)
    rensa = told_by(peer(peers, "rensa_signatures.py", source))
    datatrove = told_by(peer(peers, "datatrove_minhash.py", "signatures", source, "none"))
    return seconds | {
        "datatrove, default": datatrove["default"],
        "datatrove, SHA-1": datatrove["sha1-64"],
        "rensa, words divided in Python": rensa["text"],
        "rensa, shingles given as strings": rensa["strings"],
        "rensa, shingles given as hashes": rensa["hashes"],
    }


def _exact(texts: pa.Array, hash_name: str) -> None:
    shingles = datatrove_shingles(text_batch(texts).codes, hash_name)  # type: ignore[arg-type]
    datatrove_signatures(shingles, hash_name)  # type: ignore[arg-type]


def _fastest(call: Callable[[], object]) -> float:
    """Return the seconds of processor time of the fastest run after one that compiles."""
    call()
    best = float("inf")
    for _ in range(REPEATS):
        started = time.process_time()
        call()
        best = min(best, time.process_time() - started)
    return best


def print_kept(
    folder: Path, shared: Path, num_texts: int, peers: Peers, cache: Path, verify: str
) -> None:
    """Print time, memory and number of kept texts of each system, of film reviews."""
    texts = read_texts("reviews", shared, num_texts)
    source = write_texts(texts, folder)
    answers = folder / "kept.parquet"
    datatrove = peer(peers.python, "datatrove_minhash.py", "kept", source, answers)
    text_dedup = peer(peers.text_dedup, "text_dedup.py", source, answers)
    systems: dict[str, Callable[[], Kept]] = {
        "datatrove, four stages": lambda: _kept(answers, datatrove),
        "text-dedup, minhash": lambda: _kept(answers, text_dedup),
        f"millrace, {verify}": lambda: ours_to_kept_set(source, answers, cache, verify),
    }
    compile_kernels(folder / "few", texts[:FEW], cache, verify)
    print(f"\nFrom texts to kept texts, {len(texts):,} film reviews, one core.\n")
    print("| system | seconds | of processor | times datatrove, of processor | peak MiB | kept |")
    print("| --- | --: | --: | --: | --: | --: |")
    first: Kept | None = None
    for name, system in systems.items():
        of = system()
        first = first or of
        cells = (f"{of.seconds:,.1f}", f"{of.cpu_seconds:,.1f}",
                 f"{first.cpu_seconds / of.cpu_seconds:,.1f}", f"{of.peak_mib:,.0f}",
                 f"{len(of.kept):,}")  # fmt: skip
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    deduping = sum(seconds for stage, seconds in of.stages.items() if stage not in BEFORE)
    times = first.cpu_seconds / deduping if first and deduping else 0.0
    told = f"{deduping:,.1f} s of processor, {times:,.1f} times datatrove"
    print(f"\nMillrace from documents to choices, without {', '.join(BEFORE)}: {told}.")


def compile_kernels(folder: Path, texts: Sequence[str], cache: Path, verify: str) -> None:
    """Fill the cache of compiled kernels, as once on each machine: compiling takes 300 MiB."""
    folder.mkdir()
    ours_to_kept_set(write_texts(texts, folder), folder / "kept.parquet", cache, verify)


def ours_to_kept_set(source: Path, answers: Path, cache: Path, verify: str) -> Kept:
    """Return what the real steps from texts to the choice take (`benchmarks.dedupe_steps`)."""
    arguments = [str(source), str(answers), str(cache), verify]
    return _kept(answers, [sys.executable, "-m", "benchmarks.dedupe_steps", *arguments])


def write_texts(texts: Sequence[str], folder: Path, shingles: Shingles | None = None) -> Path:
    """Write texts with their numbers as ids, and their shingles, for a peer to read."""
    columns = {"id": pa.array([str(number) for number in range(len(texts))]), "text": texts}
    if shingles is not None:
        hashes = pa.array(shingles.hashes)
        columns["shingles"] = pa.LargeListArray.from_arrays(shingles.offsets, hashes)
    path = folder / f"texts{'' if shingles is None else '_shingles'}.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def told_by(command: Sequence[str]) -> dict:
    """Run a command from the root of the project; return what it tells in its last line."""
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def peer(python: Path, script: str, *arguments: object) -> list[str]:
    """Return the command that runs a script of `benchmarks/peers`."""
    return [str(python), str(ROOT / "benchmarks" / "peers" / script), *map(str, arguments)]


def _kept(answers: Path, command: Sequence[str]) -> Kept:
    told = told_by(command)
    kept = [int(number) for number in pq.read_table(answers)["id"].to_pylist()]
    stages = told.get("stages", {})
    return Kept(told["seconds"], told["cpu_seconds"], told["peak_mib"], sorted(kept), stages)


def on_one_core() -> None:
    """Keep this process and its threads on one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
