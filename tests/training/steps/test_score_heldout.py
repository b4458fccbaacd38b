"""From token shards and a model in a home to the nats of each held-out document."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from catalog.conservation import prove_step
from data_contracts.errors import Damaged, InputError, UsageError
from data_contracts.models import CURVE, HELDOUT_SCORES
from data_contracts.shard_index import file_names
from data_contracts.shards import TOKEN_DOCUMENTS, Vocabulary
from data_contracts.write_shards import write_index, write_shard
from store.datasets import StoredPart
from store.graph import Graph, Node
from store.plan import plan_node
from store.runner import Runner
from store.step import Inputs, Output, SourcePart, Step, uncounted
from store.storage import Storage
from training.model import new_model
from training.model_config import ModelConfig
from training.model_folder import write_tensors
from training.steps.score_heldout import STEP, ScoreConfig, score_heldout
from training.steps.token_shards import documents_of, open_parts

SHAPE = ModelConfig(50, 2, 32, 4, 2, 48, 64)
VOCABULARY = Vocabulary(50, 1, 2, None, "aa11" * 10)
SPLITS = ("train", "heldout")


@dataclass(frozen=True)
class PackedConfig:
    """How many partitions, and how many documents of each are held out."""

    num_parts: int = uncounted(3)
    num_heldout: int = 4


@dataclass(frozen=True)
class ModelOf:
    """Whose ids the model reads."""

    tokenizer_digest: str = VOCABULARY.tokenizer_digest


def documents(key: str, num_heldout: int) -> list[dict[str, Any]]:
    """Return the documents of a partition: train and held-out ones mixed, BOS and EOS added."""
    draw = np.random.default_rng(int(key))
    return [
        {
            "doc_id": f"{key}/{number}",
            "split": "heldout" if number % 2 == 0 and number // 2 < num_heldout else "train",
            "ids": [1, *draw.integers(3, 50, draw.integers(1, 20)).tolist(), 2],
            "num_bytes": int(draw.integers(10, 99)),
        }
        for number in range(12)
    ]


def pack(inputs: Inputs, config: PackedConfig) -> Output:
    assert inputs.scratch is not None
    rows = documents(inputs.key, config.num_heldout)
    entries = []
    for split in SPLITS:
        of_split = [row for row in rows if row["split"] == split]
        arrays = [np.array(row["ids"]) for row in of_split]
        sizes = [row["num_bytes"] for row in of_split]
        entries.append(write_shard(inputs.scratch, split, arrays, sizes, VOCABULARY.dtype))
    write_index(inputs.scratch, VOCABULARY, entries)
    table = [
        {
            **row,
            "source": "s",
            "shard": row["split"],
            "token_offset": 0,
            "num_tokens": len(row["ids"]),
        }
        for row in rows
    ]
    files = {name: inputs.scratch / name for name in file_names(SPLITS)}
    return Output(pa.Table.from_pylist(table, TOKEN_DOCUMENTS), files=files)


def give_model(inputs: Inputs, config: ModelOf) -> Output:
    assert inputs.scratch is not None
    settings = {"model": asdict(SHAPE), "objective": "causal", **asdict(config)}
    model = new_model(SHAPE, 0)
    with torch.no_grad():
        model.embedding.weight.mul_(20)
    files = write_tensors(model.state_dict(), settings, inputs.scratch)
    return Output(CURVE.empty_table(), files=files)


def list_parts(config: PackedConfig) -> list[SourcePart]:
    return [SourcePart(str(number), ()) for number in range(config.num_parts)]


PACK = Step(
    *("pack_tokens", 1, "source", pack, PackedConfig, TOKEN_DOCUMENTS),
    list_parts=list_parts,
    emits="model",
)
MODEL = Step(
    *("pretrain", 1, "source", give_model, ModelOf, CURVE),
    list_parts=lambda config: [SourcePart("all", ())],
    emits="model",
)


class Home:
    """A home in which the three steps were run."""

    def __init__(
        self,
        folder: Path,
        config: ScoreConfig,
        packed: PackedConfig = PackedConfig(),
        model: ModelOf = ModelOf(),
    ):
        self.storage = Storage(str(folder))
        nodes = [
            Node(PACK, packed),
            Node(MODEL, model),
            Node(STEP, config, {"model": "pretrain", "tokens": "pack_tokens"}),
        ]
        self.graph = Graph(nodes)
        self.datasets, self.num_computed, plans = {}, {}, {}
        with Runner(self.storage) as runner:
            for node in self.graph:
                plan = plan_node(self.storage, node, plans)
                result = runner.run(plan)
                self.datasets[node.name] = result.dataset
                self.num_computed[node.name] = result.num_computed
                plans[node.name] = plan.completed(result.dataset)

    def parts(self, step: str) -> list[StoredPart]:
        return [StoredPart(self.storage, part, part.key) for part in self.datasets[step].parts]

    def scores(self) -> list[dict[str, Any]]:
        (part,) = self.parts("score_heldout")
        return part.table().to_pylist()


def heldout_documents(num_heldout: int = 4) -> list[dict[str, Any]]:
    rows = [row for key in "012" for row in documents(key, num_heldout)]
    return [row for row in rows if row["split"] == "heldout"]


def nats_alone(ids: list[int]) -> float:
    """Return a document's loss, computed by itself, in double precision."""
    model = new_model(SHAPE, 0).double()
    with torch.no_grad():
        model.embedding.weight.mul_(20)
        shares = model(torch.tensor([ids[:-1]]))[0].log_softmax(-1)
    return -float(shares[torch.arange(len(ids) - 1), ids[1:]].sum())


def test_every_held_out_document_has_its_own_nats(tmp_path: Path) -> None:
    home = Home(tmp_path, ScoreConfig(batch_rows=3, num_threads=1))
    scores, expected = home.scores(), heldout_documents()
    assert len(scores) == 12
    assert [row["doc_id"] for row in scores] == [row["doc_id"] for row in expected]
    assert [row["num_targets"] for row in scores] == [len(row["ids"]) - 1 for row in expected]
    assert [row["num_bytes"] for row in scores] == [row["num_bytes"] for row in expected]
    whole_in_a_row = 0
    position = 0
    for score, row in zip(scores, expected, strict=True):
        if score["doc_id"].endswith("/0"):  # each shard begins a new run of rows
            position = 0
        if position // 64 == (position + len(row["ids"]) - 1) // 64:
            assert score["nats"] == pytest.approx(nats_alone(row["ids"]), rel=1e-4)
            whole_in_a_row += 1
        position += len(row["ids"])
    assert whole_in_a_row > 8
    (receipt,) = home.datasets["score_heldout"].parts
    nats, num_bytes = (sum(row[name] for row in scores) for name in ("nats", "num_bytes"))
    assert receipt.facts["bits_per_byte"] == pytest.approx(nats / np.log(2) / num_bytes)
    assert receipt.facts["num_documents"] == receipt.facts["num_heldout_documents"] == 12


def test_it_is_computed_once_and_passes_no_documents_on(tmp_path: Path) -> None:
    first = Home(tmp_path, ScoreConfig(num_threads=1))
    again = Home(tmp_path, ScoreConfig(num_threads=1))
    assert first.num_computed["score_heldout"] == 1
    assert again.num_computed == {"pack_tokens": 0, "pretrain": 0, "score_heldout": 0}
    other = Home(tmp_path / "other", ScoreConfig(num_threads=1))
    assert other.datasets["score_heldout"].digest == first.datasets["score_heldout"].digest
    node = first.graph["score_heldout"]
    inputs = {name: first.datasets[step] for name, step in node.inputs.items()}
    assert not prove_step(first.storage, node, first.datasets[node.name], inputs).checked


def test_a_bound_on_tokens_scores_every_kth_document(tmp_path: Path) -> None:
    num_tokens = sum(len(row["ids"]) for row in heldout_documents())
    home = Home(tmp_path, ScoreConfig(max_tokens=num_tokens // 3, num_threads=1))
    ids = [row["doc_id"] for row in heldout_documents()]
    assert [row["doc_id"] for row in home.scores()] == ids[::4]
    assert home.datasets["score_heldout"].parts[0].facts["num_documents"] == 3


def test_a_model_of_another_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="with tokenizer bb22bb22bb22, not aa11aa11aa11"):
        Home(tmp_path, ScoreConfig(), model=ModelOf("bb22" * 10))


def test_nothing_held_out_gives_no_row_and_no_shards_are_refused(tmp_path: Path) -> None:
    home = Home(tmp_path, ScoreConfig(), PackedConfig(num_heldout=0))
    assert home.scores() == []
    assert home.datasets["score_heldout"].parts[0].facts == {"num_heldout_documents": 0}
    with pytest.raises(InputError, match="no partition was packed"):
        Home(tmp_path, ScoreConfig(), PackedConfig(num_parts=0))


def test_shards_are_read_where_they_lie_and_those_of_a_bucket_are_copied(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", ScoreConfig(num_threads=1))
    parts = home.parts("pack_tokens")
    here = open_parts(parts, "heldout", tmp_path / "here")
    assert [path for path in (tmp_path / "here").rglob("*") if path.is_file()] == []

    class Far(StoredPart):
        """A partition whose files have to be copied."""

        def file(self, name: str, folder: Path) -> Path:
            (folder / name).write_bytes(super().file(name, folder).read_bytes())
            return folder / name

    far = [Far(part.storage, part.receipt, part.key) for part in parts]
    there = open_parts(far, "heldout", tmp_path / "there")
    copied = {path.name for path in (tmp_path / "there").rglob("*") if path.is_file()}
    assert copied == set(file_names(["heldout"])), "the train split was not copied"
    for shard, copy in zip(here.shards, there.shards, strict=True):
        assert shard.tokens.tolist() == copy.tokens.tolist()
    train = open_parts(parts, "train", tmp_path / "train")
    table = documents_of(parts, "train")
    assert len(table) == train.num_documents == 24
    inputs = Inputs("all", {"model": home.parts("pretrain"), "tokens": far}, scratch=tmp_path)
    assert score_heldout(inputs, ScoreConfig(num_threads=1)).rows.to_pylist() == home.scores()


def test_a_table_that_does_not_fit_its_shards_is_damaged(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", ScoreConfig(num_threads=1))

    class Shifted(StoredPart):
        """A partition whose table lacks a row."""

        def table(self, columns: Any = None) -> pa.Table:
            return super().table(columns).slice(1)

    tokens = [Shifted(p.storage, p.receipt, p.key) for p in home.parts("pack_tokens")]
    inputs = Inputs("all", {"model": home.parts("pretrain"), "tokens": tokens}, scratch=tmp_path)
    with pytest.raises(Damaged, match="do not list the same documents"):
        score_heldout(inputs, ScoreConfig())


@pytest.mark.parametrize(
    "wrong", [{"max_tokens": 0}, {"batch_rows": 0}, {"dtype": "auto"}, {"num_threads": -1}]
)
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"^{next(iter(wrong))} is"):
        ScoreConfig(**wrong)


def test_rows_have_the_schema_of_scores() -> None:
    assert STEP.schema is HELDOUT_SCORES
