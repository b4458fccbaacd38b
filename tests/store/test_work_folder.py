"""A resumable step goes on from what a killed or failed attempt left, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass

import pyarrow as pa
import pytest

from store.errors import ReadOnlyHome, StepFailed
from store.graph import Graph, Node
from store.plan import plan_graph
from store.runner import Runner
from store.step import Inputs, Output, Step
from store.storage import Storage

SCHEMA = pa.schema([pa.field("doc_id", pa.string(), nullable=False)])


@dataclass(frozen=True)
class Config:
    text: str = "a"


class Attempts:
    """A step's function that fails once half-way and writes down what it found."""

    def __init__(self):
        self.found: list[list[str] | None] = []

    def __call__(self, inputs: Inputs, config: Config) -> Output:
        if inputs.work is None:
            self.found.append(None)
        else:
            self.found.append(sorted(path.name for path in inputs.work.iterdir()))
            (inputs.work / f"half-{config.text}").write_text("so far")
            inputs.tell(f"half of {config.text}")
        if len(self.found) == 1:
            raise ValueError("pulled the plug")
        return Output(pa.table({"doc_id": ["x"]}, schema=SCHEMA), facts={"records_framed": 1})


ATTEMPTS = Attempts()


def run_step(inputs, config):
    return ATTEMPTS(inputs, config)


class Listener:
    def __init__(self):
        self.lines = []

    def told(self, step, line, done_ratio):
        self.lines.append((step, line))

    def __getattr__(self, name):
        return lambda *_: None


def graph(resumable=True, text="a"):
    from store.step import SourcePart

    step = Step(
        name="make_long",
        version=1,
        kind="source",
        run=run_step,
        config=Config,
        schema=SCHEMA,
        list_parts=lambda config: [SourcePart("all", ())],
        resumable=resumable,
    )
    return Graph([Node(step, Config(text))])


@pytest.fixture(autouse=True)
def fresh_attempts():
    ATTEMPTS.__init__()


def run(storage, wanted, force=False):
    listener = Listener()
    (plan,) = plan_graph(storage, wanted).values()
    with Runner(storage, progress=listener) as runner:
        runner.run(plan, force=force)
    return listener.lines


def test_a_second_attempt_finds_the_work_of_the_first(tmp_path):
    storage = Storage(str(tmp_path))
    with pytest.raises(StepFailed, match="pulled the plug"):
        run(storage, graph())
    (left,) = (tmp_path / "tmp" / "work" / "make_long").iterdir()
    assert (left / "half-a").read_text() == "so far"
    assert run(storage, graph()) == [("make_long", "half of a")]
    assert ATTEMPTS.found == [[], ["half-a"]]
    assert not left.exists()


def test_another_config_begins_anew(tmp_path):
    storage = Storage(str(tmp_path))
    with pytest.raises(StepFailed):
        run(storage, graph())
    run(storage, graph(text="b"))
    assert ATTEMPTS.found == [[], []]


def test_comparing_uses_nothing_of_before(tmp_path):
    storage = Storage(str(tmp_path))
    with pytest.raises(StepFailed):
        run(storage, graph())
    run(storage, graph())
    run(storage, graph(), force=True)
    assert ATTEMPTS.found == [[], ["half-a"], None]


def endless(inputs, config):
    ATTEMPTS.found.append(None)
    while True:
        inputs.tell("still at it")


@pytest.mark.serial  # it interrupts this very process
def test_an_interrupt_stops_a_long_step_when_it_next_tells_something(tmp_path):
    storage = Storage(str(tmp_path))
    (node,) = graph()
    step = Step(**{**vars(node.step), "run": endless})
    (plan,) = plan_graph(storage, Graph([Node(step, Config())])).values()

    def interrupt():
        while not ATTEMPTS.found:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with Runner(storage, progress=Listener()) as runner, pytest.raises(KeyboardInterrupt):
        runner.run(plan)
    assert list((tmp_path / "tmp" / "work" / "make_long").iterdir())


def test_only_resumable_steps_get_a_folder(tmp_path):
    storage = Storage(str(tmp_path))
    with pytest.raises(StepFailed):
        run(storage, graph(resumable=False))
    run(storage, graph(resumable=False))
    assert ATTEMPTS.found == [None, None]
    assert not (tmp_path / "tmp" / "work").exists()


def test_a_bucket_works_in_a_folder_that_nobody_else_can_enter(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Storage("memory://work").work_folder("make_long", "f" * 40) as folder:
        private = folder.relative_to(tmp_path).parts[0]
        assert (tmp_path / private).stat().st_mode & 0o777 == 0o700
    assert not folder.exists()
    (tmp_path / private).chmod(0o755)
    with (
        pytest.raises(ReadOnlyHome, match="not a folder of yours alone"),
        Storage("memory://work").work_folder("make_long", "f" * 40),
    ):
        pass
