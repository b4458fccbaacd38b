from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from catalog.funnel import count_retired, funnel, funnel_by_source, retired_ids
from catalog.opened import OpenedRun, open_run
from data_contracts.documents import doc_id
from store.storage import Storage


def test_each_step_takes_in_what_the_one_before_kept(finished: Any) -> None:
    rows = {line.step: line for line in funnel(OpenedRun(finished.storage, finished.run))}
    assert list(rows) == finished.graph.names()
    assert (rows["ingest"].rows.num_in, rows["ingest"].rows.quarantined) == (153, 3)
    path = ["compute_signals", "apply_policy", "choose_kept", "split", "materialize"]
    for before, now in itertools.pairwise(path):
        assert rows[now].rows.num_in == rows[before].rows.kept
    for line in rows.values():
        assert sum(line.reasons.values()) == line.rows.dropped
    assert rows["apply_policy"].reasons == {"length.short": 15}


def test_sources_add_up(finished: Any) -> None:
    opened = OpenedRun(finished.storage, finished.run)
    counted = funnel_by_source(opened, "apply_policy")
    assert counted == [
        {"source": "fake", "keep": True, "reason": None, "num_rows": 135},
        {"source": "fake", "keep": False, "reason": "length.short", "num_rows": 15},
    ]
    (signals,) = funnel_by_source(opened, "compute_signals")
    assert signals["num_rows"] == 150


@pytest.fixture
def home(fake: SimpleNamespace, tmp_path: Path) -> Any:
    """A home whose second run lacks a partition, has another edition of one and a new one."""
    ingest = fake.Graph(list(fake.build_graph())[:1])
    fake.run_graph(tmp_path, ingest, "first")
    later = fake.FakeFiles((("p0", 0), ("p1", 1), ("p3", 0)))
    fake.run_graph(tmp_path, fake.Graph(list(fake.build_graph(later))[:1]), "second")
    return Storage(str(tmp_path))


def test_retired_are_ids_that_are_gone(home: Storage) -> None:
    first, second = (open_run(home.url, name) for name in ("first", "second"))
    now, before = second.dataset("ingest"), first.dataset("ingest")
    gone = retired_ids(home, now, before).to_pylist()
    assert gone == sorted(doc_id("fake", f"p2.txt#{n}") for n in range(50))
    old, new = (set(run.table("ingest")["doc_id"].to_pylist()) for run in (first, second))
    assert set(gone) == old - new
    assert count_retired(home, first.run, now) == 50
    assert count_retired(home, second.run, now) == 0


def test_partitions_that_both_have_are_not_read(home: Storage) -> None:
    first, second = (open_run(home.url, name) for name in ("first", "second"))
    shared = first.dataset("ingest").parts[0]
    assert shared in second.dataset("ingest").parts
    home.delete(shared.data_name())
    assert count_retired(home, first.run, second.dataset("ingest")) == 50


def test_no_previous_run_retires_nothing(home: Storage) -> None:
    first, now = open_run(home.url, "first").run, open_run(home.url, "second").dataset("ingest")
    assert count_retired(home, None, now) == 0
    for name, _, _ in list(home.list("datasets/ingest")):
        home.delete(name)
    assert count_retired(home, first, now) == 0


def test_an_id_that_moved_to_another_partition_is_not_retired(
    fake: SimpleNamespace, home: Storage
) -> None:
    first = open_run(home.url, "first")
    before = first.dataset("ingest")
    rows = first.table("ingest")
    part = fake.rewrite(home, before.parts[0], rows)  # all ids in one partition
    now = fake.Dataset("ingest", (part,))
    assert retired_ids(home, now, before).to_pylist() == []
    assert Counter(rows["doc_id"].to_pylist()).total() == 150
