from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from catalog.explain import explain, has_earlier, why
from store.graph import Graph, Node
from store.plan import NodePlan, plan_graph
from store.storage import Storage

TWO = (("length.short", "num_chars < 20"), ("length.medium", "num_chars < 24"))


@pytest.fixture
def home(finished: Any, tmp_path: Path) -> Storage:
    """A copy of the finished home, whose receipts are as old as the original's."""
    import shutil

    shutil.copytree(finished.storage.url, tmp_path / "home")
    return Storage(str(tmp_path / "home"))


def plans(storage: Storage, graph: Graph) -> dict[str, NodePlan]:
    return plan_graph(storage, graph)


def sentences(storage: Storage, plan: NodePlan) -> list[tuple[str, tuple[str, ...]]]:
    found = explain(storage, plan)
    json.dumps([asdict(one) for one in found])
    return [(one.sentence, one.parts) for one in found]


def test_an_empty_home_has_computed_nothing(fake: SimpleNamespace, tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    found = plans(storage, fake.build_graph())
    assert why(storage, found["ingest"]) == "never computed"
    assert sentences(storage, found["ingest"]) == [("never computed", ("p0", "p1", "p2"))]
    assert why(storage, found["split"]) == "waits for compute_signatures"
    assert sentences(storage, found["compute_signals"]) == [
        ("waits for ingest", ("p0", "p1", "p2"))
    ]
    assert not has_earlier(storage, found["ingest"])
    assert not (tmp_path / "parts").exists()


def test_a_fresh_step_says_when_and_from_what_it_was_made(
    home: Storage, fake: SimpleNamespace
) -> None:
    found = plans(home, fake.build_graph())
    assert {why(home, plan) for plan in found.values()} == {"up to date"}
    (split,) = explain(home, found["split"])
    assert (split.kind, split.parts) == ("fresh", ("p0", "p1", "p2"))
    made = "from signatures (p0, p1, p2), choices (p0, p1, p2); code unchanged"
    assert split.sentence.endswith(made)
    (choice,) = explain(home, found["choose_kept"])
    assert "from decisions (p0, p1, p2), signals (p0, p1, p2), edges (8 partitions)" in (
        choice.sentence
    )
    (ingest,) = explain(home, found["ingest"])
    assert "from p0.txt, p1.txt, p2.txt; code" in ingest.sentence
    (edges,) = explain(home, found["link_duplicates"])
    assert len(edges.parts) == 8


def test_fresh_partitions_share_a_line_whenever_they_were_made(
    home: Storage, fake: SimpleNamespace
) -> None:
    plan = plans(home, fake.build_graph())["split"]
    at = ("2026-01-02T00:00:00+00:00", "2026-01-03T00:00:00+00:00", "2026-01-01T00:00:00+00:00")
    parts = tuple(
        replace(part, receipt=replace(part.receipt, finished_at=time))
        for part, time in zip(plan.parts, at, strict=True)
        if part.receipt is not None
    )
    (one,) = explain(home, replace(plan, parts=parts))
    assert one.sentence.startswith(f"made {at[2]} to {at[1]} from signatures")
    (alone,) = explain(home, replace(plan, parts=parts[:1]))
    assert alone.sentence == (f"made {at[0]} from signatures (p0), choices (p0); code unchanged")


def test_a_changed_rule_is_named_once_for_all_partitions(
    home: Storage, fake: SimpleNamespace
) -> None:
    found = plans(home, fake.build_graph(rules=TWO))
    (difference,) = explain(home, found["apply_policy"])
    assert (difference.kind, difference.what) == ("config", "config.rules")
    assert difference.parts == ("p0", "p1", "p2")
    assert difference.before == [list(rule) for rule in fake.RULES]
    assert difference.now == [list(rule) for rule in TWO]
    assert why(home, found["apply_policy"]) == "config.rules changed"
    assert why(home, found["choose_kept"]) == "waits for apply_policy"
    assert why(home, found["compute_signals"]) == "up to date"


def test_a_new_file_is_a_new_partition(home: Storage, fake: SimpleNamespace) -> None:
    files = fake.FakeFiles((("p0", 0), ("p1", 0), ("p2", 0), ("p3", 0), ("p4", 0)))
    found = plans(home, fake.build_graph(files))
    assert why(home, found["ingest"]) == "2 new inputs"
    by_part = {parts: sentence for sentence, parts in sentences(home, found["ingest"])}
    assert by_part["p3", "p4"] == "new partition: no earlier output reads these files"
    assert by_part["p0", "p1", "p2"].startswith("made ")
    assert [one.kind for one in explain(home, found["ingest"])] == ["new", "fresh"]


def test_changed_files_and_inputs_are_told_from_new_ones(
    home: Storage, fake: SimpleNamespace
) -> None:
    files = fake.FakeFiles((("p0", 0), ("p1", 1), ("p2", 0)))
    found = plans(home, fake.build_graph(files))
    assert why(home, found["ingest"]) == "input p1.txt changed"
    assert ("file p1.txt: other content", ("p1",)) in sentences(home, found["ingest"])
    fake.run_graph(home.url, fake.Graph(list(fake.build_graph(files))[:1]), "again")
    found = plans(home, fake.build_graph(files))
    assert why(home, found["compute_signals"]) == "input p1 changed"
    assert ("input documents part p1: other content", ("p1",)) in sentences(
        home, found["compute_signals"]
    )


def test_a_whole_step_counts_its_inputs(home: Storage, fake: SimpleNamespace) -> None:
    files = fake.FakeFiles((("p0", 0), ("p1", 0), ("p3", 0)))
    graph = fake.build_graph(files)
    fake.run_graph(home.url, fake.Graph(list(graph)[:8]), "again")
    clause = why(home, plans(home, graph)["choose_kept"])
    assert "2 new inputs" in clause
    assert "2 inputs gone" in clause
    assert "inputs changed" in clause  # edges of some buckets
    told = [sentence for sentence, _ in sentences(home, plans(home, graph)["choose_kept"])]
    assert "input decisions part p3: new" in told
    assert "input decisions part p2: no longer there" in told


def test_versions_and_libraries_are_named(home: Storage, fake: SimpleNamespace) -> None:
    later = replace(fake.INGEST, version=2, libraries=("pyarrow",))
    found = plans(home, fake.build_graph(steps={"ingest": later}))
    clause = why(home, found["ingest"])
    assert "version: was 1, now 2" in clause
    assert "library pyarrow: is new" in clause
    assert len(explain(home, found["ingest"])) == 2


def test_the_nearest_output_is_compared_with(home: Storage, fake: SimpleNamespace) -> None:
    """Of two earlier outputs the one with fewer differences is told of, though it is the older."""

    @dataclass(frozen=True)
    class Options:
        one: int = 0
        two: int = 0

    def graph(options: Options) -> Graph:
        ingest = fake.INGEST
        signals = replace(fake.COMPUTE_SIGNALS, config=Options)
        nodes = [Node(ingest, fake.FakeFiles()), Node(signals, options, {"documents": "ingest"})]
        return Graph(nodes)

    fake.run_graph(home.url, graph(Options(one=1)), "older")
    fake.run_graph(home.url, graph(Options(one=2, two=2)), "newer")
    asked = plans(home, graph(Options(one=1, two=1)))["compute_signals"]
    assert sentences(home, asked) == [("config.two: was 0, now 1", ("p0", "p1", "p2"))]


def test_changed_code_is_named(home: Storage, fake: SimpleNamespace) -> None:
    plan = plans(home, fake.build_graph())["split"]
    edited = tuple(
        replace(part, task=replace(part.task, code={**part.task.code, "pipelines/split.py": "x"}))
        for part in plan.parts
        if part.task is not None
    )
    plan = replace(plan, parts=edited)
    assert why(home, plan) == "code changed in pipelines/split.py, one partition is compared"
    (first, *_) = explain(home, plan)
    assert first.sentence.endswith("code changed since in pipelines/split.py, to be checked")
    missing = replace(plan, parts=tuple(replace(part, receipt=None) for part in edited))
    assert ("code changed in pipelines/split.py", ("p0", "p1", "p2")) in sentences(home, missing)


def test_a_lost_partition_is_called_missing(home: Storage, fake: SimpleNamespace) -> None:
    plan = plans(home, fake.build_graph())["split"]
    receipt = plan.parts[1].receipt
    assert receipt is not None
    home.delete(f"parts/split/{receipt.fingerprint}.json")
    again = plans(home, fake.build_graph())["split"]
    assert why(home, again) == "1 partition missing"
    assert ("made before, its receipt is missing", ("p1",)) in sentences(home, again)


def test_a_killed_step_says_what_is_left(home: Storage, fake: SimpleNamespace) -> None:
    plan = plans(home, fake.build_graph())["split"]
    for name, _, _ in list(home.list("datasets/split")):
        home.delete(name)
    home.delete(f"parts/split/{plan.reused()[0].fingerprint}.json")
    assert why(home, plans(home, fake.build_graph())["split"]) == "1 of 3 partitions left"


@pytest.mark.parametrize("left", [b'{"format": 1}', b'{"format', b""])
def test_damaged_manifests_say_nothing(home: Storage, fake: SimpleNamespace, left: bytes) -> None:
    for name, _, _ in list(home.list("datasets/apply_policy")):
        home.replace(name, left)
    plan = plans(home, fake.build_graph(rules=TWO))["apply_policy"]
    assert why(home, plan) == "never computed"
