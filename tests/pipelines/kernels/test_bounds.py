"""The kernels under numba's bounds checks, on bytes that are no UTF-8 at all."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
OWN_TESTS = (  # of kernels that the program does not reach
    "chunk_table",
    "chunks",
    "cuts",
    "datatrove_minhash",
    "heldout_index",
    "line_forms",
    "merges",
    "nearest_heldout",
    "shingle_matches",
    "window_copies",
    "winnowing",
)
PROGRAM = """
import random, sys
import numpy as np, pyarrow as pa
from pipelines.compute_signals import measure_texts
from pipelines.dedupe.measures import compare_texts
from pipelines.dedupe.normalise import hash_normalised
from pipelines.signals.family import SignalsConfig

rng = random.Random(7)
edges = [0x0A, 0x0D, 0x20, 0x2E, 0x41, 0x80, 0xBF, 0xC2, 0xE2, 0x80, 0xA6, 0xED, 0xF0, 0xF4, 0xFF]
raws = [b"", b"\\xf0", b"\\xe2\\x80", b"a\\xc2", b"\\r", b"...", b"..", b"\\n\\n"]
raws += [bytes(rng.choices(edges, k=rng.randrange(40))) for _ in range(3000)]
raws += [("Ⱥ" * rng.randrange(50)).encode() for _ in range(100)]
raws += [b"a\\nb\\n" * 40, b"\\xf0"]  # the last one ends where the buffer ends
offsets = np.cumsum([0, *map(len, raws)]).astype(np.int32)
buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(b"".join(raws))]
texts = pa.Array.from_buffers(pa.string(), len(raws), buffers)
signals = measure_texts(texts, SignalsConfig())
expected = [len(raw.decode("utf-8", "surrogateescape")) for raw in raws]
assert signals["num_chars"].to_pylist() == expected
assert len(hash_normalised(texts)) == len(raws)
lines = ["By Ann Lee", "Share", "Home", "OSLO (AP) - It rained", "12", "Sign in", "May 3, 2004"]
told = ["the hills were green and cows", "stood there all morning, wondering", "at 5 trains."]
def drawn():
    parts = rng.choices(lines, k=rng.randrange(6)) + told * rng.randrange(4)
    if rng.random() < 0.5:
        parts[rng.randrange(len(parts) + 1):0] = rng.choices(lines + told, k=3)
    return "\\n".join(parts + rng.choices(lines, k=rng.randrange(6)))
pages = [drawn() for _ in range(600)]
decoded = pa.array([raw.decode("utf-8", "replace") for raw in raws] + pages)
others = pa.array([*decoded.to_pylist()[:len(raws)], *pages[1:], pages[0]])
pairs = compare_texts(decoded, others)
assert max(pairs["core_words"].to_pylist()) > 8 and max(pairs["left_lost"].to_pylist()) > 3
print(len(raws))
"""


@pytest.mark.slow
def test_no_kernel_reads_or_writes_outside_its_arrays(tmp_path):
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 3000


@pytest.mark.slow
def test_kernels_keep_their_bounds_in_their_own_tests():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    files = [str(FOLDER / f"test_{name}.py") for name in OWN_TESTS]
    done = subprocess.run(
        [*command, *files],
        env={**os.environ, "NUMBA_BOUNDSCHECK": "1"},
        cwd=FOLDER.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed
    assert int(passed[1]) > 100
