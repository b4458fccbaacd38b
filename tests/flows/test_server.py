"""The home's Prefect server: real processes, asked over HTTP by `urllib`, not through Prefect."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from data_contracts.errors import ReadOnlyHome, StoreError, UsageError
from flows import server as module
from flows.client import OWN_API_URL, client_environment, configured_api_url
from flows.server import ensure_server, server_status, stop_server
from flows.state import server_folder

ROOT = Path(__file__).resolve().parents[2]
CONFIGURE = """
import os, signal, sys, time
from flows.client import configure_client, drain
from flows.crashed import mark_crashed
from flows.server import ensure_server
home = sys.argv[1]
configure_client(ensure_server(home), home)
"""
SMALL_RUN = """
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

@task(cache_policy=NO_CACHE)
def double(number):
    get_run_logger().info("doubling %d", number)
    return 2 * number

@flow
def inner(number):
    return double(number)

@flow
def outer():
    get_run_logger().info("starting")
    return inner(20) + sum(double(number) for number in range(2))

assert outer() == 42
"""
RARELY = {"PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "600"}  # seconds; by itself, not before the end
LONG_RUN = """
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

@task(cache_policy=NO_CACHE)
def quick():
    return 1

@task(cache_policy=NO_CACHE)
def endless():
    print("reached", flush=True)
    time.sleep(600)

@flow
def finished():
    return quick()

@flow
def unfinished():
    quick()
    endless()

@flow
def killed():
    finished()
    unfinished()

killed()
"""


def start_python(code: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def run_python(code: str, *arguments: object, **environment: str) -> str:
    """Run code in a new process and return its stdout; it must end well and silently."""
    process = start_python(code, *arguments, **environment)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    return out


def ask(api_url: str, path: str, **body: Any) -> Any:
    request = urllib.request.Request(
        f"{api_url}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def states(api_url: str, kind: str) -> dict[str, tuple[str, str, str]]:
    """Return state, its id and its message of every flow run (or task run) by the run's id."""
    return {
        run["id"]: (run["state_type"], run["state_id"], (run["state"] or {}).get("message"))
        for run in ask(api_url, f"{kind}/filter")
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def foreign_server() -> Iterator[int]:
    """Serve ``true`` to every GET, as a Prefect of somebody else's would to a health check."""

    class Healthy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"true")

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as foreign:
        thread = threading.Thread(target=foreign.serve_forever)
        thread.start()
        try:
            yield foreign.server_port
        finally:
            foreign.shutdown()
            thread.join()


@contextlib.contextmanager
def stopped_at_the_end(home: Path) -> Iterator[None]:
    """Stop the home's server whatever happened, and fail if anything of it is left."""
    folder = str(server_folder(str(home)))
    try:
        yield
    finally:
        stop_server(str(home))
        left = [process for process in psutil.process_iter() if serves(process, folder)]
        for process in left:
            process.kill()
        assert left == []


def serves(process: psutil.Process, folder: str) -> bool:
    try:
        return process.cwd() == folder and module.SERVE in process.cmdline()
    except psutil.Error:
        return False


def wait_until(condition: Any, timeout_seconds: float = 30) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give a home whose server runs while this file's tests do, with an empty history."""
    home = tmp_path_factory.mktemp("served") / "home"
    with stopped_at_the_end(home):
        ensure_server(str(home), port=free_port())
        yield str(home)


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[Any]:
    """Start a process that is not the server but is named by the home's record."""
    started: list[subprocess.Popen[bytes]] = []

    def start(token_in_record: str, code: str, *arguments: str, port: int = 1) -> Any:
        folder = server_folder(str(tmp_path))
        folder.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, cwd=folder
        )
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()  # it is up
        record = {"pid": process.pid, "port": port, "token": token_in_record}
        record |= {"since": "2020-01-01T00:00:00+00:00", "version": "0"}
        (folder / module.RECORD).write_text(json.dumps(record))
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


SLEEP = "import time; print(flush=True); time.sleep(600)"
POLITE = (
    """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: (open(sys.argv[2], "w").close(), sys.exit()))
"""
    + SLEEP
)
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEP


def test_a_home_has_one_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MILLRACE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    local = tmp_path / "home" / "prefect"
    for home in ("home", "./home/", str(tmp_path / "home"), f"file://{tmp_path}/home"):
        assert server_folder(home) == local
    buckets = [server_folder(url) for url in ("s3://one/home", "s3://one/home/", "s3://two/home")]
    assert buckets[0] == buckets[1] != buckets[2]
    assert {folder.parent for folder in buckets} == {tmp_path / "state" / "servers"}
    monkeypatch.delenv("MILLRACE_STATE_DIR")
    assert server_folder("s3://one/home").parent == Path.home() / ".millrace" / "servers"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("home", ["", " ", "file://", "local://"])
def test_an_empty_name_is_no_home(
    home: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for call in (server_folder, ensure_server, stop_server, server_status):
        with pytest.raises(UsageError, match=r"empty name.*--home"):
            call(home)
    assert list(tmp_path.iterdir()) == []


def test_a_configured_server_is_used_and_nothing_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    theirs = "http://prefect.example:4200/api"
    monkeypatch.setenv("PREFECT_API_URL", theirs)
    assert ensure_server(str(tmp_path)) == theirs
    assert list(tmp_path.iterdir()) == []
    environment = client_environment(theirs, str(tmp_path))
    assert environment["PREFECT_API_URL"] == theirs
    assert environment["DO_NOT_TRACK"] == "1"
    assert environment["PREFECT_LOGGING_LEVEL"] == "INFO"
    assert environment["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] == "CRITICAL"
    assert not {"PREFECT_HOME", "PREFECT_PROFILE", OWN_API_URL} & set(environment)


def test_an_address_that_we_set_is_not_taken_for_the_persons(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("no_proxy", "intranet.example, localhost")
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
    environment = client_environment("http://127.0.0.1:4200/api", str(tmp_path))
    assert environment["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert environment["no_proxy"] == "intranet.example,localhost,127.0.0.1"
    assert environment["PREFECT_LOGGING_LEVEL"] == "DEBUG"
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert configured_api_url() is None
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example/api")
    assert configured_api_url() == "http://prefect.example/api"


def test_asking_and_stopping_need_no_prefect(tmp_path: Path) -> None:
    code = """
import sys
from flows.client import client_environment, drain
from flows.server import server_status, stop_server
assert drain() is True
assert stop_server(sys.argv[1]) is False
assert server_status(sys.argv[1])["running"] is False
client_environment("http://127.0.0.1:4200/api", sys.argv[1])
print(sorted(name for name in sys.modules if name.split(".")[0] in ("prefect", "uvicorn")))
"""
    assert run_python(code, tmp_path / "absent") == "[]\n"
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_server_is_neither_used_nor_stopped(impostor: Any, tmp_path: Path) -> None:
    with foreign_server() as port:
        process = impostor("our-token", SLEEP, "another-token", port=port)
        status = server_status(str(tmp_path))
        assert (status["running"], status["healthy"], status["url"]) == (False, False, None)
        assert stop_server(str(tmp_path)) is False
        assert process.poll() is None
        assert not (server_folder(str(tmp_path)) / module.RECORD).exists()


@pytest.mark.parametrize(("code", "said_goodbye"), [(POLITE, True), (DEAF, False)])
def test_stopping_asks_then_kills(
    code: str, said_goodbye: bool, impostor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not said_goodbye:
        monkeypatch.setattr(module, "STOP_SECONDS", 0.5)
    process = impostor("our-token", code, "our-token", str(tmp_path / "goodbye"))
    status = server_status(str(tmp_path))
    assert (status["running"], status["healthy"]) == (True, False)
    assert stop_server(str(tmp_path)) is True
    assert not psutil.pid_exists(process.pid)
    assert (tmp_path / "goodbye").exists() is said_goodbye
    assert stop_server(str(tmp_path)) is False


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "port": 1}'])
def test_a_damaged_record_is_no_server(content: str, tmp_path: Path) -> None:
    folder = server_folder(str(tmp_path))
    folder.mkdir()
    (folder / module.RECORD).write_text(content)
    assert server_status(str(tmp_path))["running"] is False
    assert stop_server(str(tmp_path)) is False


def test_the_next_free_port_is_held_from_the_start(tmp_path: Path) -> None:
    with (
        foreign_server() as taken,
        module._listener(taken, tmp_path) as first,
        module._listener(taken, tmp_path) as second,
    ):
        ports = [taken, first.getsockname()[1], second.getsockname()[1]]
    assert ports == sorted(set(ports))


def test_no_free_port_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PORTS_TRIED", 1)
    with foreign_server() as taken, pytest.raises(StoreError, match=f"No port from {taken} on"):
        ensure_server(str(tmp_path), port=taken)


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(ReadOnlyHome, match=r"home/prefect .*PREFECT_API_URL"):
        ensure_server(str(tmp_path / "home"))


@pytest.mark.slow
def test_a_server_that_cannot_start_names_its_log(tmp_path: Path) -> None:
    folder = server_folder(str(tmp_path))
    (folder / "prefect.db").mkdir(parents=True)  # no SQLite database opens here
    with stopped_at_the_end(tmp_path):
        with pytest.raises(StoreError, match=r"ended while starting; .*server.log ends with: '.+'"):
            ensure_server(str(tmp_path), port=free_port())
        assert server_status(str(tmp_path))["running"] is False


@pytest.mark.slow
def test_a_running_server_is_used_again(home: str) -> None:
    before = server_status(home)
    assert ensure_server(home, port=free_port()) == before["url"]
    assert server_status(home) == before
    assert (before["running"], before["healthy"]) == (True, True)
    assert Path(before["folder"]).stat().st_mode & 0o777 == 0o700
    process = psutil.Process(before["pid"])
    listening = [c.laddr for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening == [("127.0.0.1", before["port"])]
    assert os.getsid(before["pid"]) == before["pid"] != os.getsid(0)
    with urllib.request.urlopen(before["ui_url"], timeout=10) as page:
        assert b"<title>Prefect" in page.read()


@pytest.mark.slow
def test_a_copied_home_leaves_the_originals_server_alone(home: str, tmp_path: Path) -> None:
    before = server_status(home)
    assert before["running"]
    copied = server_folder(str(tmp_path))
    copied.mkdir()
    shutil.copy(Path(before["folder"]) / module.RECORD, copied)
    status = server_status(str(tmp_path))
    assert (status["running"], status["url"]) == (False, None)
    assert stop_server(str(tmp_path)) is False
    assert list(copied.glob(module.RECORD)) == []
    assert server_status(home) == before
    (tmp_path / "other-name").symlink_to(home)
    assert server_status(str(tmp_path / "other-name"))["pid"] == before["pid"]


@pytest.mark.slow
def test_the_server_tells_nobody_and_keeps_to_its_folder(home: str) -> None:
    status = server_status(home)
    with urllib.request.urlopen(f"{status['url']}/admin/settings", timeout=10) as answer:
        settings = json.load(answer)
    assert settings["home"] == status["folder"]
    assert settings["server"]["analytics_enabled"] is False
    assert settings["server"]["ui"]["show_promotional_content"] is False
    assert (Path(status["folder"]) / "prefect.db").is_file()


@pytest.mark.slow
def test_two_commands_at_once_share_one_server_and_history_outlives_it(tmp_path: Path) -> None:
    code = "import sys; from flows.server import ensure_server as e; print(e(sys.argv[1], port="
    with stopped_at_the_end(tmp_path), foreign_server() as taken:
        both = [start_python(f"{code}{taken}))", tmp_path) for _ in range(2)]
        told = [process.communicate(timeout=120) for process in both]
        first = server_status(str(tmp_path))
        assert told == [(f"{first['url']}\n", "")] * 2
        assert first["port"] != taken
        assert len([p for p in psutil.process_iter() if serves(p, first["folder"])]) == 1
        made = ask(first["url"], "flows/", name="kept")["id"]
        os.kill(first["pid"], signal.SIGKILL)
        wait_until(lambda: not server_status(str(tmp_path))["running"])
        api_url = ensure_server(str(tmp_path), port=taken)
        assert server_status(str(tmp_path))["pid"] != first["pid"]
        assert [flow["id"] for flow in ask(api_url, "flows/filter")] == [made]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["drain()", "assert drain(); os._exit(0)"])
def test_a_run_ends_in_silence_and_nothing_is_lost(home: str, end: str) -> None:
    api_url = server_status(home)["url"]
    flows_before, tasks_before = states(api_url, "flow_runs"), states(api_url, "task_runs")
    assert run_python(CONFIGURE + SMALL_RUN + end, home, **RARELY) == ""
    flow_runs = states(api_url, "flow_runs").keys() - flows_before.keys()
    assert len(flow_runs) == 2
    logs = ask(api_url, "logs/filter", logs={"flow_run_id": {"any_": sorted(flow_runs)}})
    messages = [log["message"] for log in logs]
    for wanted in ("starting", "doubling 0", "doubling 1", "doubling 20"):
        assert messages.count(wanted) == 1

    def task_runs() -> dict[str, str]:
        new = states(api_url, "task_runs")
        return {run: state[0] for run, state in new.items() if run not in tasks_before}

    wait_until(lambda: set(task_runs().values()) == {"COMPLETED"})
    assert len(task_runs()) == 4  # three tasks, and the one that stands for the sub-flow
    assert {states(api_url, "flow_runs")[run][0] for run in flow_runs} == {"COMPLETED"}
    stand_ins = {run["parent_task_run_id"] for run in ask(api_url, "flow_runs/filter")}
    for kind, runs in (("flow-run", flow_runs), ("task-run", task_runs().keys() - stand_ins)):
        wanted = {(f"prefect.{kind}.{run}", state) for run in runs for state in PASSED_THROUGH}
        assert len(wanted) == 3 * {"flow-run": 2, "task-run": 3}[kind]
        wait_until(lambda k=kind, w=wanted: w <= state_changes(api_url, k))


PASSED_THROUGH = ("Pending", "Running", "Completed")


def state_changes(api_url: str, kind: str) -> set[tuple[str, str]]:
    prefix = f"prefect.{kind}."
    found = ask(api_url, "events/filter", filter={"event": {"prefix": [prefix]}}, limit=50)
    return {
        (event["resource"]["prefect.resource.id"], event["event"].removeprefix(prefix))
        for event in found["events"]
    }


@pytest.mark.slow
def test_a_failed_run_is_told_by_its_exception_alone(home: str) -> None:
    """Prefect's own traceback goes to the server, not to stderr."""
    code = """
from prefect import flow
@flow
def failing(): raise ValueError("told once")
try:
    failing()
except ValueError as error:
    print(error)
drain()
"""
    assert run_python(CONFIGURE + code, home) == "told once\n"
    found = ask(server_status(home)["url"], "logs/filter", logs={"level": {"ge_": 40}})
    assert any("told once" in log["message"] for log in found)


@pytest.mark.slow
def test_without_drain_a_hard_end_loses_logs(home: str) -> None:
    """The control: what the test above sees arrive is there because of `drain`."""
    api_url = server_status(home)["url"]
    before = states(api_url, "flow_runs")
    assert run_python(CONFIGURE + SMALL_RUN + "os._exit(0)", home, **RARELY) == ""
    flow_runs = sorted(states(api_url, "flow_runs").keys() - before.keys())
    assert len(flow_runs) == 2
    assert ask(api_url, "logs/filter", logs={"flow_run_id": {"any_": flow_runs}}) == []


@pytest.mark.slow
def test_what_a_killed_process_left_running_is_marked_crashed(home: str) -> None:
    api_url = server_status(home)["url"]
    flows_before, tasks_before = states(api_url, "flow_runs"), states(api_url, "task_runs")

    def new(kind: str) -> dict[str, tuple[str, str, str]]:
        before = flows_before if kind == "flow_runs" else tasks_before
        return {run: s for run, s in states(api_url, kind).items() if run not in before}

    def names(kind: str) -> list[str]:
        return sorted(state or "NONE YET" for state, _, _ in new(kind).values())

    process = start_python(CONFIGURE + LONG_RUN, home)
    assert process.stdout is not None
    assert process.stdout.readline() == "reached\n"
    tasks = ["COMPLETED"] * 3 + ["RUNNING"] * 2  # two of the five stand for the sub-flows
    wait_until(lambda: names("task_runs") == tasks)
    process.kill()
    process.communicate()
    assert names("flow_runs") == ["COMPLETED", "RUNNING", "RUNNING"]

    root = [run["id"] for run in ask(api_url, "flow_runs/filter") if is_root(run, flows_before)]
    mark = "print(mark_crashed(sys.argv[2], 'process 7 is gone'))"
    assert run_python(CONFIGURE + mark, home, *root) == "True\n"
    assert names("flow_runs") == ["COMPLETED", "CRASHED", "CRASHED"]
    assert names("task_runs") == ["COMPLETED"] * 3 + ["CRASHED"] * 2
    marked = new("flow_runs") | new("task_runs")
    messages = [message for state, _, message in marked.values() if state == "CRASHED"]
    assert messages == ["process 7 is gone"] * 4
    assert run_python(CONFIGURE + mark, home, *root) == "True\n"
    assert new("flow_runs") | new("task_runs") == marked
    for unknown in (uuid4(), "no flow run"):
        assert run_python(CONFIGURE + mark, home, unknown) == "False\n"


def is_root(run: dict[str, Any], before: dict[str, Any]) -> bool:
    return run["id"] not in before and run["parent_task_run_id"] is None


@pytest.mark.slow
def test_one_process_can_go_from_one_server_to_another(home: str, tmp_path: Path) -> None:
    """The first server's events are sent there before the settings change."""
    code = """
from prefect import flow
@flow
def here(): pass
here()
other = sys.argv[2]
configure_client(ensure_server(other), other)
here()
drain()
print(ensure_server(other))
"""
    api_url = server_status(home)["url"]
    before = len(states(api_url, "flow_runs"))
    with stopped_at_the_end(tmp_path):
        other = run_python(CONFIGURE + code, home, tmp_path).strip()
        assert len(states(api_url, "flow_runs")) == before + 1
        assert len(states(other, "flow_runs")) == 1
        assert other != api_url


@pytest.mark.slow
def test_the_servers_log_stayed_empty(home: str) -> None:
    """Runs last: nothing that the tests above did made the server complain."""
    assert Path(server_status(home)["log_file"]).read_text() == ""
