"""finetune as a step of the store: rows, files, facts; other tokenizers refused; light."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from labelled_table import CLASSES, labelled_table
from safetensors.torch import load_file, save_file
from sentencepiece import SentencePieceTrainer

from data_contracts.errors import UsageError
from data_contracts.labels import LABELLED, PREDICTIONS
from data_contracts.models import CURVE, DESCRIPTION, WEIGHTS
from data_contracts.tokenizer import TOKENIZERS
from store.datasets import StoredPart
from store.graph import Graph, Node
from store.identity import digest_bytes
from store.plan import plan_node
from store.runner import Runner
from store.step import Inputs, Output, SourcePart, Step
from store.storage import Storage
from training.finetune_config import FinetuneConfig
from training.model import new_model
from training.model_config import ModelConfig
from training.steps.finetune import CLASSIFIER, CURVES, STEP, TRIALS

ROOT = Path(__file__).resolve().parents[3]
SHAPE = ModelConfig(300, 1, 16, 2, 1, 24, 10)
CONFIG = FinetuneConfig(
    learning_rates=(3e-3, 1e-2, 3e-2), epochs=(2,), num_seeds=2, batch_rows=16, curve_points=4
)


@dataclass(frozen=True)
class GivenConfig:
    """Which tokenizer the model was trained with; empty: the right one."""

    digest: str = ""


def tokenizer() -> bytes:
    model = io.BytesIO()
    text = ["".join(chr(97 + (i * k) % 26) for i in range(30)) for k in range(1, 60)]
    SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=model, model_type="char", vocab_size=29,
        minloglevel=2,
    )  # fmt: skip
    return model.getvalue()


def given(name: str, table: pa.Table, schema: pa.Schema) -> Step:
    """Return a source that gives a table, and the model's files if it is ``pretrain``."""

    def run(inputs: Inputs, config: GivenConfig) -> Output:
        files = {}
        if name == "pretrain":
            digest = config.digest or digest_bytes(tokenizer())
            described = {"model": asdict(SHAPE), "objective": "causal", "tokenizer_digest": digest}
            files = {file: inputs.scratch / file for file in (WEIGHTS, DESCRIPTION)}
            save_file(new_model(SHAPE, 7).state_dict(), files[WEIGHTS])
            files[DESCRIPTION].write_text(json.dumps(described))
        return Output(table, facts={"records_framed": len(table)}, files=files)

    parts = [SourcePart("all", ())]
    return Step(name, 1, "source", run, GivenConfig, schema, list_parts=lambda config: parts)


def run(home: Path, digest: str = "") -> StoredPart:
    data = tokenizer()
    row = {"name": "t", "digest": digest_bytes(data), "data": data}
    inputs = {"labelled": "pack_labels", "model": "pretrain", "tokenizer": "train_tokenizer"}
    tokenizers = pa.Table.from_pylist([row], TOKENIZERS)
    curve = pa.Table.from_pylist([], CURVE)
    graph = Graph(
        [
            Node(given("pack_labels", labelled_table(), LABELLED), GivenConfig()),
            Node(given("pretrain", curve, CURVE), GivenConfig(digest)),
            Node(given("train_tokenizer", tokenizers, TOKENIZERS), GivenConfig()),
            Node(STEP, CONFIG, inputs),
        ]
    )
    storage, plans = Storage(str(home)), {}
    with Runner(storage) as runner:
        for node in graph:
            plan = plan_node(storage, node, plans)
            dataset = runner.run(plan).dataset
            plans[node.name] = plan.completed(dataset)
    (receipt,) = dataset.parts
    return StoredPart(storage, receipt, receipt.key)


def test_what_it_writes(tmp_path: Path) -> None:
    part = run(tmp_path / "home")
    assert part.table().schema.names == PREDICTIONS.names
    assert len(part.table()) == 2 * 2 * (18 + 15)
    read = {
        name: json.loads(part.file(name, tmp_path).read_text())
        for name in (CLASSIFIER, TRIALS, CURVES)
    }
    assert read[CLASSIFIER]["classes"] == list(CLASSES)
    assert read[CLASSIFIER]["model"] == asdict(SHAPE)
    trials = read[TRIALS]
    assert [trial["arm"] for trial in trials] == ["pretrained"] * 3 + ["scratch"] * 3
    assert [trial["learning_rate"] for trial in trials] == [*CONFIG.learning_rates] * 2
    facts = part.receipt.facts
    for arm in ("pretrained", "scratch"):
        mine = [trial for trial in trials if trial["arm"] == arm]
        (chosen,) = [trial for trial in mine if trial["chosen"]]
        assert chosen["macro_f1"] == max(trial["macro_f1"] for trial in mine)
        assert facts["chosen"][arm]["learning_rate"] == chosen["learning_rate"]
        assert facts["at_edge_of_grid"][arm] == {
            3e-3: ["lowest learning_rate"], 1e-2: [], 3e-2: ["highest learning_rate"]
        }[chosen["learning_rate"]]  # fmt: skip
        assert read[CURVES][arm][-1]["accuracy"] == chosen["accuracy"]
        for seed in range(2):
            tensors = load_file(part.file(f"{arm}-{seed}.safetensors", tmp_path))
            assert tensors["head.weight"].shape == (3, 16)
    assert facts["num_runs"] == 8
    assert facts["cut_documents"] > 0


def test_two_homes_hold_the_same(tmp_path: Path) -> None:
    digests = {run(tmp_path / name).receipt.digest for name in ("one", "two")}
    assert len(digests) == 1


def test_another_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pack the labels again with the model's tokenizer"):
        run(tmp_path, digest="f" * 40)


def test_planning_needs_no_torch() -> None:
    code = "import sys, training.steps.finetune; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
