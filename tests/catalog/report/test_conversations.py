"""The conversations' part of the report: counts against the lines written, losses, what lacks."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from catalog.opened import OpenedRun
from catalog.report import report_facts, write_page
from catalog.report.contents import missing
from catalog.report.facts import ReportFacts
from catalog.report.model_card import read_sources, write_card
from catalog.report.read_conversations import read_conversations
from catalog.report.section_conversations import conversations_view, losses
from data_contracts.models import CURVE
from pipelines.messages import pack_messages
from pipelines.messages import read_conversations as reading
from pipelines.messages.config import ConversationsConfig
from pipelines.tokenizer import train_tokenizer
from store.graph import Graph, Node
from store.step import Inputs, Output, Step
from store.storage import Storage

MARKS = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
RECIPE = {
    "conversations": {"path": "/data/<chat>.jsonl", "max_tokens": 60, "heldout_ratio": 0.3},
    "pretrain": {"num_steps": 1000, "packing": "concat", "depth": 4},
    "instruct": {"num_steps": 30, "packing": "best_fit", "depth": 4},
}
NUM_GOOD, NUM_LONG, NUM_NO_JSON, NUM_BAD_ROLE = 40, 2, 3, 1
LOSSES = {10: 2.5, 20: 2.25, 30: 2.0}
TAUGHT_FACTS = {"num_steps": 30, "loss": 1.9, "num_tokens": 7680, "heldout_loss_before": 4.125}


@dataclass(frozen=True)
class Nothing:
    """No choices."""


def instruct(inputs: Inputs, config: Any) -> Output:
    rows = [
        {"step": step, "num_tokens": step * 256, "loss": loss - 0.1, "learning_rate": 0.001,
         "gradient_norm": 1.0, "heldout_loss": loss}
        for step, loss in LOSSES.items()
    ]  # fmt: skip
    return Output(pa.Table.from_pylist(rows, CURVE), facts=TAUGHT_FACTS)


def write_lines(path: Path) -> None:
    def exchange(role: str, question: str, answer: str) -> list[dict[str, str]]:
        return [{"role": role, "content": question}, {"role": "assistant", "content": answer}]

    def line(*exchanges: list[dict[str, str]]) -> str:
        return json.dumps({"messages": [turn for one in exchanges for turn in one]})

    short = [exchange("user", f"{n} and {n}?", f"{2 * n}.") for n in range(NUM_GOOD)]
    endless = [exchange("user", f"why {n}?", "so it is. " * 90) for n in range(NUM_LONG)]
    good = [line(short[0], *endless), *map(line, short[1:])]
    long = [line(one) for one in endless]
    bad = [*["{no <i>JSON"] * NUM_NO_JSON, *[line(exchange("<tool>", "a", "b"))] * NUM_BAD_ROLE]
    path.write_text("\n".join([*good, *long, *bad]) + "\n")


def nodes(path: Path) -> list[Node]:
    tokenizer = train_tokenizer.TokenizerConfig(vocab_size=320, control_symbols=("<mask>", *MARKS))
    packing = ConversationsConfig(str(path), max_tokens=60, heldout_ratio=0.3)
    wires = {"conversations": "read_conversations", "tokenizer": "train_tokenizer"}
    taught = Step(
        "instruct", 1, "whole", instruct, Nothing, CURVE, {"tokens": "all"}, emits="model"
    )
    return [
        Node(train_tokenizer.STEP, tokenizer, {"curated": "materialize"}),
        Node(reading.STEP, packing.reading()),
        Node(pack_messages.STEP, packing, wires),
        Node(taught, Nothing(), {"tokens": "pack_messages"}),
    ]


@pytest.fixture(scope="module")
def opened(fake: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> OpenedRun:
    folder = tmp_path_factory.mktemp("conversations")
    write_lines(folder / "chat.jsonl")
    graph = Graph([*fake.build_graph(), *nodes(folder / "chat.jsonl")])
    run = fake.run_graph(folder / "home", graph, "taught")
    recipe = {**run.recipe, **RECIPE}
    return OpenedRun(Storage(str(folder / "home")), replace(run, recipe=recipe))


def without(opened: OpenedRun, *steps: str) -> OpenedRun:
    kept = tuple(record for record in opened.run.steps if record.step not in steps)
    return OpenedRun(opened.storage, replace(opened.run, steps=kept))


@pytest.fixture(scope="module")
def facts(opened: OpenedRun) -> ReportFacts:
    return report_facts(opened)


def section(text: str) -> str:
    markup = text.partition('<section id="conversations">')[2].partition("</section>")[0]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", markup)))


def test_counts_are_those_of_the_lines_and_of_the_rows(
    opened: OpenedRun, facts: ReportFacts
) -> None:
    found = facts.conversations
    assert found is not None
    assert found.num_read == NUM_GOOD + NUM_LONG + NUM_NO_JSON + NUM_BAD_ROLE
    assert found.errors == {"not JSON": NUM_NO_JSON, "messages.bad_role": NUM_BAD_ROLE}
    assert found.left_out == {"messages.too_long": NUM_LONG}
    assert found.aside == {"messages.too_long": NUM_LONG}
    assert sum(side.num_conversations for side in found.sides) == NUM_GOOD
    assert [side.split for side in found.sides] == ["train", "heldout"]
    rows = [row for row in opened.table("pack_messages").to_pylist() if row["keep"]]
    for side in found.sides:
        mine = [row for row in rows if row["split"] == side.split]
        assert 0 < side.num_conversations == len(mine)
        assert side.num_samples == sum(row["num_samples"] for row in mine)
        assert side.num_tokens == sum(row["num_tokens"] for row in mine)
        assert side.num_asked == sum(row["num_asked"] for row in mine) < side.num_tokens
    assert found.differences == {"num_steps": 30, "packing": "best_fit"}


def test_records_of_documents_are_told_apart_from_those_of_conversations(
    facts: ReportFacts,
) -> None:
    assert facts.data is not None
    assert facts.data.quarantine_errors == {"not UTF-8: byte 0xff": 3}


def test_the_loss_told_is_that_of_the_model_kept(facts: ReportFacts) -> None:
    found = facts.conversations
    assert found is not None
    assert found.taught is not None
    assert losses(found) == (4.125, 2.0)
    best = replace(found.taught, facts={**found.taught.facts, "heldout_loss": 1.75})
    assert losses(replace(found, taught=best)) == (4.125, 1.75)


def test_the_page_tells_what_was_read_and_what_was_learnt(facts: ReportFacts) -> None:
    text = write_page(facts)
    told = section(text)
    assert f"46 conversations came in: {NUM_GOOD} packed, 2 left out, 4 in quarantine." in told
    assert "2 exchanges of packed ones found no place in a sample: 2 messages.too_long." in told
    assert "is 2.000 nats a token; of the model that it began with it is 4.125." in told
    assert "left out messages.too_long one exchange is longer than a sample may be 2" in told
    assert "in quarantine not JSON 3" in told
    assert "/data/<chat>.jsonl" in told
    assert "<i>" not in text
    assert '<a href="#conversations">Conversations</a>' in text


def test_the_curve_begins_with_the_model_that_was_not_taught(
    facts: ReportFacts, read_drawing: Callable[[str], Any]
) -> None:
    view = conversations_view(facts.conversations)
    assert view is not None
    drawing = read_drawing(view["chart"])
    dots = [e for e in drawing.marks("circle") if e.get("cx")]
    across, up = drawing.axis("x"), drawing.axis("y")
    points = [(across(float(e.get("cx"))), up(float(e.get("cy")))) for e in dots]
    expected = [(0.0, 4.125), *((step * 0.256, loss) for step, loss in LOSSES.items())]
    assert len(points) == len(expected)
    for point, wanted in zip(sorted(points), expected, strict=True):
        assert point == pytest.approx(wanted, abs=0.05)


def test_a_run_that_did_not_look_before_says_so_much_less(facts: ReportFacts) -> None:
    assert facts.conversations is not None
    assert facts.conversations.taught is not None
    taught = replace(facts.conversations.taught, facts={"num_steps": 30})
    view = conversations_view(replace(facts.conversations, taught=taught))
    assert view is not None
    assert view["sentences"][-1].endswith("the assistant says is 2.000 nats a token.")


def test_what_a_run_with_conversations_lacks_is_said_and_nothing_of_one_without(
    opened: OpenedRun, facts: ReportFacts
) -> None:
    def said(*steps: str) -> list[str]:
        found = replace(facts, conversations=read_conversations(without(opened, *steps)))
        write_page(found)
        return [sentence for sentence in missing(found) if "onversations" in sentence]

    later = ("pack_messages", "instruct")
    assert said() == []
    assert said("instruct") == ["No model was taught by the conversations in this run."]
    assert said(*later) == ["The conversations were not packed in this run."]
    assert said("read_conversations", *later) == ["No conversations were read in this run."]
    plain = replace(facts, conversations=None, run=replace(facts.run, recipe={}))
    assert not [sentence for sentence in missing(plain) if "onversations" in sentence]
    assert 'id="conversations"' not in write_page(plain)


def test_the_card_of_the_model_tells_of_them_too(opened: OpenedRun, facts: ReportFacts) -> None:
    card = write_card(facts, read_sources(opened))
    assert "## Conversations\n\n46 conversations came in: 40 packed" in card
