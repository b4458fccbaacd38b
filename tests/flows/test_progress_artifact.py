"""The progress artifact: made once, updated now and then, of the task, and never in the way."""

from __future__ import annotations

import threading
from contextvars import ContextVar, copy_context
from typing import Any
from uuid import uuid4

import pytest

from flows.progress_artifact import ProgressArtifact, ShownProgress

TASK: ContextVar[str] = ContextVar("TASK", default="none")


class Api:
    """Stands for Prefect's two functions; notes calls and in which task they came."""

    def __init__(self, broken: bool = False) -> None:
        self.id, self.broken = uuid4(), broken
        self.calls: list[tuple[Any, ...]] = []

    def create(self, percent: float, key: str, line: str) -> Any:
        self.calls.append((TASK.get(), "create", percent, key, line))
        if self.broken:
            raise ConnectionError("the server is gone")
        return self.id

    def update(self, artifact: Any, percent: float, line: str) -> None:
        assert artifact == self.id
        self.calls.append((TASK.get(), "update", percent, line))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api()
    monkeypatch.setattr("prefect.artifacts.create_progress_artifact", made.create)
    monkeypatch.setattr("prefect.artifacts.update_progress_artifact", made.update)
    return made


def test_a_step_tells_from_another_thread_and_is_shown_in_the_task(api: Api) -> None:
    seen: list[tuple[Any, ...]] = []

    class Inner:
        def told(self, *what: Any) -> None:
            seen.append(what)

    shown = ShownProgress(Inner())  # type: ignore[arg-type]

    def tell(*what: Any) -> None:
        thread = threading.Thread(target=shown.told, args=what)
        thread.start()
        thread.join()

    token = TASK.set("the task")
    with shown.in_prefect("pretrain", "progress-pretrain"):
        tell("pretrain", "no share", None)
        tell("finetune", "another step", 0.5)
        tell("pretrain", "first", 0.25)
        tell("pretrain", "too soon", 0.26)
        tell("pretrain", "last", 1.0)
    TASK.reset(token)
    tell("pretrain", "after", 1.0)
    assert api.calls == [
        ("the task", "create", 25.0, "progress-pretrain", "first"),
        ("the task", "update", 100.0, "last"),
    ]
    assert len(seen) == 6


def test_it_is_written_again_after_five_seconds(api: Api) -> None:
    now = [0.0]
    artifact = ProgressArtifact("progress-a", copy_context(), lambda: now[0])
    for now[0] in (0.0, 4.9, 5.0, 9.0, 10.5):
        artifact.show(str(now[0]), now[0] / 100)
    assert [call[-1] for call in api.calls] == ["0.0", "5.0", "10.5"]


def test_a_server_that_is_gone_ends_nothing(api: Api) -> None:
    api.broken = True
    ProgressArtifact("progress-a", copy_context()).show("line", 0.5)
    assert len(api.calls) == 1


@pytest.mark.slow
def test_prefect_shows_it_of_the_task() -> None:
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE
    from prefect.client.orchestration import get_client
    from prefect.testing.utilities import prefect_test_harness

    shown = ShownProgress(None)

    @task(cache_policy=NO_CACHE)
    def work() -> None:
        with shown.in_prefect("pretrain", "progress-pretrain"):
            for ratio in (0.5, 1.0):
                thread = threading.Thread(target=shown.told, args=("pretrain", "line", ratio))
                thread.start()
                thread.join()

    @flow
    def run() -> None:
        work()

    with prefect_test_harness():
        run()
        with get_client(sync_client=True) as client:
            (artifact,) = client.read_artifacts()
    assert (artifact.key, artifact.type) == ("progress-pretrain", "progress")
    assert float(artifact.data) == 100
    assert artifact.task_run_id is not None
    assert artifact.flow_run_id is not None
