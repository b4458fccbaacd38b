"""What `millrace deploy` makes on a real Prefect server, changes and removes."""

from __future__ import annotations

import json
import os
import urllib.request

import pytest

from data_contracts.errors import UsageError
from flows.deployments import Target, absolute_home, parse_interval

pytestmark = pytest.mark.usefixtures("prefect_api")


@pytest.fixture
def deploy(millrace, tmp_path):
    def call(*words):
        return millrace("deploy", "my-text", "--home", str(tmp_path / "home"), *words)

    yield call
    call("--remove")
    call("--remove", "--name", "other")
    call("--remove", "--name", "my-text-only-python")


@pytest.fixture
def read(prefect_api):
    """Read a deployment; ``None`` if there is none."""

    def ask(name):
        try:
            with urllib.request.urlopen(f"{prefect_api}/deployments/name/{name}") as answer:
                return json.load(answer)
        except urllib.error.HTTPError:
            return None

    return ask


def test_a_deployment_for_each_flow_and_step(deploy, read, tmp_path):
    made = deploy("--cron", "0 3 * * *", "--timezone", "Europe/Berlin", "--set", "split.seed=7")
    assert made.code == 0, made.err
    names = made.value["deployments"]
    assert names[:5] == [
        f"{f}/my-text" for f in ("run", "ingest", "filter", "deduplicate", "publish")
    ]
    assert len(names) == 5 + 13
    whole, stage, step = (
        read(name) for name in ("run/my-text", names[2], "run/my-text-only-split")
    )
    (schedule,) = whole["schedules"]
    assert schedule["schedule"]["cron"] == "0 3 * * *"
    assert schedule["schedule"]["timezone"] == "Europe/Berlin"
    assert stage["schedules"] == step["schedules"] == []
    common = {"recipe": "my-text", "home": str(tmp_path / "home"), "settings": ["split.seed=7"]}
    assert whole["parameters"] == stage["parameters"] == common
    assert step["parameters"] == {**common, "only": "split"}
    assert {one["work_pool_name"] for one in (whole, stage, step)} == {"millrace"}
    assert whole["job_variables"]["working_dir"] == os.getcwd()


@pytest.mark.slow
def test_a_name_that_looks_like_a_step_is_a_name_of_its_own(deploy, read):
    name = "my-text-only-python"
    short = ("--set", "run.until=ingest")
    assert deploy("--name", name, "--interval", "1d", *short).code == 0
    assert deploy(*short).code == 0
    assert read(f"run/{name}")["schedules"]
    assert len(deploy("--remove").value["removed"]) == 3
    assert read(f"run/{name}")["schedules"]
    assert len(deploy("--remove", "--name", name).value["removed"]) == 3
    assert read(f"run/{name}") is None


@pytest.mark.slow
def test_deploying_again_updates_and_removing_leaves_others(deploy, read):
    deploy("--interval", "15m", "--pause")
    first = read("run/my-text")
    assert first["paused"]
    assert first["schedules"][0]["schedule"]["interval"] == 900.0
    assert first["schedules"][0]["schedule"]["anchor_date"].startswith("2024-01-01T00:00:00")
    assert deploy("--name", "other").code == 0
    assert len(deploy("--set", "run.until=apply_policy").value["deployments"]) == 3 + 3
    second = read("run/my-text")
    assert (second["id"], second["paused"], second["schedules"]) == (first["id"], False, [])
    assert read("publish/my-text") is read("run/my-text-only-split") is None

    assert len(deploy("--remove").value["removed"]) == 6
    assert read("run/my-text") is None
    assert read("run/other-only-split")
    again = deploy("--remove")
    assert again.code == 2
    assert "There is no deployment 'my-text'" in again.err


def test_what_is_deployed_means_the_same_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parameters = Target("mine.toml", "home").parameters()
    assert parameters["recipe"] == str(tmp_path / "mine.toml")
    assert parameters["home"] == str(tmp_path / "home")
    assert Target("quickstart", "s3://bucket/x").parameters()["recipe"] == "quickstart"
    assert absolute_home("s3://bucket/x") == "s3://bucket/x"


@pytest.mark.parametrize(
    "text", ["0s", "1w", "-1d", "1.5h", "999999999d", "9" * 12 + "d", "9" * 5000 + "s"]
)
def test_what_is_no_interval_is_told(text):
    assert parse_interval("90m").total_seconds() == 5400
    with pytest.raises(UsageError, match="is no interval; write a number and a unit"):
        parse_interval(text)
