"""What the pages on nights and contracts print of my-text has its steps, flows and contracts."""

import re
from pathlib import Path

from catalog.contracts.subject import DATASETS
from flows.deployments import Target, flows_of
from flows.graph import build_graph
from flows.recipe import load_recipe

DOCS = Path(__file__).parents[2] / "docs"


def test_nights_shows_the_steps_and_deployments_that_there_are():
    text = (DOCS / "nights.md").read_text()
    names = build_graph(load_recipe("my-text")).names()
    deployed = list(flows_of(Target("my-text", "home")))
    stages = sum(only is None for _, _, only in deployed) - 1
    assert re.findall(r"(\d+) steps, started by hand", text) == [str(len(names))]
    assert re.findall(r"and (\d+) more stages", text) == [str(stages - 1)]
    assert re.findall(r"\((\d+) deployments,", text) == [str(len(deployed))]
    first, second = re.findall(r"new partitions \((.*?)\)", text)[:2]
    for line in (first, second):
        assert [one.split()[0] for one in line.split(", ")] == list(names)


def test_contracts_shows_how_many_are_held():
    names = build_graph(load_recipe("my-text")).names()
    held = sum(step in DATASETS for step in names)
    text = (DOCS / "contracts.md").read_text()
    assert re.findall(r"`(\d+) contracts held", text) == [str(held)]
