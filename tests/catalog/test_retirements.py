from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from catalog.opened import OpenedRun, open_run
from catalog.retirements import RETIRED, retirements


@pytest.fixture(scope="module")
def runs(fake: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Two runs: the second has a stricter rule, one partition less and one that changed."""
    home: Path = tmp_path_factory.mktemp("retirements")
    fake.run_graph(home, fake.build_graph(), "first")
    files = fake.FakeFiles((("p0", 1), ("p2", 0)))
    stricter = (*fake.RULES, ("length.medium", "num_chars < 24"))
    fake.run_graph(home, fake.build_graph(files, stricter), "second")
    return open_run(str(home), "first"), open_run(str(home), "second")


def curated(run: OpenedRun) -> set[str]:
    return set(run.documents(["doc_id"])["doc_id"].to_pylist())


def test_each_retired_document_is_there_once_with_its_reason(runs: tuple[Any, Any]) -> None:
    before, now = runs
    rows = retirements(before, now)
    assert rows.schema.equals(RETIRED)
    ids = rows["doc_id"].to_pylist()
    assert ids == sorted(curated(before) - curated(now))
    read = set(now.table("ingest")["doc_id"].to_pylist())
    reasons = {
        row["doc_id"]: row["reason"]
        for step in ("apply_policy", "choose_kept")
        for row in now.decisions(step).to_pylist()
        if not row["keep"]
    }
    told = {row["doc_id"]: row["why"] for row in rows.to_pylist()}
    expected = {one: reasons.get(one, "?") if one in read else "withdrawn" for one in ids}
    assert told == expected
    assert {"withdrawn", "length.medium"} <= set(told.values())


def test_what_took_a_retired_document_s_place_is_named(
    fake: SimpleNamespace, tmp_path: Path
) -> None:
    """A partition comes, of which a document has a smaller id than its equal of the day before."""
    one = fake.FakeFiles((("p2", 0),))
    fake.run_graph(tmp_path, fake.build_graph(one), "first")
    fake.run_graph(tmp_path, fake.build_graph(), "second")
    before, now = open_run(str(tmp_path), "first"), open_run(str(tmp_path), "second")
    rows = retirements(before, now).to_pylist()
    assert rows
    for row in rows:
        assert row["why"].startswith("duplicate.")
        assert row["partner_id"] in curated(now) - curated(before)
        assert row["jaccard"] == row["containment"] == 1.0


def test_nothing_is_retired_between_equal_runs_or_unfinished_ones(
    fake: SimpleNamespace, runs: tuple[Any, Any], tmp_path: Path
) -> None:
    assert len(retirements(runs[0], runs[0])) == 0
    fake.run_graph(tmp_path, fake.Graph(list(fake.build_graph())[:3]), "short")
    short = open_run(str(tmp_path), "short")
    assert len(retirements(runs[0], short)) == len(retirements(short, runs[0])) == 0
