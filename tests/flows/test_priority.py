"""Priorities of sources, through all steps to the choice: which of two equal texts stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.graph import build_graph
from flows.recipe import recipe_from_plain
from store.datasets import StoredPart
from store.plan import plan_node
from store.runner import Runner
from store.storage import Storage

TEXTS = [f"What number {n} says of the river is said in so many words alone." for n in range(12)]


@pytest.mark.parametrize(("best", "other"), [("web", "books"), ("books", "web")])
def test_equal_texts_are_kept_from_the_source_of_higher_priority(
    tmp_path: Path, best: str, other: str
) -> None:
    sources = {}
    for name in (best, other):
        (tmp_path / name).mkdir()
        lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
        (tmp_path / name / "a.jsonl").write_text(lines)
        path = str(tmp_path / name)
        sources[name] = {"kind": "files", "path": path, "priority": 5 if name == best else -5}
    dedupe = {"prefer": ["priority desc", "num_chars desc"]}
    recipe = recipe_from_plain(
        {"name": "two", "sources": sources, "dedupe": dedupe, "run": {"until": "choose_kept"}}
    )
    plans = {}
    with Runner(Storage(str(tmp_path / "home")), 1) as runner:
        for node in build_graph(recipe):
            runner.run(plan_node(runner.storage, node, plans))
            plans[node.name] = plan_node(runner.storage, node, plans)
    (choice,) = plans["choose_kept"].parts
    rows = StoredPart(runner.storage, choice.receipt, "all").table().to_pylist()
    assert {row["part_key"].split("/")[0] for row in rows if row["keep"]} == {best}
    assert sum(row["keep"] for row in rows) == len(TEXTS) == sum(not row["keep"] for row in rows)
