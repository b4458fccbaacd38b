"""The kernels of encoding under numba's bounds checks, on hostile texts and of both model types."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import random, sys
sys.path[:0] = sys.argv[1:3]
import pyarrow as pa
from models import train
from pipelines.tokenizer import encoder as module

module.PORTION, module._FEWEST_SLOTS = 37, 128
rng = random.Random(7)
alphabet = ["a", "b", " ", "  ", "\\u2581", "\\n", "\\u00e9", "\\u4e2d", "\\U0010ffff", "self"]
texts = ["", "\\U0010ffff", "\\u2581", "a" * 300, " " * 256, "self" * 64]
texts += ["".join(rng.choices(alphabet, k=rng.randrange(30))) for _ in range(1500)]
for model_type in ("bpe", "unigram"):
    for dummy in (False, True):
        model = train(400, model_type=model_type, byte_fallback=True, add_dummy_prefix=dummy,
                      remove_extra_whitespaces=dummy)
        coder = module.ChunkEncoder(model, max_table_bytes=9000)
        print(coder.encode(pa.array(texts)).ids.size)
"""


@pytest.mark.slow
def test_no_kernel_reads_or_writes_outside_its_arrays(tmp_path):
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(here), str(here.parent)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 4


HUGE = """
import sys
sys.path[:0] = sys.argv[1:3]
import pyarrow as pa
from data_contracts.errors import InputError
from models import train
from pipelines.tokenizer.encoder import ChunkEncoder
from pipelines.tokenizer.exact_ids import encode_exactly
from store.peak_memory import peak_bytes

options = {"byte_fallback": True, "remove_extra_whitespaces": False, "add_dummy_prefix": False,
           "allow_whitespace_only_pieces": True}
for model_type, unit in (("bpe", " " * 4), ("unigram", "self"), ("bpe", "x = 1")):
    coder = ChunkEncoder(train(600, model_type=model_type, **options))
    encode_exactly(coder, pa.array(["warm \\u2581 up"]))
    array = pa.array([unit * ((100 << 20) // len(unit))], pa.large_string())
    before = peak_bytes()
    try:
        said = encode_exactly(coder, array).ids.size
    except InputError as error:
        said = "that cannot be cut" in str(error)
    print(peak_bytes() - before, int(said))
"""


@pytest.mark.slow
def test_a_hundred_megabytes_in_one_text_are_refused_or_cut_in_bounded_memory():
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", HUGE, str(here), str(here.parent)],
        env={**os.environ, "PYTHONPATH": str(here.parents[2])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    grown, said = zip(*[map(int, line.split()) for line in done.stdout.splitlines()], strict=True)
    assert said[:2] == (1, 1)  # refused, the third is cut
    assert said[2] > 10 << 20
    assert max(grown) < 1 << 30
