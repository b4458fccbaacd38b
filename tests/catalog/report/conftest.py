"""A home whose run goes all the way: real curation, tokenizer and shards, invented models."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from catalog.opened import OpenedRun
from data_contracts.documents import DOCUMENTS, doc_id, hash_text
from data_contracts.labels import LABELLED, SCORES
from data_contracts.models import CURVE, HELDOUT_SCORES, SAMPLES
from pipelines.tokenizer import train_tokenizer
from pipelines.tokens import pack_tokens
from store.graph import Graph, Node
from store.step import Inputs, Output, Step
from store.storage import Storage

HOSTILE = '<script>alert("x")</script>\' onload="evil()" \x1b[31m \u202e'
PACKAGES = ("alpha", "beta", '<b>"gamma"</b>')


@dataclass(frozen=True)
class Nothing:
    """No choices."""


def ingest(inputs: Inputs, config: Any) -> Output:
    """Fifty texts a partition, long enough for a small tokenizer, one of them hostile."""
    rows = []
    for number in range(50):
        key = f"{inputs.key}/{number}"
        package = PACKAGES[number % 3]
        words = [f"word{(number * 7 + n * n) % 61} of {package[:2]}" for n in range(8 + number)]
        text = " ".join(words) + (f"\n{HOSTILE.replace(chr(27), '')}" if number == 7 else "")
        text = "no" if number % 10 == 0 else text
        rows.append(
            {
                "doc_id": doc_id("fake", key),
                "source": "fake",
                "uri": f"{inputs.key}<i>.txt",
                "record_key": key,
                "kind": "text",
                "text": text,
                "text_hash": hash_text(text),
                "labels": [("package", package)],
                "num_repairs": 0,
            }
        )
    table = pa.Table.from_pylist(rows, schema=DOCUMENTS)
    return Output(table, facts={"records_framed": len(rows)})


SIGNALS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("num_bytes", pa.int64()),
        pa.field("num_chars", pa.int64()),
        pa.field("num_words", pa.int64()),
        pa.field("language", pa.string()),
    ]
)


def compute_signals(inputs: Inputs, config: Any) -> Output:
    table = inputs.one("documents").table(["doc_id", "text"])
    texts = table["text"].to_pylist()
    columns = [
        table["doc_id"].combine_chunks(),
        pa.array([len(text.encode()) for text in texts]),
        pa.array([len(text) for text in texts]),
        pa.array([len(text.split()) for text in texts]),
        pa.array([("de", "en", None)[len(text) % 3] for text in texts], pa.string()),
    ]
    return Output(pa.table(columns, schema=SIGNALS))


PRETRAIN_FACTS = {
    "num_parameters": 3_210_496,
    "num_tokens": 4_096_000,
    "num_steps": 1000,
    "tokens_per_second": 14_321.0,
    "waiting_ratio": 0.0021,
    "training_seconds": 286.0,
    "dtype": "float32",
    "dtype_reason": "measured: bfloat16 is 0.31 times as fast as float32",
    "device": "cpu",
    "num_threads": 2,
    "processor": "Processor <X>",
    "torch": "2.13.0+cpu",
    "loss": 3.4567,
    "heldout_bits_per_byte": 1.9876,
    "resumed_from_step": 0,
}
SHAPE = {
    "vocab_size": 400,
    "num_layers": 4,
    "width": 256,
    "num_heads": 4,
    "num_kv_heads": 2,
    "feed_forward_width": 704,
    "context_tokens": 256,
}


def curve_row(step: int) -> dict[str, Any]:
    loss = 3.2 + 5.1 * math.exp(-step / 150) + 0.08 * math.sin(step * 1.7)
    looked = step % 100 == 0
    return {
        "step": step,
        "num_tokens": step * 4096,
        "loss": loss,
        "bits_per_byte": loss / math.log(2) / 3.1,
        "learning_rate": 0.002 * min(1, step / 50) * (1 - 0.9 * step / 1000),
        "gradient_norm": 1.0,
        "heldout_loss": loss + 0.1 if looked else None,
        "heldout_bits_per_byte": (loss + 0.1) / math.log(2) / 3.1 if looked else None,
    }


def write(folder: Path | None, name: str, value: Any) -> Path:
    assert folder is not None
    path = folder / name
    path.write_text(json.dumps(value))
    return path


def pretrain(inputs: Inputs, config: Any) -> Output:
    rows = [curve_row(step) for step in range(10, 1001, 10)]
    files = {"model.json": write(inputs.scratch, "model.json", {"model": SHAPE})}
    return Output(pa.Table.from_pylist(rows, CURVE), facts=PRETRAIN_FACTS, files=files)


def score_heldout(inputs: Inputs, config: Any) -> Output:
    """Nats such that a document's bits per byte are told by the first digit of its id."""
    rows = []
    for row in inputs.table("tokens").to_pylist():
        if row["split"] == "heldout":
            bits = 1 + int(row["doc_id"][0], 16) / 8
            size = row["num_bytes"]
            nats = bits * math.log(2) * size
            rows.append((row["doc_id"], row["num_tokens"] - 1, size, nats, None))
    return Output(table_of(rows, HELDOUT_SCORES))


def table_of(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)


def sample_texts(inputs: Inputs, config: Any) -> Output:
    rows = [
        ("Return the", "Return the sum of the values along an axis.", 0.0, 0),
        ("Return the", f"Return the {HOSTILE}", 0.8, 1),
        ("<i>prompt", "<i>prompt</i> and more", 0.8, 2),
    ]
    return Output(table_of(rows, SAMPLES))


def pack_labels(inputs: Inputs, config: Any) -> Output:
    rows = []
    for number, row in enumerate(inputs.table("curated").to_pylist()):
        package = dict(row["labels"])["package"]
        rows.append(
            {
                "doc_id": row["doc_id"],
                "partition": ("train", "train", "train", "dev", "test")[number % 5],
                "group": f"group {number % 20}",
                "label": PACKAGES.index(package),
                "class_name": package,
                "text": row["text"],
                "ids": [1, 2],
            }
        )
    facts = {
        "left_out": {"no_label": 12, "<why>": 3, "same_text": 0},
        "masked_words": 1234,
        "cut_documents": 56,
        "max_tokens": 64,
    }
    return Output(pa.Table.from_pylist(rows, LABELLED), facts=facts)


TRIALS = [
    {"arm": arm, "learning_rate": rate, "epochs": epochs, "num_steps": 100 * epochs,
     "accuracy": best, "macro_f1": best - abs(n - 1) * 0.05 - 0.1 / epochs, "diverged": None,
     "chosen": (n, epochs) == (1, 6)}
    for arm, best in (("pretrained", 0.7), ("scratch", 0.6))
    for n, rate in enumerate((1e-4, 3e-4, 1e-3))
    for epochs in (2, 6)
]  # fmt: skip
TRIALS[4] |= {"accuracy": None, "macro_f1": None, "diverged": "step <7>"}
CURVES = {
    arm: [
        {"step": step, "accuracy": 0.5, "macro_f1": best * (1 - math.exp(-step / 40))}
        for step in range(20, 201, 20)
    ]
    for arm, best in (("pretrained", 0.7), ("scratch", 0.6))
}
FINETUNE_FACTS = {
    "num_runs": 16,
    "dtype": "float32",
    "seconds": {"pretrained": 61.2, "scratch": 60.9},
    "at_edge_of_grid": {"pretrained": [], "scratch": ["highest epochs"]},
}

PREDICTED = pa.schema([pa.field("arm", pa.string())])


def finetune(inputs: Inputs, config: Any) -> Output:
    files = {
        "trials.json": write(inputs.scratch, "trials.json", TRIALS),
        "curves.json": write(inputs.scratch, "curves.json", CURVES),
    }
    rows = pa.table([pa.array(["pretrained"])], PREDICTED)
    return Output(rows, facts=FINETUNE_FACTS, files=files)


BASELINE_FACTS = {
    "trials": [
        {"analyzer": "words", "inverse_strength": 3.0, "dev_macro_f1": 0.69},
        {"analyzer": "characters", "inverse_strength": 3.0, "dev_macro_f1": 0.71},
    ],
    "chosen": {"analyzer": "characters", "inverse_strength": 3.0, "dev_macro_f1": 0.71},
    "num_features": 12345,
    "top_features": {name: ["of", f"<{name[:2]}>"] for name in PACKAGES},
}


def score_baseline(inputs: Inputs, config: Any) -> Output:
    return Output(pa.table([pa.array(["tfidf"])], PREDICTED), facts=BASELINE_FACTS)


SCORE_ROWS = [
    ("pretrained", None, "accuracy", 0.712, 0.681, 0.742, 1000, 3, None),
    ("scratch", None, "accuracy", 0.624, 0.590, 0.655, 1000, 3, None),
    ("tfidf", None, "accuracy", 0.741, 0.713, 0.768, 1000, 1, None),
    ("pretrained", None, "macro_f1", 0.665, 0.630, 0.699, 1000, 3, None),
    ("scratch", None, "macro_f1", 0.571, 0.533, 0.607, 1000, 3, None),
    ("tfidf", None, "macro_f1", 0.702, 0.668, 0.735, 1000, 1, None),
    ("pretrained", "scratch", "accuracy", 0.088, 0.061, 0.115, 1000, 3, "better"),
    ("pretrained", "scratch", "macro_f1", 0.094, 0.064, 0.123, 1000, 3, "better"),
    ("pretrained", "tfidf", "accuracy", -0.029, -0.055, -0.004, 1000, 3, "worse"),
    ("pretrained", "tfidf", "macro_f1", -0.037, -0.066, -0.009, 1000, 3, "worse"),
    ("scratch", "tfidf", "accuracy", -0.117, -0.145, -0.088, 1000, 3, "worse"),
    ("scratch", "tfidf", "macro_f1", -0.131, -0.160, -0.102, 1000, 3, "worse"),
]
CONFUSION = {
    "pretrained": [[90, 7, 3], [10, 80, 10], [0, 5, 95]],
    "scratch": [[80, 12, 8], [20, 60, 20], [9, 11, 80]],
    "tfidf": [[92, 6, 2], [8, 84, 8], [1, 3, 96]],
}


JUDGED = {"num_groups": 20, "note": "Only <20> groups."}


def evaluate(inputs: Inputs, config: Any) -> Output:
    return Output(table_of(SCORE_ROWS, SCORES), facts={"confusion": CONFUSION, **JUDGED})


def model_step(name: str, run: Any, schema: pa.Schema, reads: str) -> Step:
    """A step of which this file only invents the output."""
    inputs: dict[str, Any] = {reads: "all"}
    return Step(name, 1, "whole", run, Nothing, schema, inputs, emits="model")


def later_nodes() -> list[Node]:
    """The steps after pack_tokens, with what each is wired to."""
    steps = [
        (model_step("pretrain", pretrain, CURVE, "tokens"), "pack_tokens"),
        (model_step("score_heldout", score_heldout, HELDOUT_SCORES, "tokens"), "pack_tokens"),
        (model_step("sample_texts", sample_texts, SAMPLES, "model"), "pretrain"),
        (model_step("pack_labels", pack_labels, LABELLED, "curated"), "materialize"),
        (model_step("finetune", finetune, PREDICTED, "labelled"), "pack_labels"),
        (model_step("score_baseline", score_baseline, PREDICTED, "labelled"), "pack_labels"),
        (model_step("evaluate", evaluate, SCORES, "finetuned"), "finetune"),
    ]
    return [Node(step, Nothing(), {next(iter(step.inputs)): reads}) for step, reads in steps]


def token_nodes(vocab_size: int) -> list[Node]:
    """The real steps that train a tokenizer and pack tokens."""
    config = train_tokenizer.TokenizerConfig(vocab_size=vocab_size)
    wires = {"curated": "materialize", "tokenizer": "train_tokenizer"}
    return [
        Node(train_tokenizer.STEP, config, {"curated": "materialize"}),
        Node(pack_tokens.STEP, pack_tokens.PackConfig(), wires),
    ]


@pytest.fixture(scope="session")
def whole(fake: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> OpenedRun:
    """A run with every step; tests only read it."""
    home = tmp_path_factory.mktemp("report") / "home"
    steps = {
        "ingest": replace(fake.INGEST, run=ingest),
        "compute_signals": replace(fake.COMPUTE_SIGNALS, run=compute_signals, schema=SIGNALS),
    }
    graph = Graph([*fake.build_graph(steps=steps), *token_nodes(320), *later_nodes()])
    run = fake.run_graph(home, graph, "whole", recipe='re"cipe<')
    return OpenedRun(Storage(str(home)), run)


class Drawing:
    """A chart as a reader of its SVG sees it: marks, texts, and axes read off their ticks."""

    def __init__(self, markup: str) -> None:
        self.root = ET.fromstring(markup)

    def marks(self, tag: str, *classes: str) -> list[ET.Element]:
        """Elements of a tag that have all of some classes."""
        return [e for e in self.root.iter(tag) if set(classes) <= set(e.get("class", "").split())]

    def texts(self, class_: str | None = None) -> list[str]:
        """The words of the drawing's texts, of a class or all, those of parts included."""
        found = self.root.iter("text") if class_ is None else self.marks("text", class_)
        return ["".join(e.itertext()) for e in found]

    def axis(self, along: str, log: bool = False) -> Callable[[float], float]:
        """The map from places to values, from the two outermost ticks of the x or y axis."""
        anchor = {"x": "middle", "y": "end"}[along]
        ticks = [
            (float(e.get(along, "")), number_of(e.text or ""))
            for e in self.marks("text", "tick")
            if e.get("text-anchor") == anchor
        ]
        (p, a), (q, b) = ticks[0], ticks[-1]
        bend, back = (math.log, math.exp) if log else (float, float)
        slope = (bend(b) - bend(a)) / (q - p)
        return lambda place: back(bend(a) + slope * (place - p))


def number_of(text: str) -> float:
    scale = {"k": 1e3, "M": 1e6}.get(text[-1:], 1)
    return float(text.replace("−", "-").replace(",", "").rstrip("kM")) * scale


@pytest.fixture(scope="session")
def read_drawing() -> Callable[[str], Drawing]:
    return Drawing


@pytest.fixture(scope="session")
def invented() -> SimpleNamespace:
    """What the invented models said of themselves."""
    return SimpleNamespace(**globals())


@pytest.fixture(scope="session")
def many_packages(
    fake: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], OpenedRun]:
    """Give a curated run whose documents are of fifty packages."""

    def many(inputs: Inputs, config: Any) -> Output:
        made = ingest(inputs, config)
        assert isinstance(made.rows, pa.Table)
        rows = made.rows.to_pylist()
        for number, row in enumerate(rows):
            row["labels"] = [("package", f"package {number}")]
        return Output(pa.Table.from_pylist(rows, schema=DOCUMENTS), facts=made.facts)

    home = tmp_path_factory.mktemp("many") / "home"
    run = fake.run_graph(
        home, fake.build_graph(steps={"ingest": replace(fake.INGEST, run=many)}), "many"
    )
    return lambda: OpenedRun(Storage(str(home)), run)
