"""`store.runs`: one run under a name at a time, whoever starts it when; names that are free."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import psutil
import pytest

from store import runs
from store.errors import UsageError
from store.lease import Leases
from store.runs import (
    StepRecord,
    begin_run,
    check_name,
    find_run,
    get_run,
    latest_with_steps,
    new_name,
    save_run,
)

NUM_STARTS = 4
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


def start_together(storage, monkeypatch):
    """Start runs of one name, all past the first look at its record: who began it, what else."""
    together, look = threading.Barrier(NUM_STARTS), runs.latest_done

    def look_together(*arguments, **named):
        together.wait(timeout=20)
        return look(*arguments, **named)

    monkeypatch.setattr(runs, "latest_done", look_together)

    def start(number):
        try:
            return begin_run(storage, "toy", {"number": number}, "one")
        except UsageError as error:
            return str(error)

    with ThreadPoolExecutor(NUM_STARTS) as pool:
        answers = list(pool.map(start, range(NUM_STARTS)))
    monkeypatch.undo()
    refused = [answer for answer in answers if isinstance(answer, str)]
    assert all("choose another --run name" in sentence for sentence in refused)
    return [answer for answer in answers if not isinstance(answer, str)]


def test_of_starts_under_one_name_one_begins(storage, monkeypatch):
    (began,) = start_together(storage, monkeypatch)
    assert find_run(storage, "one") == began


@pytest.mark.parametrize("state", ["done", "failed", "crashed", "running"])
def test_of_starts_under_the_name_of_an_ended_run_one_begins(home, state, monkeypatch):
    """``running`` here is a run whose process is gone and that nobody has marked yet."""
    ended = begin_run(home, "toy", {"number": -1}, "one")
    save_run(home, replace(ended, state=state, process_started=1.0))
    (began,) = start_together(home, monkeypatch)
    assert find_run(home, "one") == began
    assert began.recipe["number"] >= 0


def test_a_clock_that_is_set_kills_no_run(home, monkeypatch):
    """What psutil says of a process's start is seconds of that clock."""
    run = begin_run(home, "toy", {}, "one")
    monkeypatch.setattr("psutil.Process.create_time", lambda self: 1.0)
    assert run.is_alive()
    assert find_run(home, "one").is_alive()


def test_a_run_of_this_host_before_it_was_started_anew_is_gone(home):
    run = begin_run(home, "toy", {}, "one")
    assert not replace(run, machine="another boot").is_alive()
    assert replace(run, machine="another boot", host="another host").is_alive()


def test_a_record_of_an_earlier_version_is_still_understood(home):
    run = begin_run(home, "toy", {}, "one")
    started = psutil.Process().create_time()
    assert replace(run, machine="", process_started=started).is_alive()
    assert not replace(run, machine="", process_started=started - 60).is_alive()


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".hidden", "x" * 300])
def test_a_name_that_no_run_can_have_is_refused(home, name):
    for use in (check_name, partial(get_run, home)):
        with pytest.raises(UsageError, match="A run cannot be called"):
            use(name)


def test_a_name_of_another_recipe_is_not_taken_from_it(home):
    ended = replace(begin_run(home, "toy", {}, "one"), state="done")
    save_run(home, ended)
    with pytest.raises(UsageError, match="There is a run one of toy already"):
        begin_run(home, "other", {}, "one")
    assert find_run(home, "one") == ended


def test_a_run_at_work_is_not_started_again(home):
    began = begin_run(home, "toy", {}, "one")
    with pytest.raises(UsageError, match=rf"Run one is being worked on by process {os.getpid()}"):
        begin_run(home, "toy", {}, "one")
    assert find_run(home, "one") == began


def test_a_run_that_another_is_starting_anew_is_refused(home):
    ended = replace(begin_run(home, "toy", {}, "one"), state="done")
    save_run(home, ended)
    with Leases(home) as leases, leases.try_acquire("runs/one"):
        with pytest.raises(UsageError, match="Run one is being started by another process"):
            begin_run(home, "toy", {}, "one")
        assert find_run(home, "one") == ended
    assert begin_run(home, "toy", {}, "one").state == "running"


def test_runs_of_one_second_have_names_of_their_own(home, monkeypatch):
    class Noon(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 1, 1, 12, tzinfo=UTC)

    monkeypatch.setattr(runs, "datetime", Noon)
    names = [begin_run(home, "toy", {}, None).name for _ in range(3)]
    first = f"toy-20260101-120000-{os.getpid()}"
    assert names == [first, f"{first}-2", f"{first}-3"]
    assert new_name("toy", home) == f"{first}-4"


def ended(storage, name, state, datasets, recipe="toy"):
    made = begin_run(storage, recipe, {}, name)
    for step, dataset in datasets.items():
        made = made.with_step(StepRecord(step, "fresh", "", *[0] * 7, 0.0, 0, dataset))
    save_run(storage, replace(made, state=state, started_at=f"2026-01-0{name[0]}T00:00:00+00:00"))


def test_what_a_step_replaces_is_of_the_latest_finished_run_that_has_it(storage):
    ended(storage, "1-whole", "done", {"read": "a", "publish": "b"})
    ended(storage, "2-only", "done", {"read": "c"})
    ended(storage, "3-failed", "failed", {"read": "d", "publish": "e"})
    ended(storage, "4-other", "done", {"read": "f", "publish": "g"}, "other")
    ended(storage, "5-unread", "done", {"publish": None})
    found = latest_with_steps(storage, "toy")
    assert {step: run.name for step, run in found.items()} == {
        "read": "2-only",
        "publish": "1-whole",
    }
