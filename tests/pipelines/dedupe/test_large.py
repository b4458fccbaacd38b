"""A template of twenty thousand texts and a text of 100 MB: what is stated of their cost holds."""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import memory_part
import near_steps
import pytest
from near_steps import bands_of, documents_of, parts_of, signatures_of

from pipelines.dedupe.find_candidates import find_candidates
from pipelines.dedupe.near_config import NearConfig
from store.step import Inputs

pytestmark = pytest.mark.slow
NUM_TEXTS = 20_000
LARGE = """
import random, sys, tempfile
sys.path[:0] = sys.argv[1:]
from near_steps import documents_of, near_run
from store.peak_memory import peak_bytes
words = random.Random(1).choices([f"w{number}" for number in range(5000)], k=17_500_000)
large = " ".join(words)
assert len(large) > 100_000_000
texts = {"large": large, "quoted": large[:3000], "short": "few words that stand beside it"}
near_run([documents_of({"few": "words " * 9})], tempfile.mkdtemp())
documents, before = documents_of(texts), peak_bytes()
output, choices = near_run([documents], tempfile.mkdtemp())
print(len(output.rows), *choices["keep"].to_pylist(), (peak_bytes() - before) // 2**20)
"""


def test_a_template_of_many_texts_costs_a_stated_bound_and_none_is_lost(tmp_path):
    near, shared = NearConfig(num_buckets=1), " ".join(f"w{number}" for number in range(60))
    texts = {f"{number:05d}": f"{shared} end{number}" for number in range(NUM_TEXTS)}
    documents = parts_of([documents_of(texts)])
    bands = bands_of(documents, signatures_of(documents), near)
    inputs = Inputs("b", {"bands": bands}, bucket=0, scratch=tmp_path)
    output = find_candidates(inputs, near.candidates())
    sharing = defaultdict(set)
    for row in bands[0].rows.select(["band_key", "text_key"]).to_pylist():
        sharing[row["band_key"]].add(row["text_key"])
    assert max(map(len, sharing.values())) > 10_000
    compared, listed = set(), set()
    for keys in map(sorted, sharing.values()):
        first = keys[: near.max_band_texts]
        compared |= {(one, other) for at, one in enumerate(first) for other in first[at + 1 :]}
        listed |= set(keys[near.max_band_texts :])
    assert 100_000 < len(compared) <= 14 * 500 * 499 // 2
    assert set(zip(*output.rows.to_pydict().values(), strict=True)) == compared
    lines = (tmp_path / "capped.csv").read_text().splitlines()[1:]
    assert {int(line.split(",")[0]) for line in lines} == listed
    assert output.facts["near.bucket_capped"] == len(listed) > 10_000


def test_a_text_of_100_megabytes_takes_a_few_times_its_size_of_memory():
    folders = [str(Path(module.__file__).parent) for module in (near_steps, memory_part)]
    answer = subprocess.run(
        [sys.executable, "-c", LARGE, *folders], capture_output=True, text=True, check=True
    )
    num_pairs, *kept, mebibytes = answer.stdout.split()
    assert (num_pairs, kept) == ("0", ["True"] * 3)
    assert 100 < int(mebibytes) < 1500
