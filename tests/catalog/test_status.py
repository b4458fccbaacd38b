from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from catalog.status import STATES, status
from store.lease import Leases
from store.plan import plan_graph
from store.runs import Run, begin_run
from store.storage import Storage

SHAPE = {
    "step": str,
    "state": str,
    "why": str,
    "rows_in": int,
    "rows_kept": int,
    "rows_dropped": int,
    "rows_quarantined": int,
    "rows_retired": int,
    "partitions": int,
    "partitions_computed": int,
    "seconds": float,
    "size_bytes": int,
    "dataset": (str, type(None)),
}
TWO = (("length.short", "num_chars < 20"), ("length.medium", "num_chars < 24"))


def told(storage: Storage, run: Run | None, graph: Any) -> dict[str, dict[str, Any]]:
    """Ask for the status, check the frozen shape, and return the steps by name."""
    value = status(storage, run, graph, plan_graph(storage, graph))
    assert list(value) == ["run", "steps"]
    assert value["run"] == (run.name if run else None)
    assert json.loads(json.dumps(value)) == value
    for step in value["steps"]:
        assert list(step) == list(SHAPE)
        for name, kind in SHAPE.items():
            assert isinstance(step[name], kind), name
        assert step["state"] in STATES
    assert [step["step"] for step in value["steps"]] == graph.names()
    return {step["step"]: step for step in value["steps"]}


def states(steps: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: step["state"] for name, step in steps.items()}


def test_an_empty_home_misses_everything(fake: SimpleNamespace, tmp_path: Path) -> None:
    steps = told(Storage(str(tmp_path)), None, fake.build_graph())
    assert set(states(steps).values()) == {"missing"}
    assert steps["ingest"]["why"] == "never computed"
    assert steps["split"]["why"].startswith("waits for ")
    assert steps["ingest"]["partitions"] == 3
    assert (steps["ingest"]["rows_in"], steps["ingest"]["dataset"]) == (0, None)


def test_a_finished_run_is_fresh_with_its_numbers(finished: Any) -> None:
    steps = told(finished.storage, finished.run, finished.graph)
    assert set(states(steps).values()) == {"fresh"}
    for name, dataset in finished.datasets().items():
        step = steps[name]
        assert step["why"] == "up to date"
        assert step["dataset"] == dataset.fingerprint
        assert step["rows_in"] == dataset.rows.num_in == sum(
            step[f"rows_{fate}"] for fate in ("kept", "dropped", "quarantined")
        )  # fmt: skip
        assert step["size_bytes"] == dataset.size_bytes > 0
        assert step["partitions_computed"] == step["partitions"] == len(dataset.parts)
        assert step["seconds"] == 0.5


def test_without_a_run_the_plan_is_told(finished: Any) -> None:
    steps = told(finished.storage, None, finished.graph)
    assert set(states(steps).values()) == {"fresh"}
    assert steps["apply_policy"]["rows_dropped"] == 15
    assert steps["apply_policy"]["partitions_computed"] == 0


def test_a_changed_rule_makes_it_and_what_follows_stale(
    finished: Any, fake: SimpleNamespace
) -> None:
    steps = told(finished.storage, finished.run, fake.build_graph(rules=TWO))
    stale = {name for name, state in states(steps).items() if state == "stale"}
    assert stale == {"apply_policy", "choose_kept", "split", "materialize"}
    assert steps["apply_policy"]["why"] == "config.rules changed"
    assert steps["split"]["why"] == "waits for choose_kept"
    assert steps["apply_policy"]["dataset"] == finished.datasets()["apply_policy"].fingerprint
    assert steps["apply_policy"]["rows_dropped"] == 15  # what the run has, not what would come


def test_stale_is_told_without_a_run_too(finished: Any, fake: SimpleNamespace) -> None:
    steps = told(finished.storage, None, fake.build_graph(rules=TWO))
    assert steps["apply_policy"]["state"] == "stale"
    assert steps["apply_policy"]["dataset"] is None


def test_the_output_of_another_run_makes_an_older_run_stale(
    fake: SimpleNamespace, tmp_path: Path
) -> None:
    first = fake.run_graph(tmp_path, fake.build_graph(), "first")
    graph = fake.build_graph(rules=TWO)
    fake.run_graph(tmp_path, graph, "second")
    steps = told(Storage(str(tmp_path)), first, graph)
    assert steps["apply_policy"]["state"] == "stale"
    assert "later output" in steps["apply_policy"]["why"]
    assert steps["compute_signals"]["state"] == "fresh"


@pytest.fixture
def working(fake: SimpleNamespace, tmp_path: Path) -> Any:
    """A run of this process: ingest is done, signals are being computed."""
    storage, graph = Storage(str(tmp_path)), fake.build_graph()
    done = fake.run_graph(tmp_path, fake.Graph(list(graph)[:1]), "before")
    run = begin_run(storage, "fake", {}, "now").with_step(done.steps[0])
    zeros = (0, 0, 0, 0, 0, 0, 0, 0.0, 0, None)
    running = fake.StepRecord("compute_signals", "running", "never computed", *zeros)
    return SimpleNamespace(storage=storage, graph=graph, run=run.with_step(running))


def test_a_live_run_shows_its_step_running(working: Any) -> None:
    steps = told(working.storage, working.run, working.graph)
    assert states(steps)["ingest"] == "fresh"
    assert (steps["compute_signals"]["state"], steps["compute_signals"]["why"]) == (
        "running",
        "never computed",
    )
    assert states(steps)["split"] == "missing"


def test_a_step_that_someone_computes_now_is_running(working: Any) -> None:
    plan = plan_graph(working.storage, working.graph)["compute_signatures"]
    task = plan.parts[1].task
    assert task is not None
    with Leases(working.storage) as leases:
        assert states(told(working.storage, working.run, working.graph))["compute_signatures"] == (
            "missing"
        )
        with leases.try_acquire(task.fingerprint):
            steps = told(working.storage, working.run, working.graph)
            assert steps["compute_signatures"]["state"] == "running"


def test_a_run_whose_process_died_shows_a_crash(working: Any) -> None:
    dead = replace(working.run, process_started=1.0)  # another process had this id
    steps = told(working.storage, dead, working.graph)
    step = steps["compute_signals"]
    assert step["state"] == "failed"
    assert step["why"].startswith(f"crashed: process {dead.pid} on {dead.host} is gone")
    assert states(steps)["ingest"] == "fresh"


def test_a_run_marked_as_crashed_gives_its_error(working: Any) -> None:
    crashed = replace(working.run, state="crashed", error="killed by signal 9")
    step = told(working.storage, crashed, working.graph)["compute_signals"]
    assert (step["state"], step["why"]) == ("failed", "crashed: killed by signal 9")


def test_a_failed_step_gives_the_sentence(working: Any, fake: SimpleNamespace) -> None:
    failed = replace(working.run.step("compute_signals"), state="failed")
    run = replace(working.run.with_step(failed), state="failed", error="The disk is full.")
    step = told(working.storage, run, working.graph)["compute_signals"]
    assert (step["state"], step["why"]) == ("failed", "The disk is full.")
