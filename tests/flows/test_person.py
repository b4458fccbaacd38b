"""Who decides is written even where the user's number has no name."""

from __future__ import annotations

import getpass
import os
import platform
from dataclasses import replace

import pytest

from flows.person import person
from store.accepted import accepted_runs
from store.runs import StepRecord, begin_run, save_run
from store.storage import Storage


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_number_without_a_name_can_accept_a_run(error, monkeypatch, tmp_path, millrace):
    def unknown():
        raise error("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", unknown)
    assert person() == f"{os.getuid()}@{platform.node()}"
    storage = Storage(str(tmp_path / "home"))
    made = StepRecord("ingest", "fresh", "", *[0] * 7, 0.0, 0, "a-dataset")
    run = begin_run(storage, "toy", {}, "one").with_step(made)
    save_run(storage, replace(run, state="done"))
    answer = millrace("accept", "one", "--home", storage.url)
    assert answer.code == 0, answer.err
    assert [found.by for found in accepted_runs(storage)] == [person()]
