"""Nights: schedules, `millrace serve`, and what is there again after each kind of kill."""

from __future__ import annotations

import json
import signal
import socket
from datetime import UTC, datetime

import psutil
import pytest
from served_home import served_home, until
from small_texts import write_lines

from flows.server import server_status
from store.accepted import accepted_runs, baseline_of
from store.storage import Storage

pytestmark = pytest.mark.slow
PLANNED = {"Scheduled", "Late"}
MAPS = ("ingest", "compute_signals", "apply_policy", "compute_signatures", "split", "materialize")


@pytest.fixture
def night(tmp_path, texts):
    """A home with three files to read."""
    for number in range(3, 20):
        (texts / f"part-{number:02d}.jsonl").unlink()
    with served_home(tmp_path, texts) as served:
        yield served


def add_file(night, number):
    write_lines(night.texts / f"part-{number:02d}.jsonl", range(number * 10, number * 10 + 10))


def assert_no_work_twice(night, files):
    """Each partition was computed by one run, and there is one for each file."""
    assert {step: len(night.receipts(step)) for step in MAPS} == dict.fromkeys(MAPS, files)
    assert {step: night.computed(step) for step in MAPS} == dict.fromkeys(MAPS, files)
    assert sum(map(night.computed, ("link_duplicates", "choose_kept"))) == len(
        night.receipts("link_duplicates") | night.receipts("choose_kept")
    )


def is_due(run):
    due = datetime.fromisoformat(run["expected_start_time"]) <= datetime.now(UTC)
    return due and run["state_name"] in PLANNED


def unfinished(night):
    return night.flow_runs(state={"type": {"any_": ["PENDING", "RUNNING"]}})


def ingested(night):
    """Return how many files each run that is done read, oldest first."""
    return [run["steps"][0]["partitions_computed"] for run in night.runs("done")]


def found_nothing_new(night, files):
    """Tell whether the latest run that is done found this many files and had nothing to do.

    A run that waited for another's work may be done before that one is.
    """
    *_, latest = [None, *night.runs("done")]
    computed = [step["partitions_computed"] for step in latest["steps"]] if latest else [1]
    all_done = latest is not None and latest["steps"][0]["partitions"] == files
    return all_done and not any(computed) and sum(ingested(night)) == files


def test_each_run_of_a_schedule_has_exactly_what_is_new(night):
    night.deploy("--interval", "5s")
    serving = night.serve()
    until(lambda: found_nothing_new(night, 3), "the first run, and one after it")
    for number in (3, 4):
        add_file(night, number)
        until(lambda n=number: found_nothing_new(night, n + 1), "the file, and a run after it")
    serving.send_signal(signal.SIGTERM)
    assert serving.wait(60) == 0
    assert [number for number in ingested(night) if number] == [3, 1, 1]
    assert ingested(night).count(0) >= 3
    assert_no_work_twice(night, 5)

    told = night.told()
    assert "new partitions (ingest 1, compute_signals 1" in told
    assert "nothing new, " in told
    deployment = night.api("deployments/name/run/my-text")
    assert (deployment["paused"], deployment["schedules"][0]["active"]) == (False, True)


def test_missed_slots_become_one_run(night):
    night.deploy("--interval", "3s")
    serving = night.serve()
    until(lambda: night.runs("done"), "a run")
    serving.kill()
    serving.wait()
    until(lambda: all(night.process_of(run["id"]) is None for run in unfinished(night)))
    before = {run["id"] for run in night.flow_runs() if run["state_name"] not in PLANNED}

    def missed():
        late = [run for run in night.flow_runs() if run["id"] not in before and is_due(run)]
        return {run["id"] for run in late} if len(late) >= 5 else None

    slots = until(missed, "five missed slots")
    night.serve()
    until(lambda: len(night.runs("done")) > 2, "runs after the standstill")
    states = {run["id"]: run for run in night.flow_runs() if run["id"] in slots}
    carried_out = [run for run in states.values() if run["state_type"] != "CANCELLED"]
    assert len(carried_out) <= 1  # or a slot that came while the process started did the work
    cancelled = [run for run in states.values() if run["state_type"] == "CANCELLED"]
    assert len(cancelled) >= len(slots) - 1
    for run in cancelled:
        message = night.api(f"flow_runs/{run['id']}")["state"]["message"]
        assert message.startswith("missed slot: flow run ")
        assert message.endswith(" does its work")
    assert_no_work_twice(night, 3)


def test_a_killed_run_is_shown_as_crashed_and_the_next_one_goes_on(night):
    for number in range(3, 20):
        add_file(night, number)
    night.deploy()
    night.serve()
    killed = night.start("run/my-text")
    until(lambda: night.receipts("compute_signals"), "a partition of compute_signals")
    night.process_of(killed).kill()
    until(lambda: night.state(killed) == "Crashed", "Prefect to see it")
    until(lambda: night.runs("crashed"), "the record to say it")
    (record,) = night.runs("crashed")
    assert record["flow_runs"] == [killed]
    until(lambda: f"{record['name']}: crashed" in night.told(), "the line that tells it")
    tasks = night.api("task_runs/filter", flow_runs={"id": {"any_": [killed]}})
    assert not {task["state_type"] for task in tasks} & {"RUNNING", "PENDING"}

    kept = night.receipts()
    after = night.start("run/my-text")
    until(lambda: night.state(after) == "Completed", "the run after it")
    assert {path: night.receipts()[path] for path in kept} == kept
    assert len(night.receipts("materialize")) == 20
    (done,) = night.runs("done")
    assert done["steps"][0]["partitions_computed"] == 0
    assert night.computed("materialize") == 20


def test_ending_serve_ends_its_runs_and_shows_them_as_crashed(night):
    for number in range(3, 20):
        add_file(night, number)
    night.deploy()
    serving = night.serve()
    ended = night.start("run/my-text")
    until(lambda: night.receipts("compute_signals"), "a partition of compute_signals")
    serving.send_signal(signal.SIGTERM)
    assert serving.wait(60) == 0
    assert night.process_of(ended) is None
    assert night.state(ended) == "Crashed"
    assert [run["state"] for run in night.runs()] == ["crashed"]


def test_the_server_is_started_again_at_its_place(night):
    night.deploy()
    night.serve()
    first = night.start("run/my-text")
    until(lambda: night.state(first) == "Completed", "the first run")
    server = server_status(str(night.home))
    psutil.Process(server["pid"]).kill()
    until(lambda: "The Prefect server is there again." in night.told(), "the server")
    assert server_status(str(night.home))["url"] == server["url"]
    add_file(night, 3)
    second = night.start("run/my-text")
    until(lambda: night.state(second) == "Completed", "a run after that")
    assert [run["steps"][0]["partitions_computed"] for run in night.runs()] == [3, 1]
    assert_no_work_twice(night, 4)

    other = night.millrace("serve")
    assert other.code == 2
    assert "is served already, by process" in other.err


def is_bound(listener, port):
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def test_a_server_that_lost_its_port_is_served_where_it_is(night):
    assert night.millrace("server", "start", "--port", "4750").code == 0
    night.deploy()
    serving = night.serve()
    until(lambda: "Serving " in night.told(), "serve")
    server = server_status(str(night.home))
    serving.send_signal(signal.SIGSTOP)  # until the port is somebody else's
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        psutil.Process(server["pid"]).kill()
        until(lambda: is_bound(taken, server["port"]), "the port")
        taken.listen()
        serving.send_signal(signal.SIGCONT)
        until(lambda: night.told().count("Serving ") == 2, "serve at another place")
        assert server_status(str(night.home))["port"] != server["port"]
        first = night.start("run/my-text")
        until(lambda: night.state(first) == "Completed", "a run there")


def test_two_deployments_on_one_home_do_no_work_twice(night):
    for number in range(3, 20):
        add_file(night, number)
    for name in ("one", "two"):
        assert f"run/{name}" in night.deploy("--name", name)
    night.serve("--limit", "2")
    both = [night.start("run/one"), night.start("run/two")]
    until(lambda: {night.state(run) for run in both} == {"Completed"}, "both runs")
    one, two = night.runs()
    assert max(one["started_at"], two["started_at"]) <= min(one["finished_at"], two["finished_at"])
    assert [s["dataset"] for s in one["steps"]] == [s["dataset"] for s in two["steps"]]
    assert_no_work_twice(night, 20)


def test_a_run_that_waits_goes_on_after_a_restart_of_server_and_serve(night):
    night.deploy("--set", "approval.after=apply_policy")
    serving = night.serve()
    waits = night.start("run/my-text")
    until(lambda: night.state(waits) == "Suspended", "the run to wait")
    (waiting,) = until(lambda: night.runs("waiting"), "the record")
    assert [step["step"] for step in waiting["steps"]] == list(MAPS[:3])
    until(lambda: f"{waiting['name']}: waits for approval of apply_policy" in night.told())
    same = night.start("run/my-text")
    until(lambda: night.state(same) == "Waiting", "a run with nothing new")
    assert len(night.runs()) == 1

    serving.kill()
    serving.wait()
    assert night.millrace("server", "stop").code == 0
    add_file(night, 3)
    assert night.millrace("server", "start").code == 0
    refused = night.api(f"flow_runs/{waits}/resume", run_input={"approved": "perhaps"})
    assert refused["status"] == "REJECT"
    approved = night.millrace("approve", waiting["name"], "--comment", "read")
    assert (approved.code, approved.value["state"]) == (0, "resuming")
    again = night.millrace("approve", waiting["name"])
    assert again.code == 2
    assert "decided about already" in again.err

    night.serve()
    until(lambda: night.state(waits) == "Completed", "the run to go on")
    (done,) = night.runs("done")
    assert (done["name"], done["flow_runs"]) == (waiting["name"], [waits])
    assert [s["dataset"] for s in done["steps"][:3]] == [s["dataset"] for s in waiting["steps"]]
    assert [s["partitions_computed"] for s in done["steps"][:3]] == [0, 0, 0]
    decision = night.home / "runs" / done["name"] / "approval.json"
    assert '"comment":"read"' in decision.read_text().replace(" ", "")
    assert {step: len(night.receipts(step)) for step in MAPS} == dict.fromkeys(MAPS, 3)

    second = night.start("run/my-text")
    until(lambda: night.state(second) == "Suspended", "the run with the new file")
    (waiting,) = until(lambda: night.runs("waiting"), "its record")
    assert night.millrace("approve", "--reject", "--comment", "no").code == 0
    until(lambda: night.state(second) == "Failed", "the rejected run to end")
    (failed,) = night.runs("failed")
    assert "apply_policy was rejected by" in failed["error"]
    assert len(night.receipts("materialize")) == 3


GERMAN = "Das Wasser treibt ein Rad, welches Korn mahlt, bis es Abend wird"


def write_bad_file(path):
    """Write 300 documents of another language, of which all but a few stand there many times."""
    texts = [f"{n} {GERMAN}." for n in range(30)]
    documents = [{"id": f"bad-{n}", "text": texts[n % 30 if n < 60 else 0]} for n in range(300)]
    path.write_text("".join(json.dumps(one) + "\n" for one in documents), encoding="utf-8")


def accepted(night):
    """Return the names of the accepted runs, the latest first."""
    return [one.run for one in accepted_runs(Storage(str(night.home)))]


def test_a_bad_file_in_the_night_trips_the_contracts_and_is_no_baseline(night):
    for number in range(3):
        numbers = range(number * 100, number * 100 + 100)
        write_lines(night.texts / f"part-{number:02d}.jsonl", numbers)
    night.deploy("--interval", "5s", contracts=True)
    night.serve()
    until(lambda: accepted(night), "a run that its checks accept")
    write_lines(night.texts / "part-03.jsonl", range(300, 400))
    until(lambda: night.computed("materialize") == 4, "the run with a good file")
    until(lambda: "nothing new, " in night.told().splitlines()[-1], "a run with nothing new")
    good = accepted(night)

    write_bad_file(night.texts / "part-04.jsonl")
    # Runs may overlap, so that the first is compared with an earlier baseline than those after it.
    until(lambda: len(night.runs("failed")) >= 3, "runs that a contract stops")
    stopped = night.runs("failed")
    first, again = stopped[-2:]
    assert "The contract of signals" in first["error"]
    assert "stop_words_drift_new_large" in first["error"]
    assert first["error"].replace(first["name"], again["name"]) == again["error"]
    computed = [(s["step"], s["partitions_computed"]) for run in stopped for s in run["steps"]]
    assert {step for step, _ in computed} == {"ingest", "compute_signals"}
    assert sum(number for _, number in computed) == 2  # each step read the file once
    assert {s["partitions_computed"] for s in again["steps"]} == {0}
    line = f"{first['name']}: failed: The contract of signals"
    until(lambda: line in night.told(), "the line that tells it")
    assert not {run["name"] for run in night.runs("failed")} & set(accepted(night))
    bad = {step["dataset"] for run in stopped for step in run["steps"]}
    assert not bad & set(baseline_of(Storage(str(night.home)), "my-text").values())
    assert (night.home / "checks" / "index.html").read_text().count(first["name"]) >= 1

    (night.texts / "part-04.jsonl").unlink()
    before = len(night.runs("done"))
    until(lambda: len(night.runs("done")) > before, "a run without the bad file")
    assert night.computed("materialize") == 4
    assert {run["name"] for run in night.runs("done")[:1]} <= set(accepted(night))
    assert set(good) <= set(accepted(night))
