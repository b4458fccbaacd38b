"""pretrain as a step of the store: its rows and files, bad input, SIGKILL and going on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.errors import Damaged, InputError
from data_contracts.models import CURVE, DESCRIPTION, WEIGHTS
from data_contracts.shard_index import file_names
from data_contracts.shards import TOKEN_DOCUMENTS, Vocabulary
from data_contracts.write_shards import write_index, write_shard
from store.datasets import Dataset, StoredPart
from store.graph import Graph, Node
from store.plan import plan_node
from store.runner import Runner
from store.step import Inputs, Output, SourcePart, Step
from store.storage import Storage
from training.config import PretrainConfig
from training.steps.pretrain import METRICS, STEP

ROOT = Path(__file__).resolve().parents[3]
BOS, EOS = 1, 2
SPLITS = ("train", "heldout")
CONFIG = PretrainConfig(
    depth=1,
    context_tokens=16,
    batch_rows=4,
    micro_batch_rows=4,
    num_steps=12,
    warm_up_steps=2,
    dtype="float32",
    num_threads=1,
    evaluate_every_steps=6,
    checkpoint_every_steps=4,
    log_every_steps=3,
)


@dataclass(frozen=True)
class TokensConfig:
    """How many documents each of two partitions has, by split."""

    num_train: int = 30
    num_heldout: int = 6


def write_tokens(inputs: Inputs, config: TokensConfig) -> Output:
    """Write random documents as pack_tokens would."""
    draw = np.random.default_rng(len(inputs.key))
    rows, entries = [], []
    vocabulary = Vocabulary(50, BOS, EOS, None, "tokenizer-a")
    for split, count in zip(SPLITS, (config.num_train, config.num_heldout), strict=True):
        texts = [draw.integers(3, 50, draw.integers(5, 40)).tolist() for _ in range(count)]
        documents = [np.array([BOS, *text, EOS]) for text in texts]
        sizes = [3 * len(text) for text in texts]
        entries.append(write_shard(inputs.scratch, split, documents, sizes, vocabulary.dtype))
        offset = 0
        for number, document in enumerate(documents):
            row = {"doc_id": f"{inputs.key}-{split}-{number}", "source": "s"}
            row |= {"split": split, "shard": split}
            sized = {"num_tokens": len(document), "num_bytes": sizes[number]}
            rows.append({**row, "token_offset": offset, **sized})
            offset += len(document)
    write_index(inputs.scratch, vocabulary, entries)
    files = {name: inputs.scratch / name for name in file_names(SPLITS)}
    table = pa.Table.from_pylist(rows, TOKEN_DOCUMENTS)
    return Output(table, facts={"records_framed": len(rows)}, files=files)


TOKENS = Step(
    name="pack_tokens",
    version=1,
    kind="source",
    run=write_tokens,
    config=TokensConfig,
    schema=TOKEN_DOCUMENTS,
    list_parts=lambda config: [SourcePart("a", ()), SourcePart("bb", ())],
)


@dataclass(frozen=True)
class NoConfig:
    """Nothing to choose."""


def write_curated(inputs: Inputs, config: NoConfig) -> Output:
    """Write the documents of `write_tokens` in another order, those of each key as a source."""
    ids = [
        {"doc_id": f"{key}-{split}-{number}", "source": f"from {key}"}
        for key in ("bb", "a")
        for split in SPLITS
        for number in reversed(range(30))
    ]
    return Output(pa.Table.from_pylist(ids), facts={"records_framed": len(ids)})


CURATED = Step(
    name="materialize",
    version=1,
    kind="source",
    run=write_curated,
    config=NoConfig,
    schema=pa.schema([("doc_id", pa.string()), ("source", pa.string())]),
    list_parts=lambda config: [SourcePart("all", ())],
)
TOKENIZER = replace(CURATED, name="train_tokenizer", list_parts=lambda config: [])


def run(home: str, config: PretrainConfig = CONFIG, tokens=None) -> Dataset:
    """Run all steps; return the dataset of pretrain."""
    tokens = tokens or TokensConfig()
    wires = {"tokens": "pack_tokens", "tokenizer": "train_tokenizer", "curated": "materialize"}
    graph = Graph(
        [
            Node(CURATED, NoConfig()),
            Node(TOKENIZER, NoConfig()),
            Node(TOKENS, tokens),
            Node(STEP, config, wires),
        ]
    )
    storage, plans = Storage(home), {}
    with Runner(storage) as runner:
        for node in graph:
            plan = plan_node(storage, node, plans)
            dataset = runner.run(plan).dataset
            plans[node.name] = plan.completed(dataset)
    return dataset


def part_of(home, dataset: Dataset) -> StoredPart:
    (receipt,) = dataset.parts
    return StoredPart(Storage(str(home)), receipt, receipt.key)


def test_what_it_writes(tmp_path):
    part = part_of(tmp_path, run(str(tmp_path)))
    curve = part.table()
    assert curve.schema.names == CURVE.names
    assert curve["step"].to_pylist() == [3, 6, 9, 12]
    assert curve["num_tokens"].to_pylist() == [step * 64 for step in (3, 6, 9, 12)]
    known = [value is not None for value in curve["heldout_bits_per_byte"].to_pylist()]
    assert known == [False, True, False, True]
    lines = part.file(METRICS, tmp_path).read_text().splitlines()
    assert [json.loads(line) for line in lines] == curve.to_pylist()
    described = json.loads(part.file(DESCRIPTION, tmp_path).read_text())
    assert described["tokenizer_digest"] == "tokenizer-a"
    assert described["model"]["num_layers"] == 1
    facts = part.receipt.facts
    assert facts["dtype"] == "float32"
    assert facts["tokens_per_second"] > 0
    assert facts["num_tokens"] == 12 * 64
    assert facts["processor"]
    assert list(facts["heldout_bits_per_byte_by_source"]) == ["from a", "from bb"]
    assert facts["incidents"] == []
    assert facts["best_step"] in (6, 12)
    assert facts["rows_per_epoch"] > 4
    assert facts["cut_tokens"] == 0
    assert not list((tmp_path / "tmp" / "work").glob("*/*"))


def test_the_receipt_of_the_best_model_tells_of_that_model_alone(tmp_path):
    best = replace(CONFIG, evaluate_every_steps=2, peak_learning_rate=0.3, choose_checkpoint="best")
    dataset = run(str(tmp_path), best)
    facts = part_of(tmp_path, dataset).receipt.facts
    assert facts["best_step"] < CONFIG.num_steps
    rows = {row["step"]: row for row in part_of(tmp_path, dataset).table().to_pylist()}
    mine, last = rows[facts["best_step"]], rows[CONFIG.num_steps]
    for name in ("loss", "heldout_bits_per_byte"):
        assert facts[name] == mine[name] != last[name]
    by_source = facts["heldout_bits_per_byte_by_source"].values()
    assert min(by_source) <= facts["heldout_bits_per_byte"] <= max(by_source)


def test_how_often_it_saves_and_looks_changes_nothing(tmp_path):
    seldom = replace(CONFIG, evaluate_every_steps=None, log_every_steps=12)
    often = replace(CONFIG, checkpoint_every_steps=2, dtype_reason="else")
    homes = [tmp_path / "usual", tmp_path / "often", tmp_path / "seldom"]
    usual, other, third = (
        part_of(home, run(str(home), config))
        for home, config in zip(homes, (CONFIG, often, seldom), strict=True)
    )
    assert usual.receipt.digest == other.receipt.digest
    weights = [part.file(WEIGHTS, tmp_path).read_bytes() for part in (usual, other, third)]
    assert weights[0] == weights[1] == weights[2]
    assert run(str(homes[0]), often) == run(str(homes[0]), CONFIG)  # counts as the same


KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[1:3]
import training.loop as loop
import test_pretrain as tests
save, saved = loop.save, []
def save_and_die(session):
    save(session)
    if session.step == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
loop.save = save_and_die
tests.run(sys.argv[3])
"""


def test_killed_twice_it_ends_with_the_same_weights(tmp_path):
    calm = part_of(tmp_path / "calm", run(str(tmp_path / "calm")))
    home = tmp_path / "killed"
    for step in ("4", "8"):
        words = [str(ROOT), str(Path(__file__).parent), str(home), step]
        done = subprocess.run(
            [sys.executable, "-c", KILLED, *words], capture_output=True, text=True, env=os.environ
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert list((home / "tmp" / "work" / "pretrain").glob("*/checkpoints/step-*"))
    again = part_of(home, run(str(home)))
    assert again.receipt.facts["resumed_from_step"] == 8
    assert again.receipt.digest == calm.receipt.digest
    weights = [part.file(WEIGHTS, tmp_path).read_bytes() for part in (calm, again)]
    assert weights[0] == weights[1]


def test_too_little_text_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(InputError, match=r"too few for one batch .* lower pretrain.batch_rows"):
        run(str(tmp_path), tokens=TokensConfig(num_train=1))


def test_a_context_that_no_document_reaches_is_refused_where_rows_are_one_document(tmp_path):
    longest = 39  # of `write_tokens`
    alone = replace(CONFIG, packing="one_per_row", context_tokens=2 * longest + 2, num_steps=3)
    said = r"the longest train document has 39 tokens, and pretrain\.context_tokens is 80"
    with pytest.raises(InputError, match=said):
        run(str(tmp_path), alone)
    assert run(str(tmp_path), replace(alone, context_tokens=2 * longest)).parts
    assert run(str(tmp_path), replace(alone, packing="best_fit")).parts  # documents fill it


def test_a_changed_byte_of_a_shard_is_found_before_training(tmp_path):
    run(str(tmp_path))
    (shard, *_) = sorted((tmp_path / "parts" / "pack_tokens").rglob("*train.bin"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2 & ~1] ^= 1  # one id becomes another of the vocabulary
    shard.chmod(0o644)
    shard.write_bytes(data)
    with pytest.raises(Damaged, match=r"train\.bin in .* cannot be read .* verify --repair"):
        run(str(tmp_path), replace(CONFIG, seed=1))


def test_without_heldout_text_it_trains_all_the_same(tmp_path):
    part = part_of(tmp_path, run(str(tmp_path), tokens=TokensConfig(num_heldout=0)))
    assert part.table()["heldout_loss"].null_count == 4
    assert part.receipt.facts["heldout_bits_per_byte"] is None


def test_a_changed_token_is_found_before_training(tmp_path):
    home = str(tmp_path / "home")
    run(home)
    shard = next((tmp_path / "home").glob("parts/**/train.bin"))
    content = bytearray(shard.read_bytes())
    content[2] = 4 if content[2] == 3 else 3  # another id of the vocabulary, in the same place
    shard.write_bytes(content)
    with pytest.raises(Damaged, match=r"train\.bin .* is not the \d+ bytes written"):
        run(home, replace(CONFIG, seed=1))
