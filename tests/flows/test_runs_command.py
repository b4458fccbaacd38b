"""`millrace runs`: what was run in a home, the latest first."""

from dataclasses import replace

import pytest

from store.accepted import record_acceptance
from store.runs import StepRecord, begin_run, save_run
from store.storage import Storage


@pytest.fixture
def home(tmp_path):
    """A home with three runs of one recipe and one of another, a night after each other."""
    storage = Storage(str(tmp_path / "home"))
    steps = tuple(
        StepRecord(name, "fresh", "", 0, 0, 0, 0, 0, 5, 2, 1.0, 0, "d1") for name in ("a", "b")
    )
    for day, (name, recipe, state) in enumerate(
        [
            ("one", "nightly", "done"),
            ("two", "nightly", "failed"),
            ("other", "weekly", "waiting"),
            ("three", "nightly", "running"),
        ],
        start=1,
    ):
        run = replace(
            begin_run(storage, recipe, {}, name),
            state=state,
            steps=steps,
            started_at=f"2026-11-0{day}T02:00:00+00:00",
            finished_at=f"2026-11-0{day}T02:01:30+00:00" if state in ("done", "failed") else None,
        )
        if name == "three":
            run = replace(run, process_started="0")  # it was killed
        save_run(storage, run)
        if name == "one":
            record_acceptance(storage, run, "ann")
    return storage.url


def test_the_latest_comes_first_with_how_it_ended(millrace, home):
    value = millrace("runs", "--home", home).value
    told = [(run["run"], run["recipe"], run["state"], run["seconds"]) for run in value["runs"]]
    assert told == [
        ("three", "nightly", "crashed", None),
        ("other", "weekly", "waiting", None),
        ("two", "nightly", "failed", 90),
        ("one", "nightly", "done", 90),
    ]
    assert [run["accepted_by"] for run in value["runs"]] == [None, None, None, "ann"]
    assert {run["partitions_computed"] for run in value["runs"]} == {4}


def test_one_recipe_and_the_last_ones_only(millrace, home):
    answer = millrace("runs", "nightly", "--last", "2", "--home", home, as_json=False)
    lines = answer.out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["three", "two"]
    assert lines[-1] == "1 older; --last 3 shows all."


def test_wrong_uses_are_told(millrace, home, tmp_path):
    assert "--last is 0" in millrace("runs", "--last", "0", "--home", home).err
    assert "There is no run in" in millrace("runs", "--home", str(tmp_path / "none")).err
