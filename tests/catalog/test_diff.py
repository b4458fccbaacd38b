from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from catalog.diff import Change, diff
from catalog.opened import OpenedRun, open_run


@pytest.fixture(scope="module")
def runs(fake: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Two runs: the second has a stricter rule and another partition instead of one."""
    home: Path = tmp_path_factory.mktemp("diff")
    fake.run_graph(home, fake.build_graph(), "first")
    files = fake.FakeFiles((("p0", 0), ("p1", 0), ("p3", 0)))
    stricter = (*fake.RULES, ("length.medium", "num_chars < 24"))
    fake.run_graph(home, fake.build_graph(files, stricter), "second")
    return open_run(str(home), "first"), open_run(str(home), "second")


def fates(run: OpenedRun) -> dict[str, str]:
    """What became of every document, by plain Python: the oracle."""
    found = dict.fromkeys(run.table("ingest")["doc_id"].to_pylist(), "undecided")
    for key in run.documents(["doc_id"])["doc_id"].to_pylist():
        found[key] = "curated"
    for step in ("apply_policy", "choose_kept"):
        for row in run.decisions(step).to_pylist():
            if not row["keep"]:
                found[row["doc_id"]] = row["reason"]
    for row in run.quarantine().to_pylist():
        if row["doc_id"]:
            found[row["doc_id"]] = f"quarantined by {row['step']}"
    return found


def test_changes_are_those_of_the_fates(runs: tuple[Any, Any]) -> None:
    before, now = fates(runs[0]), fates(runs[1])
    expected: dict[tuple[str, str], list[str]] = {}
    for key in before.keys() | now.keys():
        pair = (before.get(key, "absent"), now.get(key, "absent"))
        if pair[0] != pair[1]:
            expected.setdefault(pair, []).append(key)
    changes = diff(*runs)
    assert {(c.before, c.now): c.num_rows for c in changes} == {
        pair: len(keys) for pair, keys in expected.items()
    }
    for change in changes:
        keys = sorted(expected[change.before, change.now])
        assert change.doc_ids == tuple(keys[:10])
    kinds = set(expected)
    assert ("curated", "length.medium") in kinds
    assert ("curated", "absent") in kinds
    assert ("absent", "curated") in kinds
    assert ("quarantined by ingest", "absent") in kinds
    assert [c.num_rows for c in changes] == sorted((c.num_rows for c in changes), reverse=True)


def test_a_run_does_not_differ_from_itself(runs: tuple[Any, Any]) -> None:
    assert diff(runs[0], runs[0]) == []


def test_an_unfinished_run_is_undecided(fake: SimpleNamespace, tmp_path: Path) -> None:
    graph = fake.build_graph()
    fake.run_graph(tmp_path, fake.Graph(list(graph)[:1]), "short")
    fake.run_graph(tmp_path, graph, "whole")
    changes = diff(open_run(str(tmp_path), "short"), open_run(str(tmp_path), "whole"))
    assert {change.before for change in changes} == {"undecided"}
    assert sum(change.num_rows for change in changes) == 150
    assert isinstance(changes[0], Change)
