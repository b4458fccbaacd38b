"""Rows, padding and truncation of our packing plans beside OLMo-core's, and how long they take.

    make readers
    python -m benchmarks.packing --shared FOLDER [--room 256 1024 2048] [--made-up 10_000_000]

Only lengths count: the documents are the real reviews, encyclopedia articles and posts of FOLDER,
four bytes a token, BOS and EOS besides. OLMo-core's `pack_documents_into_instances` runs in the
readers' environment, a process of its own, on as many tokens in its layout: as it is (``truncate``)
and with ``fragment``. A row of either has room for ``--room`` tokens (a power of two, as OLMo-core
asks); ours reads all but the last of them and asks for all but the first. Seconds are of the
processor; OLMo-core's are with its search for documents.

*padding* is the share of places without a token, *lost* that of tokens in no row, *cut* that of the
documents with room in a row that are cut all the same.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.corpora import read_texts
from training.best_fit import Numbers
from training.config import PACKINGS
from training.packing import Plan, new_plan, padding_ratio

READERS = Path(__file__).resolve().parents[1] / ".venv-readers" / "bin" / "python"
CORPORA = ("reviews", "encyclopedia", "posts")
BYTES_PER_TOKEN = 4
EOS = 1

OLMO = """
import json, sys, time
import numpy as np
from olmo_core.data.types import LongDocStrategy
from olmo_core.data.utils import pack_documents_into_instances
started = time.process_time()
rows, bounds, total = pack_documents_into_instances(
    sys.argv[1], max_sequence_length=int(sys.argv[2]), eos_token_id=1, dtype=np.uint16,
    long_doc_strategy=LongDocStrategy[sys.argv[3]],
)
print(json.dumps([len(rows), int(total), time.process_time() - started]))
"""

COLUMNS = "{:28}{:>10}{:>10}{:>9}{:>9}{:>9}"


def offsets_of(folder: Path) -> Numbers:
    """Return where the real documents would begin in one stream of tokens, and its end."""
    texts = (text for name in CORPORA for text in read_texts(name, folder))
    lengths = [len(text.encode()) // BYTES_PER_TOKEN + 2 for text in texts]
    return np.cumsum([0, *lengths], dtype=np.int64)


def cut_ratio(plan: Plan, offsets: Numbers, room: int) -> float:
    """Return the share of the documents with room in a row that are in more than one."""
    lengths = np.diff(offsets)
    counts = np.zeros(len(lengths), np.int64)
    for row in range(plan.num_rows):
        starts, sizes = plan.pieces(row)
        documents = np.searchsorted(offsets, starts, side="right") - 1
        asking = (sizes > 1) | (lengths[documents] == 1)
        np.add.at(counts, documents[asking], 1)
    return float((counts[lengths <= room] > 1).mean())


def ours(packing: str, offsets: Numbers, room: int) -> str:
    """Return the line of one of our plans."""
    started = time.process_time()
    plan = new_plan(packing, offsets, room - 1, 0)
    seconds = time.process_time() - started
    padding = padding_ratio(plan, int(offsets[-1]), room - 1)
    lost = getattr(plan, "num_cut_tokens", 0) / int(offsets[-1])
    cut = cut_ratio(plan, offsets, room)
    return line(f"millrace {packing}", plan.num_rows, padding, lost, cut, seconds)


def olmo(strategy: str, file: Path, num_tokens: int, room: int) -> str:
    """Return the line of OLMo-core's packing; it cuts no document that fits a row."""
    command = [str(READERS), "-c", OLMO, str(file), str(room), strategy]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows, total, seconds = json.loads(done.stdout.splitlines()[-1])
    padding, lost = 1 - total / (rows * room), 1 - total / num_tokens
    return line(f"OLMo-core {strategy}", rows, padding, lost, 0.0, seconds)


def line(name: str, rows: int, padding: float, lost: float, cut: float, seconds: float) -> str:
    """Return one line of the table."""
    shares = (f"{100 * share:.3f} %" for share in (padding, lost, cut))
    return COLUMNS.format(name, f"{rows:,}", *shares, f"{seconds:.2f} s")


def compare(offsets: Numbers, room: int) -> None:
    """Print the table of one size of rows."""
    num_tokens = int(offsets[-1])
    print(f"\n{len(offsets) - 1:,} documents, {num_tokens:,} tokens, rows of {room}")
    print(COLUMNS.format("", "rows", "padding", "lost", "cut", "time"))
    for packing in PACKINGS:
        print(ours(packing, offsets, room))
    if not READERS.exists():
        print("OLMo-core is not here: make readers")
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tokens.npy"
        tokens = np.full(num_tokens, 5, np.uint16)
        tokens[offsets[1:] - 1] = EOS
        tokens.tofile(file)
        for strategy in ("truncate", "fragment"):
            print(olmo(strategy, file, num_tokens, room))


def main() -> None:
    """Print a table for each size of rows, and the time of plans of made-up documents."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--room", type=int, nargs="+", default=[256, 1024, 2048])
    parser.add_argument("--made-up", type=int, default=0, help="documents, median 330 tokens")
    options = parser.parse_args()
    offsets = offsets_of(options.shared)
    for room in options.room:
        compare(offsets, room)
    if options.made_up:
        draw = np.random.default_rng(0)
        lengths = np.maximum(2, draw.lognormal(5.8, 1.2, options.made_up)).astype(np.int64)
        made_up = np.cumsum([0, *lengths], dtype=np.int64)
        for room in options.room:
            started = time.process_time()
            plan = new_plan("best_fit", made_up, room - 1, 0)
            seconds = time.process_time() - started
            print(f"\n{options.made_up:,} made-up documents: {plan.num_rows:,} rows of {room}, "
                  f"{seconds:.1f} s")  # fmt: skip


if __name__ == "__main__":
    main()
