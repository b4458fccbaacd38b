"""Other trainers' own readers read what we export; ours reads what their own writers write.

They stand in an environment of their own, `make readers`, and run as processes of their own.
"""

import json
import os
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from data_contracts.foreign_shards import open_foreign
from data_contracts.open_shards import open_shards
from data_contracts.shards import Vocabulary
from data_contracts.write_shards import write_index, write_shard
from pipelines.tokens.export_shards import export_shards

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-readers" / "bin" / "python"
SMALL = Vocabulary(600, bos_id=1, eos_id=2, pad_id=3, tokenizer_digest="ab" * 20)
LARGE = Vocabulary(70_000, bos_id=1, eos_id=2, pad_id=3, tokenizer_digest="cd" * 20)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def readers():
    """Skip without the environment; but never silently where it is what is tested."""
    if not PYTHON.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no .venv-readers: run make readers")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return two sets of shards, of a small and a large vocabulary, and where they are exported."""
    draw = np.random.default_rng(0)
    found = []
    for vocabulary in (SMALL, LARGE):
        folder = tmp_path_factory.mktemp("exported")
        lengths = [0, 1, *draw.integers(2, 300, 20)]
        documents = [
            np.array([1, *draw.integers(4, vocabulary.vocab_size, length), 2]) for length in lengths
        ]
        entry = write_shard(folder, "train", documents, lengths, vocabulary.dtype)
        write_index(folder, vocabulary, [entry])
        shards = open_shards(folder)
        for layout in ("megatron", "datatrove", "olmo"):
            export_shards(shards, folder / layout, layout)
        found.append((shards, folder))
    return found


def run(program, *arguments, given=None):
    """Run a program of the folder `readers` with the readers' Python; return what it printed."""
    command = [str(PYTHON), str(Path(__file__).parent / "readers" / program), *map(str, arguments)]
    settings = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, input=given, env=settings, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else None


def documents_of(shards):
    return [
        shard.tokens[start:end].tolist()
        for shard in shards.shards
        for start, end in pairwise(shard.offsets.tolist())
    ]


def test_megatron_reads_ours(exported):
    found = run("read_megatron.py", *(folder / "megatron/00000_train" for _, folder in exported))
    assert found == [documents_of(shards) for shards, _ in exported]
    assert len(found[0]) == 22


def test_datatrove_reads_ours(exported):
    arguments = [
        f"{folder}/datatrove/00000_train.ds:{shards.shards[0].tokens.itemsize}"
        for shards, folder in exported
    ]
    for windows, (shards, _) in zip(run("read_datatrove.py", *arguments), exported, strict=True):
        tokens = [token for ids, _ in windows for token in ids]
        assert len(windows) == shards.num_tokens // 57 > 20
        assert tokens == shards.shards[0].tokens[: len(tokens)].tolist()
        offsets = shards.shards[0].offsets
        for number, (_, positions) in enumerate(windows):
            places = np.arange(number * 57, number * 57 + 57)
            begins = offsets[np.searchsorted(offsets, places, side="right") - 1]
            assert positions == (places - np.maximum(begins, number * 57)).tolist()


def test_olmo_core_reads_ours(exported):
    arguments = [
        f"{folder}/olmo/00000_train.npy:{shards.shards[0].tokens.itemsize}:{shards.vocab_size}:1:2"
        for shards, folder in exported
    ]
    for found, (shards, _) in zip(run("read_olmo.py", *arguments), exported, strict=True):
        (shard,) = shards.shards
        bounds = [list(pair) for pair in pairwise(shard.offsets.tolist())]
        assert found["by_token"] == found["by_table"] == bounds
        assert len(found["windows"]) == shards.num_tokens // 57 > 20
        cut = shard.tokens[: len(found["windows"]) * 57]
        assert found["windows"] == cut.reshape(-1, 57).tolist()


def test_ours_reads_what_their_own_writers_wrote(tmp_path):
    draw = np.random.default_rng(1)
    documents = [[1, *draw.integers(4, 600, n).tolist(), 2] for n in range(3, 60)]
    run("write_foreign.py", tmp_path, given=json.dumps(documents))
    megatron = open_foreign([tmp_path / "megatron.bin"], "megatron", SMALL)
    trove = open_foreign([tmp_path / "trove.ds"], "datatrove", SMALL)
    assert documents_of(megatron) == documents_of(trove) == documents
    (shard,) = trove.shards
    assert shard.mask is not None
    assert np.array_equal(shard.mask, shard.tokens % 2)
