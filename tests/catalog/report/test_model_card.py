"""The model's card: what sources say travels into it, and the hub can read it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from huggingface_hub import ModelCard

from catalog.opened import OpenedRun
from catalog.report import ReportFacts, report_facts
from catalog.report.model_card import NOT_SAID, CardSource, read_sources, write_card

HOSTILE = "x | y\n# <script>alert(1)</script> [a](b) \u202e"
SOURCES = {
    "fake": {
        "licence": "cc-by-4.0",
        "consent": "asked in May",
        "priority": 3,
        "labels": [["language", "en"], ["origin", HOSTILE]],
        "path": "hf://datasets/me/texts/data/*.parquet",
    }
}


@pytest.fixture(scope="session")
def facts(whole: OpenedRun) -> ReportFacts:
    return report_facts(whole)


def with_sources(opened: OpenedRun, sources: dict[str, Any]) -> OpenedRun:
    recipe = {**opened.run.recipe, "sources": sources}
    return OpenedRun(opened.storage, replace(opened.run, recipe=recipe))


def test_what_the_recipe_says_of_a_source_stands_in_the_card(
    whole: OpenedRun, facts: ReportFacts
) -> None:
    opened = with_sources(whole, SOURCES)
    sources = read_sources(opened)
    splits = whole.documents(["split"])["split"].to_pylist()
    assert sources == (
        CardSource(
            "fake",
            SOURCES["fake"],
            whole.table("ingest").num_rows,
            splits.count("train"),
            splits.count("heldout"),
        ),
    )
    card = write_card(facts, sources)
    (row,) = [line for line in card.splitlines() if line.startswith("| fake |")]
    assert all(word in row for word in ("cc-by-4.0", "asked in May", "| 3 |", "language: en"))
    for record in whole.run.steps:
        assert record.dataset is None or record.dataset in card
    for name in ("Texts", "Tokens", "Training", "Scores", "Lineage"):
        assert f"\n## {name}\n" in card


def test_the_hub_reads_the_front_matter(whole: OpenedRun, facts: ReportFacts) -> None:
    data = ModelCard(write_card(facts, read_sources(with_sources(whole, SOURCES)))).data
    assert (data.license, data.language, data.datasets) == ("cc-by-4.0", ["en"], ["me/texts"])
    free = {"fake": {"licence": "of each page's site: with care"}, "none": {}}
    data = ModelCard(write_card(facts, read_sources(with_sources(whole, free)))).data
    assert (data.license, data.language, data.datasets) == ("other", None, None)
    card = write_card(facts, read_sources(with_sources(whole, {"fake": {}})))
    assert ModelCard(card).data.license is None
    assert NOT_SAID in card


def test_what_is_not_ours_breaks_no_table(whole: OpenedRun, facts: ReportFacts) -> None:
    card = write_card(facts, read_sources(with_sources(whole, SOURCES)))
    assert "\u202e" not in card
    assert not re.search(r"(?<!\\)<", card)
    tables = re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE)
    assert len(tables) >= 4
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_a_run_without_models_has_a_card_of_its_texts(facts: ReportFacts) -> None:
    bare = replace(facts, pretraining=None, comparison=None, tokenizer=None, data=None)
    card = write_card(bare, ())
    assert "## Training" not in card
    assert "## Lineage" in card
