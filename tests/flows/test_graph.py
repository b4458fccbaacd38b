"""The wiring of recipes: which steps there are, what feeds them, and what their configs say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data_contracts.errors import RecipeError
from flows.graph import build_graph
from flows.recipe import recipe_from_plain
from store.graph import Graph

EDIT = "c4_lines_any_ending@datatrove-0.10"
FINEWEB = [
    "gopher@datatrove-0.10",
    "c4_any_ending@datatrove-0.10",
    "edited:fineweb@datatrove-0.10",
]


def graph_of(**sections: Any) -> Graph:
    run = {"until": "materialize"}
    return build_graph(recipe_from_plain({"name": "r", "run": run, **sections}))


def test_without_edits_all_that_reads_text_reads_what_was_ingested() -> None:
    graph = graph_of()
    assert "edit_texts" not in graph.names()
    assert dict(graph["compute_signals"].inputs) == {"documents": "ingest"}
    assert graph["materialize"].inputs["documents"] == "ingest"


def test_with_edits_signals_read_both_texts_and_all_else_the_edited_one() -> None:
    graph = graph_of(edits={"use": [EDIT]}, policy={"use": FINEWEB})
    assert graph.names()[:3] == ["ingest", "edit_texts", "compute_signals"]
    both = {"documents": "ingest", "edited": "edit_texts"}
    assert dict(graph["compute_signals"].inputs) == both
    for step in ("compute_signatures", "materialize"):
        assert graph[step].inputs["documents"] == "edit_texts"
    assert graph["materialize"].config.edited
    config = graph["compute_signals"].config
    assert {"datatrove_words", "datatrove_repetition"} < set(config.families)
    assert config.edited_families == ("characters", "words", "datatrove_lines")


def test_fineweb_of_edited_text_needs_an_edit() -> None:
    with pytest.raises(RecipeError, match=r"edits\.use lists no edit"):
        graph_of(policy={"use": ["edited:fineweb@datatrove-0.10"]})


def test_what_a_list_holds_counts_and_where_it_lies_does_not(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.txt", "b.txt", "c.txt")]
    for path, text in zip(paths, ("bad.com\n", "bad.com\n", "worse.com\n"), strict=True):
        path.write_text(text)
    digests = []
    for path in paths:
        signals = {"lists": {"blocked_domains": str(path)}}
        graph = graph_of(signals=signals, policy={"use": ["urls@datatrove-0.10"]})
        digests.append(graph["compute_signals"].config.lists.digests)
    assert digests[0] == digests[1] != digests[2]
    assert "tldextract" in dict(digests[0])


def test_lists_that_no_signal_reads_are_not_opened(tmp_path: Path) -> None:
    signals = {"lists": {"blocked_domains": str(tmp_path / "none.txt")}}
    assert graph_of(signals=signals)["compute_signals"].config.lists.digests == ()
    with pytest.raises(RecipeError, match=r"none\.txt"):
        graph_of(signals=signals, policy={"use": ["urls@datatrove-0.10"]})
