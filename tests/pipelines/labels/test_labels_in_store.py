"""From labelled documents to predictions through a real home: what is computed again, what not."""

import json
import random
from dataclasses import dataclass, replace

from labelled_corpus import CLASSES, corpus, text_of

from data_contracts.documents import CURATED
from pipelines.labels.config import LabelsConfig
from pipelines.labels.pack_labels import STEP as PACK_LABELS
from pipelines.labels.read_labels import STEP as READ_LABELS
from pipelines.labels.score_baseline import STEP as SCORE_BASELINE
from pipelines.labels.score_baseline import BaselineConfig
from pipelines.tokenizer.train_tokenizer import STEP as TRAIN_TOKENIZER
from pipelines.tokenizer.train_tokenizer import TokenizerConfig
from store.graph import Graph, Node
from store.plan import plan_node
from store.runner import Runner
from store.step import Output, SourcePart, Step
from store.storage import Storage


@dataclass(frozen=True)
class CorpusConfig:
    """Nothing to choose."""


def curate(inputs, config):
    table = corpus()
    half = table.slice(0, 250) if inputs.key == "0" else table.slice(250)
    return Output(half, facts={"records_framed": len(half)})


def list_parts(config):
    return [SourcePart(str(i), ()) for i in range(2)]


CURATE = Step("curate", 1, "source", curate, CorpusConfig, CURATED, list_parts=list_parts)
CONFIG = LabelsConfig(kind="corpus", dev_ratio=0.2, test_ratio=0.4)
QUICK = BaselineConfig(analyzers=("words",), inverse_strengths=(1.0, 4.0))


def run(storage, config):
    nodes = [
        Node(CURATE, CorpusConfig()),
        Node(TRAIN_TOKENIZER, TokenizerConfig(400), {"curated": "curate"}),
    ]
    labelled = "curate"
    if config.kind == "files":
        nodes.append(Node(READ_LABELS, config.reading()))
        labelled = "read_labels"
    inputs = {"labelled": labelled, "tokenizer": "train_tokenizer"}
    nodes.append(Node(PACK_LABELS, config, inputs))
    nodes.append(Node(SCORE_BASELINE, QUICK, {"labelled": "pack_labels"}))
    plans, results = {}, {}
    with Runner(storage) as runner:
        for node in Graph(nodes):
            plan = plan_node(storage, node, plans)
            results[node.name] = runner.run(plan)
            plans[node.name] = plan.completed(results[node.name].dataset)
    return results


def computed(results):
    return {name: result.num_computed for name, result in results.items()}


def test_labels_of_the_corpus(tmp_path):
    storage = Storage(str(tmp_path / "home"))
    first = run(storage, CONFIG)
    packed = first["pack_labels"].dataset
    assert packed.rows.kept > 100
    (receipt,) = packed.parts
    assert list(receipt.facts["classes"]) == list(CLASSES)
    (scored,) = first["score_baseline"].dataset.parts
    documents = receipt.facts["documents"]
    assert scored.num_rows == documents["dev"] + documents["test"] > 30
    assert set(computed(run(storage, CONFIG)).values()) == {0}
    again = computed(run(storage, replace(CONFIG, max_tokens=32)))
    assert again == {"curate": 0, "train_tokenizer": 0, "pack_labels": 1, "score_baseline": 1}


def test_labels_of_files(tmp_path):
    draw = random.Random(5)
    folder = tmp_path / "given"
    folder.mkdir()
    records = [{"text": text_of(name, draw), "label": name} for name in CLASSES for _ in range(60)]
    lines = [json.dumps(record) for record in [*records, {"text": "no label"}]]
    (folder / "a.jsonl").write_text("\n".join(lines))
    storage = Storage(str(tmp_path / "home"))
    config = LabelsConfig(kind="files", path=str(folder), dev_ratio=0.2, test_ratio=0.4)
    first = run(storage, config)
    assert first["read_labels"].dataset.rows.quarantined == 1
    (receipt,) = first["pack_labels"].dataset.parts
    assert sum(receipt.facts["documents"].values()) == 180
    again = computed(run(storage, replace(config, max_tokens=32)))
    assert (again["read_labels"], again["pack_labels"]) == (0, 1)
