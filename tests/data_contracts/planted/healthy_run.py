"""A small run without a fault, made by the real steps from three files of made-up text.

Documents repeat each other, are too short, need repairs or cannot be read, so that every step drops
or quarantines some; labels and groups give a task; the tokenizer and the shards are real.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

from catalog.contracts.subject import DATASETS
from pipelines import apply_policy, compute_signals, edit_texts, materialize, split
from pipelines.dedupe import (
    choose_kept,
    compare_candidates,
    compute_signatures,
    find_candidates,
    guard_heldout,
    index_heldout,
    link_duplicates,
    sign_bands,
)
from pipelines.dedupe.near_config import NearConfig
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.ingest import STEP as INGEST
from pipelines.labels.config import LabelsConfig
from pipelines.labels.pack_labels import STEP as PACK_LABELS
from pipelines.messages.config import ConversationsConfig
from pipelines.messages.pack_messages import STEP as PACK_MESSAGES
from pipelines.messages.read_conversations import STEP as READ_CONVERSATIONS
from pipelines.signals.family import SignalsConfig
from pipelines.signals.registry import with_asked
from pipelines.tokenizer.train_tokenizer import STEP as TRAIN_TOKENIZER
from pipelines.tokenizer.train_tokenizer import TokenizerConfig
from pipelines.tokens.pack_tokens import STEP as PACK_TOKENS
from pipelines.tokens.pack_tokens import PackConfig
from store.datasets import Dataset
from store.graph import Graph, Node
from store.plan import NodePlan, plan_node
from store.runner import Runner
from store.storage import Storage

MARKS = ("<mask>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
NUM_FILES = 3
FILE_RECORDS = 330
RULES = (("length.too_short", "num_words < 8"), ("words.no_stop_words", "num_stop_words < 1"))
TOPICS = {
    "mills": ["wheel", "river", "grain", "stone", "flour", "miller", "dam", "sluice"],
    "ships": ["mast", "sail", "harbour", "anchor", "tide", "captain", "rope", "deck"],
    "bread": ["oven", "dough", "yeast", "crust", "loaf", "butter", "salt", "knead"],
}
STOP_WORDS = ["the", "and", "to", "of", "that", "with", "be", "have"]
OTHERS = ["quiet", "early", "every", "second", "morning", "turned", "carried", "several", "people"]


@dataclass(frozen=True)
class HealthyRun:
    """A home with the run's datasets, by name."""

    storage: Storage
    datasets: dict[str, Dataset]

    def upstream(self, name: str) -> dict[str, Dataset]:
        """Return the datasets that stand before one, by step, as a run hands them on."""
        if name == "messages":
            return {"read_conversations": self.datasets["read_conversations"]}
        before = list(DATASETS.items())[: list(DATASETS.values()).index(name)]
        return {step: self.datasets[other] for step, other in before if other != "messages"}


def make_run(folder: Path) -> HealthyRun:
    """Write the files, run every step on them, and return what came out."""
    write_files(folder / "texts")
    write_conversations(folder / "chat")
    storage = Storage(str(folder / "home"))
    plans: dict[str, NodePlan] = {}
    with Runner(storage, 2) as runner:
        for node in build_graph(folder / "texts", folder / "chat"):
            runner.run(plan_node(storage, node, plans))
            plans[node.name] = plan_node(storage, node, plans)
    found = {DATASETS.get(step, step): plan.dataset() for step, plan in plans.items()}
    return HealthyRun(storage, {name: each for name, each in found.items() if each is not None})


def build_graph(texts: Path, chat: Path) -> Graph:
    """Return the steps that have contracts, wired as a recipe wires them."""
    ingest = IngestConfig("files", "healthy", str(texts), max_bundle_file_bytes=1)
    labels = LabelsConfig(
        kind="corpus", label="topic", group="thread", dev_ratio=0.25, test_ratio=0.4, max_tokens=24
    )
    signals, curated = {"signals": "compute_signals"}, {"curated": "materialize"}
    tokenizer = {"tokenizer": "train_tokenizer"}
    linked = {"edges": "link_duplicates", "pairs": "compare_candidates"}
    choices = {"decisions": "apply_policy", **linked, **signals}
    splits = {"signatures": "compute_signatures", "choices": "choose_kept"}
    documents, hashes = {"documents": "edit_texts"}, {"signatures": "compute_signatures"}
    divided, guard = {**documents, "splits": "split"}, guard_heldout.GuardConfig()
    near = NearConfig("high-recall", num_buckets=2)
    both = {"documents": "ingest", "edited": "edit_texts"}
    edits = edit_texts.EditsConfig(("c4_lines@datatrove-0.10",))
    measured = with_asked(SignalsConfig(edits=edits.use), ("language",))
    policy = apply_policy.PolicyConfig(rules=RULES)
    signatures = compute_signatures.SignaturesConfig(num_buckets=2)
    link = link_duplicates.LinkConfig(num_buckets=2)
    conversations = ConversationsConfig(str(chat), max_tokens=120, heldout_ratio=0.3)
    nodes = [
        Node(INGEST, ingest),
        Node(edit_texts.STEP, edits, {"documents": "ingest"}),
        Node(compute_signals.STEP_WITH_EDITS, measured, both),
        Node(apply_policy.STEP, policy, signals),
        Node(compute_signatures.STEP, signatures, documents),
        Node(link_duplicates.STEP, link, hashes),
        Node(sign_bands.STEP, near.bands(), {**documents, **hashes}),
        Node(find_candidates.STEP, near.candidates(), {"bands": "sign_bands"}),
        Node(
            compare_candidates.STEP,
            compare_candidates.CompareConfig(),
            {"candidates": "find_candidates", **hashes, **documents},
        ),
        Node(choose_kept.STEP, choose_kept.ChoiceConfig(), choices),
        Node(split.STEP, split.SplitConfig(heldout_ratio=0.4), splits),
        Node(index_heldout.STEP, guard.index(), divided),
        Node(guard_heldout.STEP, guard, {**divided, "index": "index_heldout"}),
        Node(
            materialize.STEP,
            materialize.MaterializeConfig(edited=True),
            {**documents, **signals, "splits": "guard_heldout"},
        ),
        Node(TRAIN_TOKENIZER, TokenizerConfig(vocab_size=404, control_symbols=MARKS), curated),
        Node(PACK_TOKENS, PackConfig(), {**curated, **tokenizer}),
        Node(READ_CONVERSATIONS, conversations.reading()),
        Node(PACK_MESSAGES, conversations, {"conversations": "read_conversations", **tokenizer}),
        Node(PACK_LABELS, labels, {"labelled": "materialize", **tokenizer}),
    ]
    return Graph(nodes)


def write_files(folder: Path) -> None:
    """Write JSON Lines: texts with topic and thread, some equal, short, to repair, or no JSON."""
    folder.mkdir()
    for number in range(NUM_FILES):
        draw = random.Random(number)
        lines = [json.dumps(record(draw, number, n)) for n in range(FILE_RECORDS)]
        lines += ["{no JSON", json.dumps({"id": "blank", "text": " \n"})]
        (folder / f"file-{number}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_conversations(folder: Path) -> None:
    """Write a file of conversations, some too long, some that are none."""
    folder.mkdir()
    draw, lines = random.Random(5), ["{no JSON", json.dumps({"messages": []})]
    for number in range(80):
        turns = []
        for _ in range(draw.randint(1, 3)):
            answer = f"{draw.choice(OTHERS)} {number}" * (60 if number % 20 == 7 else 1)
            turns += [("user", sentences(draw, "mills")[:40]), ("assistant", answer)]
        messages = [{"role": role, "content": content} for role, content in turns]
        lines.append(json.dumps({"id": f"c{number}", "messages": messages}))
    (folder / "chat.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def record(draw: random.Random, file: int, number: int) -> dict[str, object]:
    """Return a record: every 20th has a text of all files, every 25th one that differs in case.

    Of every 30th another file may have nearly the same, with a word spelled otherwise, and of every
    40th one with another number.
    """
    topic = draw.choice(list(TOPICS))
    text = sentences(draw, topic)
    if number % 20 == 0:
        text = sentences(random.Random(f"same {number}"), "mills")
    if number % 25 == 0:
        text = sentences(random.Random(f"case {number}"), "ships")
        text = (text.upper, text.lower, text.title)[file]()
    if number % 30 == 4:
        text = " ".join(sentences(random.Random(f"near {number} {n}"), "bread") for n in range(9))
        text = text.replace("carried", ("carried", "carreid", "carriied")[file])
    if number % 40 == 8:
        text = " ".join(sentences(random.Random(f"fact {number} {n}"), "mills") for n in range(9))
        text = text.replace(" with ", f" with {file} and ", 1)
    if number % 5 == 1:
        text = " ".join(draw.choices(TOPICS[topic], k=4)) + f" {file} {number}"
    if number % 15 == 2:
        text = " ".join(draw.choices(TOPICS[topic], k=12)) + f" {file} {number}"
    if number % 7 == 3:
        text = text.replace(".", ".\r\n")
    labels = {"topic": topic, "thread": f"{topic}-{draw.randrange(12)}"}
    url = f"https://example.org/{file}/{number}"
    return {"id": f"{file}-{number}", "text": text, "labels": labels, "url": url}


def sentences(draw: random.Random, topic: str) -> str:
    """Return up to six sentences of words of a topic, stop words and others."""
    lines = []
    for _ in range(draw.randint(1, 6)):
        words = draw.choices(TOPICS[topic] * 2 + STOP_WORDS + OTHERS, k=draw.randint(8, 16))
        lines.append(f"{words[0].title()} {' '.join(words[1:])} with {draw.randrange(1000)}.")
    return "\n".join(lines)
