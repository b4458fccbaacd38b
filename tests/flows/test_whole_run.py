"""A whole small run, from texts and labels to the report, on a real Prefect server."""

from __future__ import annotations

import json
import urllib.request

import pytest
from small_texts import write_lines

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_api")]

WORDS = {
    "sea": ["harbour", "anchor", "sail", "tide", "lighthouse", "captain", "rowing", "storm"],
    "kitchen": ["flour", "oven", "butter", "recipe", "spoon", "kneading", "dough", "simmer"],
}
SETTINGS = {
    "run.until": "",
    "ingest.max_bundle_file_bytes": 1,
    "split.heldout_ratio": 0.2,
    "tokenizer.vocab_size": 300,
    "pretrain.depth": 1,
    "pretrain.context_tokens": 32,
    "pretrain.batch_rows": 4,
    "pretrain.micro_batch_rows": 4,
    "pretrain.num_steps": 12,
    "pretrain.warm_up_steps": 2,
    "pretrain.dtype": '"float32"',
    "pretrain.num_threads": 1,
    "samples.prompts": '["Number"]',
    "samples.max_tokens": 12,
    "labels.kind": "files",
    "labels.min_train_documents": 4,
    "labels.dev_ratio": 0.2,
    "labels.test_ratio": 0.3,
    "labels.max_tokens": 24,
    "finetune.learning_rates": "[1e-3, 4e-3]",
    "finetune.epochs": "[1, 2]",
    "finetune.num_seeds": 2,
    "finetune.num_threads": 1,
    "evaluate.num_resamples": 200,
}
MODEL_STEPS = [
    "train_tokenizer",
    "pack_tokens",
    "read_labels",
    "pack_labels",
    "score_baseline",
    "pretrain",
    "score_heldout",
    "sample_texts",
    "finetune",
    "evaluate",
]


def write_labels(path, records=120):
    lines = []
    for number in range(records):
        label = ("sea", "kitchen")[number % 2]
        words = [WORDS[label][(number * step) % 8] for step in (1, 3, 5, 7)]
        lines.append({"text": f"{number} {' '.join(words)}", "label": label})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def train(millrace, texts, tmp_path):
    """Run the recipe my-text to its end, with more words after it."""
    home, labels = tmp_path / "home", tmp_path / "labels.jsonl"
    write_labels(labels)
    settings = {**SETTINGS, "ingest.path": texts, "labels.path": labels}
    base = ["run", "my-text", "--home", str(home)]
    for name, value in settings.items():
        base += ["--set", f"{name}={value}"]

    def run(*words):
        return millrace(*base, *words)

    run.home, run.labels = home, labels
    return run


def computed(run):
    return {s["step"]: s["partitions_computed"] for s in run["steps"] if s["partitions_computed"]}


def artifact(api, key):
    request = urllib.request.Request(f"{api}/artifacts/{key}/latest")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_from_texts_and_labels_to_the_report(train, millrace, prefect_api, texts):
    first = train("--run", "first")
    assert first.code == 0, first.err
    assert [s["step"] for s in first.value["steps"]][-10:] == MODEL_STEPS
    assert {s["state"] for s in first.value["steps"]} == {"fresh"}
    home = ["--home", str(train.home)]

    page = (train.home / "runs" / "first" / "report.html").read_text()
    for told in ("from scratch", "TF-IDF", "held-out", "sea", "kitchen"):
        assert told in page
    shown = artifact(prefect_api, "report")
    assert str(train.home / "runs" / "first" / "report.html") in shown["data"]
    report = millrace("report", *home)
    assert report.value["page"].endswith("runs/first/report.html")
    assert report.value["facts"]["comparison"]

    model = {path.name for path in (train.home / "runs" / "first" / "model").iterdir()}
    assert model == {"model.safetensors", "model.json", "tokenizer.model"}
    drawn = [millrace("generate", "Number", *home, "--max-tokens", "9") for _ in range(2)]
    assert drawn[0].code == 0
    assert drawn[0].value == drawn[1].value
    assert drawn[0].value["prompt"] == "Number"

    again = train("--run", "again")
    assert computed(again.value) == {}
    assert (train.home / "runs" / "again" / "report.html").is_file()

    other = train("--run", "other", "--set", "evaluate.num_resamples=300")
    assert computed(other.value) == {"evaluate": 1}
    write_lines(texts / "part-20.jsonl", range(200, 210))
    more = computed(train("--run", "more").value)
    assert more["ingest"] == more["materialize"] == 1
    assert "read_labels" not in more


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{"text": "only text"}], "label"),
        ([{"words": "x", "label": "sea"}], "text"),
        ([{"text": f"text {n}", "label": "sea"} for n in range(60)], "needs two classes"),
    ],
)
def test_labels_that_make_no_task_are_told_before_training(train, lines, said):
    train.labels.write_text("".join(json.dumps(line) + "\n" for line in lines))
    answer = train("--run", "bad")
    assert answer.code in (1, 2)
    assert said in answer.err.splitlines()[-1]
    assert not list(train.home.glob("parts/pretrain/*.json"))


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("tokenizer.vocab_size=200000", "set it to"),
        ("pretrain.batch_rows=100000", "too few for one batch"),
        ("pretrain.dtype=float64", "dtype is float64"),
        ("finetune.epochs=[]", "finetune.epochs"),
        ("run.until=pretran", "did you mean 'pretrain'"),
    ],
)
def test_settings_that_cannot_be_are_one_sentence(train, setting, said):
    answer = train("--set", setting)
    assert answer.code in (1, 2)
    last = answer.err.strip().splitlines()[-1]
    assert said in last
    assert last.startswith("millrace: ")
    assert not list(train.home.glob("parts/pretrain/*.json"))
