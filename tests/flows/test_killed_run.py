"""A real ``millrace run`` killed with SIGKILL, then run again; and two runs in one home at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_api")]

# Ends the process with SIGKILL when the sixth partition of apply_policy is published.
KILLED = """
import os, signal, sys
import store.compute as compute
from flows.cli import command
publish, published = compute.publish_part, []
def publish_or_die(storage, receipt, *paths):
    if receipt.step == "apply_policy":
        published.append(receipt.key)
        if len(published) == 6:  # with two workers, four receipts or five are written by then
            os.kill(os.getpid(), signal.SIGKILL)
    publish(storage, receipt, *paths)
compute.publish_part = publish_or_die
command()
"""


def start(code, words):
    command = [sys.executable, "-c", code, *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def ask(api, path, **body):
    request = urllib.request.Request(
        f"{api}/{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def words_for(texts, home, *more):
    settings = ["--set", f"ingest.path={texts}", "--set", "ingest.max_bundle_file_bytes=1"]
    settings += ["--set", "contracts.enabled=false"]
    return ["run", "my-text", "--home", str(home), *settings, "--json", *more]


def digests(home, name):
    run = json.loads((home / "runs" / name / "run.json").read_text())
    return {step["step"]: step["dataset"] for step in run["steps"]}


def test_a_killed_run_is_shown_as_crashed_and_goes_on(texts, tmp_path, prefect_api, millrace):
    home, calm = tmp_path / "home", tmp_path / "calm"
    killed = start(KILLED, words_for(texts, home, "--run", "killed"))
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    status = millrace("status", "killed", "--home", str(home)).value["steps"]
    policy = next(step for step in status if step["step"] == "apply_policy")
    assert policy["state"] == "failed"
    assert "ended" in policy["why"] or "crashed" in policy["why"]

    assert millrace(*words_for(texts, home, "--run", "after")[:-3], "--run", "after").code == 0
    again = json.loads((home / "runs" / "after" / "run.json").read_text())
    computed = {step["step"]: step["partitions_computed"] for step in again["steps"]}
    assert computed["ingest"] == computed["compute_signals"] == 0
    assert 0 < computed["apply_policy"] < 20
    assert millrace(*words_for(texts, calm, "--run", "calm")[:-3], "--run", "calm").code == 0
    assert digests(home, "after") == digests(calm, "calm")

    record = json.loads((home / "runs" / "killed" / "run.json").read_text())
    assert record["state"] == "crashed"
    (flow_run,) = record["flow_runs"]
    with urllib.request.urlopen(f"{prefect_api}/flow_runs/{flow_run}", timeout=10) as answer:
        assert json.load(answer)["state"]["type"] == "CRASHED"
    of_run = {"flow_runs": {"id": {"any_": [flow_run]}}}
    tasks = ask(prefect_api, "task_runs/filter", **of_run)
    assert len(tasks) >= 2
    assert {task["state_type"] for task in tasks} <= {"COMPLETED", "CRASHED"}


def test_two_runs_at_once_share_the_work(texts, tmp_path):
    home = tmp_path / "home"
    main = "from flows.cli import command; command()"
    both = [start(main, words_for(texts, home, "--run", name)) for name in ("one", "two")]
    ends = [process.communicate(timeout=180) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert digests(home, "one") == digests(home, "two")
    receipts = list((home / "parts").glob("*/*.json"))
    maps, buckets, wholes = 20 * 8, 8 + 16, 3
    assert len(receipts) == maps + buckets + wholes


def test_a_run_ends_without_a_word_of_trouble(texts, tmp_path):
    main = "from flows.cli import command; command()"
    process = start(main, words_for(texts, tmp_path / "home"))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0
    assert json.loads(out)["state"] == "done"
    lines = err.strip().splitlines()
    assert all(line.split(":")[0].replace("_", "").isalpha() for line in lines), err
    assert len(lines) == 13  # one for each step
