"""The recipe of docs/shards.md: texts to a model, conversations to one that learnt to answer."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from small_texts import sentence

from catalog.opened import open_run
from data_contracts.errors import RecipeError
from data_contracts.models import DESCRIPTION, WEIGHTS
from flows.graph import build_graph
from flows.recipe import recipe_from_plain
from training.start import model_digest

DOCS = Path(__file__).parents[2] / "docs"
MARKS = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
SMALL = {
    "tokenizer.vocab_size": 330,
    "pretrain.depth": 1,
    "pretrain.context_tokens": 48,
    "pretrain.batch_rows": 4,
    "pretrain.micro_batch_rows": 4,
    "pretrain.num_steps": 6,
    "pretrain.warm_up_steps": 2,
    "pretrain.dtype": '"float32"',
    "pretrain.num_threads": 1,
    "instruct.num_steps": 40,
    "instruct.evaluate_every_steps": 10,
    "conversations.heldout_ratio": 0.2,
}


def recipe_of_docs() -> str:
    text = (DOCS / "shards.md").read_text(encoding="utf-8")
    (found,) = [t for t in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "[instruct]" in t]
    return found


def write_conversations(path: Path) -> None:
    draw = random.Random(3)
    lines = ["{no JSON"]
    for number in range(150):
        first, second = draw.randrange(20), draw.randrange(20)
        answer = "so it is. " * 90 if number == 5 else f"{first + second}."
        turns = [("user", f"{first} and {second}?"), ("assistant", answer)]
        messages = [{"role": role, "content": content} for role, content in turns]
        lines.append(json.dumps({"id": f"c{number}", "messages": messages}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def begun_with(run):
    (part,) = run.dataset("instruct").parts
    return part.facts["heldout_loss_before"]


def check_answers(millrace, home):
    """The taught model writes unless another is named, and answers when asked to."""
    usual = ("--max-tokens", "8", "--temperature", "0", "--home", home)
    said = {
        flags: millrace("generate", "3 and 4?", *flags, *usual).value
        for flags in ((), ("--model", "pretrain"), ("--model", "instruct"), ("--chat",))
    }
    wrote = [value["model"] for value in said.values()]
    assert wrote == ["instruct", "pretrain", "instruct", "instruct"]
    assert said[()] == said["--model", "instruct"]
    assert said[()]["added"] != said["--model", "pretrain"]["added"]
    shown = millrace("generate", "3 and 4?", "--chat", *usual, as_json=False).out
    assert shown.strip() == said[("--chat",)]["added"].strip()
    refused = millrace("generate", "3?", "--chat", "--model", "pretrain", *usual)
    assert refused.code != 0
    assert "has read no conversations" in refused.err


def check_export(millrace, home, folder, run):
    """Conversations go to other trainers with what is asked for."""
    asked = ("--of", "conversations", "--home", home)
    refused = millrace("export", str(folder / "other"), "--to", "megatron", *asked)
    assert "no place for the mask" in refused.err
    done = millrace("export", str(folder / "packed"), "--to", "datatrove", *asked)
    assert done.code == 0, done.err
    rows = [row for row in run.table("pack_messages").to_pylist() if row["split"] == "train"]
    masks = [path.read_bytes() for path in sorted((folder / "packed").glob("*.loss"))]
    assert sum(map(len, masks)) == sum(row["num_tokens"] for row in rows) > 0
    assert sum(map(sum, masks)) == sum(row["num_asked"] for row in rows)


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_api")
def test_the_recipe_of_the_docs_teaches_a_model_to_answer(millrace, tmp_path):
    texts, home = tmp_path / "texts", str(tmp_path / "home")
    texts.mkdir()
    lines = [json.dumps({"id": f"r{n}", "text": sentence(n, 30)}) for n in range(60)]
    (texts / "a.jsonl").write_text("\n".join(lines) + "\n")
    write_conversations(tmp_path / "chat.jsonl")
    recipe = tmp_path / "chat.toml"
    recipe.write_text(recipe_of_docs())
    paths = {"ingest.path": texts, "conversations.path": tmp_path / "chat.jsonl"}
    settings = {**SMALL, **paths}
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]

    first = millrace("run", str(recipe), *words, "--home", home, "--run", "first")
    assert first.code == 0, first.err
    run = open_run(home, "first")
    packed = run.table("pack_messages").to_pylist()
    assert [row["reason"] for row in packed if not row["keep"]] == ["messages.too_long"]
    assert len(packed) == 150
    assert len(run.quarantine("read_conversations")) == 1
    heldout = [row["heldout_loss"] for row in run.table("instruct").to_pylist()]
    heldout = [loss for loss in heldout if loss is not None]
    assert heldout[-1] < heldout[0]
    begun, taught = run.part("pretrain"), run.part("instruct")
    folders = [
        {part.file(name, tmp_path).parent for name in (WEIGHTS, DESCRIPTION)}.pop()
        for part in (begun, taught)
    ]
    described = json.loads((folders[1] / DESCRIPTION).read_text())
    assert described["init_digest"] == model_digest(folders[0])

    traced = millrace("trace", "c5", "--home", home, "--json")
    (document,) = json.loads(traced.out)["documents"]
    assert (document["outcome"], document["reason"]) == ("dropped", "messages.too_long")
    fates = [fate["step"] for fate in document["fates"]]
    assert fates == ["read_conversations", "pack_messages"]

    before = begun_with(run)
    assert before is not None
    assert before > heldout[0]
    linked = tmp_path / "home" / "runs" / "first" / "taught-model"
    assert model_digest(linked) == model_digest(folders[1]) != model_digest(folders[0])
    assert (linked / "tokenizer.model").is_file()
    check_answers(millrace, home)
    check_export(millrace, home, tmp_path, run)

    words += ["--set", "instruct.num_steps=41"]
    other = millrace("run", str(recipe), *words, "--home", home, "--run", "other")
    assert other.code == 0, other.err
    computed = {r.step for r in open_run(home, "other").run.steps if r.partitions_computed}
    assert computed == {"instruct"}
    said = millrace("explain", "pretrain", "--home", home)
    assert "up to date" in said.out


def plain(**sections):
    given = {
        "name": "chat",
        "ingest": {"kind": "files", "path": "texts"},
        "tokenizer": {"control_symbols": ["<mask>", *MARKS]},
        "pretrain": {"depth": 2, "context_tokens": 64, "num_steps": 70},
        "conversations": {"path": "chat.jsonl"},
    }
    return {**given, **sections}


def test_instruct_is_pretrain_but_for_what_it_says_itself():
    recipe = recipe_from_plain(plain(instruct={"num_steps": 90}))
    made = recipe.instruct
    assert (made.depth, made.context_tokens, made.num_steps) == (2, 64, 90)
    assert (made.packing, recipe.pretrain.packing) == ("best_fit", "concat")
    graph = build_graph(recipe)
    assert graph["pack_messages"].config.max_tokens == 65
    assert graph["instruct"].inputs["model"] == "pretrain"
    assert recipe_from_plain(recipe.plain()) == recipe


def test_without_conversations_there_are_no_such_steps():
    names = build_graph(recipe_from_plain(plain(conversations={}))).names()
    assert not {"read_conversations", "pack_messages", "instruct"} & set(names)


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"tokenizer": {}}, r"tokenizer\.control_symbols lacks <\|assistant\|>, <\|end\|>"),
        ({"instruct": {"depth": 3}}, "instruct.depth is 3, not that of pretrain"),
        ({"instruct": {"init_from": "x"}}, "instruct.init_from .* leave them out"),
        ({"pretrain": {"objective": "masked"}}, "give 'causal'"),
        ({"conversations": {"path": "x", "max_tokens": 500}}, "more than a row holds"),
        ({"conversations": {"path": "x", "max_tokens": 3}}, "give 8 or more, or 0"),
        ({"conversations": {"path": "x", "heldout_ratio": 1.0}}, "must be in"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(sections, said):
    with pytest.raises(RecipeError, match=said):
        recipe_from_plain(plain(**sections))
