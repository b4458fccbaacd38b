"""The home's own Prefect server: started when none is configured, one per home, kept between runs.

Its history is a SQLite database in `server_folder`, beside which lie its log and a record of the
process that serves it. A process is taken for ours only if its command line carries the token of
that record and it works in that very folder, so neither another server on the port, nor a reused
process id, nor the server of a home that this one is a copy of is mistaken for it.

Importing this module imports nothing of Prefect, whose import takes more than a second;
`configure_client` must be called before Prefect is imported, `drain` before a command ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from data_contracts.errors import ReadOnlyHome, StoreError, UsageError
from flows.crashed import mark_crashed
from flows.new_database import keep_as_template, seed_database
from flows.state import state_folder

__all__ = [
    "client_environment",
    "configure_client",
    "configured_api_url",
    "drain",
    "ensure_server",
    "mark_crashed",
    "server_folder",
    "server_status",
    "stop_server",
]

HOST = "127.0.0.1"
DEFAULT_PORT = 4200
PORTS_TRIED = 100
START_SECONDS = 180.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05

RECORD = "server.json"
LOG = "server.log"
LOCK = "server.lock"
OWN_API_URL = "MILLRACE_PREFECT_API_URL"  # the PREFECT_API_URL that `configure_client` set
NO_TELEMETRY = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
PASSED_ON = {"PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"}

SERVE = """
import socket, sys, uvicorn
from prefect.server.api.server import create_app
listener = socket.socket(fileno=int(sys.argv[1]))
config = uvicorn.Config(
    create_app(final=True), log_level="warning", timeout_graceful_shutdown=5
)
uvicorn.Server(config).run(sockets=[listener])
"""


@dataclass(frozen=True)
class _Server:
    """What is written of a started server; ``since`` is UTC, ``version`` Prefect's."""

    pid: int
    port: int
    token: str
    since: str
    version: str

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def is_alive(self) -> bool:
        """Tell whether the process that was started then still runs."""
        try:
            return self.token in psutil.Process(self.pid).cmdline()
        except psutil.Error:
            return False

    def works_in(self, folder: Path) -> bool:
        """Tell whether its process works in this folder, under whatever name, not in a copy."""
        try:
            return os.path.samefile(psutil.Process(self.pid).cwd(), folder)
        except (psutil.Error, OSError):
            return False

    def is_healthy(self, timeout_seconds: float = 2.0) -> bool:
        """Tell whether it is alive and answers."""
        if not self.is_alive():
            return False
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(f"{self.url}/api/health", timeout=timeout_seconds) as answer:
                return answer.status == 200
        except (OSError, HTTPException):
            return False


def server_folder(home: str) -> Path:
    """Return the folder of a home's server (its PREFECT_HOME); nothing is created.

    It is ``<home>/prefect`` for a local home. A bucket cannot hold a SQLite database, so the
    server of such a home lies with the person: ``~/.millrace/servers/<hash of the URL>``
    (MILLRACE_STATE_DIR takes the place of ``~/.millrace``).

    Raises:
        UsageError: for an empty name, which is no place (it would mean the working folder).
    """
    path = home.removeprefix("file://").removeprefix("local://")
    if not path.strip():
        raise UsageError("The home has an empty name; name a folder or a bucket with --home.")
    if "://" not in path:
        return Path(os.path.abspath(os.path.expanduser(path))) / "prefect"
    return _servers() / hashlib.sha256(path.rstrip("/").encode()).hexdigest()[:16]


def configured_api_url() -> str | None:
    """Return the PREFECT_API_URL that the person set, ``None`` if unset or set by us."""
    api_url = os.environ.get("PREFECT_API_URL")
    return None if api_url == os.environ.get(OWN_API_URL) else api_url


def ensure_server(home: str, *, port: int | None = None) -> str:
    """Return the API URL to use for a home, starting the home's server if none is there.

    A PREFECT_API_URL that the person set is returned as it is, and nothing is started. ``port`` is
    where to start (4200 by default); if it is taken, the next free one is. The server listens on
    the loopback interface only and outlives this process. Any number of processes may call this
    at once: they get one server.

    Raises:
        StoreError: if the server does not answer in three minutes; its log is named.
        ReadOnlyHome: if its folder cannot be written.
    """
    configured = configured_api_url()
    if configured:
        return configured
    folder = server_folder(home)
    with _locked(folder):
        server = _find(folder)
        if server is None:
            is_new = seed_database(folder, _template())
            server = _start(folder, port or DEFAULT_PORT)
            _await_health(server, folder)
            if is_new:
                keep_as_template(folder, _template())
        else:
            _await_health(server, folder)
    return f"{server.url}/api"


def stop_server(home: str) -> bool:
    """Stop a home's server, gently if it listens to that; return whether one was running."""
    folder = server_folder(home)
    if not folder.is_dir():
        return False
    with _locked(folder):
        server = _find(folder)
        if server is not None:
            _end(server)
        (folder / RECORD).unlink(missing_ok=True)
    return server is not None


def server_status(home: str) -> dict[str, Any]:
    """Describe a home's server; starts and changes nothing.

    Keys: ``running`` (its process lives), ``healthy`` (it answers), ``url`` (of the API),
    ``ui_url``, ``pid``, ``port``, ``since`` (UTC, ISO 8601), ``version`` (of Prefect), all ``None``
    where there is no server, and ``folder`` and ``log_file``.
    """
    folder = server_folder(home)
    server = _find(folder)
    return {
        "running": server is not None,
        "healthy": server is not None and server.is_healthy(),
        "url": server and f"{server.url}/api",
        "ui_url": server and server.url,
        "pid": server and server.pid,
        "port": server and server.port,
        "since": server and server.since,
        "version": server and server.version,
        "folder": str(folder),
        "log_file": str(folder / LOG),
    }


def client_environment(api_url: str, home: str) -> dict[str, str]:
    """Return the environment in which a process talks to the server at ``api_url``.

    Prefect is quiet there (INFO to the server, nothing on stderr but what is critical: errors
    reach the caller), sends nothing to anyone else and keeps no results: the store does. With a
    server that the person configured, their PREFECT_HOME and profile stay in force; logging
    settings that they chose always do.
    """
    chosen = {
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    }
    environment = {name: os.environ.get(name, value) for name, value in chosen.items()}
    environment |= NO_TELEMETRY
    environment |= {"PREFECT_API_URL": api_url, "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false"}
    if api_url == configured_api_url():
        return environment
    return environment | {
        OWN_API_URL: api_url,
        "PREFECT_HOME": str(server_folder(home)),
        "PREFECT_PROFILE": "local",
        **_past_proxies(),
    }


def configure_client(api_url: str, home: str) -> None:
    """Make this process, and those it starts, talk to the server at ``api_url``.

    Call it before Prefect is imported. If Prefect was imported already, what is still on its way
    to the former server is sent and the settings are read again; only the level of its console
    logging then stays as it was.
    """
    environment = client_environment(api_url, home)
    context = sys.modules.get("prefect.context")
    if context is not None:
        drain()
    os.environ.update(environment)
    if context is not None:
        context.refresh_global_settings_context()


def drain(timeout_seconds: float = 30.0) -> bool:
    """Wait until this process has handed its events and logs to the server; call it at a run's end.

    Prefect sends both from threads of its own, and a task run exists on the server only through
    its events. Returns whether the threads were done in time, be it that they gave up. Does
    nothing if Prefect was never imported.
    """
    workers = sys.modules.get("prefect.events.worker")
    if workers is None:
        return True
    not_done: list[int] = []

    def wait() -> None:  # in a thread of its own: in a running event loop it could not wait
        not_done.append(len(workers.EventsWorker.drain_all(timeout=timeout_seconds)[1]))

    notices = logging.getLogger("EventsWorker")  # it warns of any event that is still to be sent
    level = notices.level
    notices.setLevel(logging.ERROR)
    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    notices.setLevel(level)
    return not_done == [0]


def _servers() -> Path:
    return state_folder() / "servers"


def _template() -> Path:
    return _servers() / f"new-prefect-{version('prefect')}"


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Make the folder, private to its owner, and hold its lock."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        lock = (folder / LOCK).open("ab")
    except OSError as error:
        raise ReadOnlyHome(
            f"The Prefect server of this home cannot use {folder} ({error.strerror}); make it "
            "writable, or set PREFECT_API_URL to a server of yours."
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _find(folder: Path) -> _Server | None:
    """Return the running server of this folder, answering or not."""
    try:
        server = _Server(**json.loads((folder / RECORD).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return server if server.is_alive() and server.works_in(folder) else None


def _start(folder: Path, port: int) -> _Server:
    """Start a server in a session of its own and write down which one it is."""
    token = f"millrace-{secrets.token_hex(8)}"
    log = folder / LOG
    if log.exists():
        log.replace(folder / f"{LOG}.1")
    with _listener(port, folder) as listener, log.open("wb") as output:
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", SERVE, str(listener.fileno()), token],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=_server_environment(folder, port),
            pass_fds=[listener.fileno()],
            start_new_session=True,
            umask=0o077,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # so that it ends as no zombie
    since = datetime.now(UTC).isoformat(timespec="seconds")
    server = _Server(process.pid, port, token, since, version("prefect"))
    partial = folder / f"{RECORD}.partial"
    partial.write_text(json.dumps(asdict(server)) + "\n")
    partial.replace(folder / RECORD)
    return server


def _listener(port: int, folder: Path) -> socket.socket:
    """Return a socket that listens on the first free port; the server gets it as it is."""
    for candidate in range(port, min(port + PORTS_TRIED, 65536)):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ports just left are free
        try:
            listener.bind((HOST, candidate))
            listener.listen()
        except OSError:
            listener.close()
        else:
            return listener
    raise StoreError(
        f"No port from {port} on is free for the Prefect server of {folder}; choose another with "
        "`millrace server start --port`."
    )


def _server_environment(folder: Path, port: int) -> dict[str, str]:
    """Return the environment of the server: settings for a Prefect of the person's stay out.

    The database is named relative to the folder, where the server runs: Prefect's memo of what it
    registered there names it too and so stays true in a copy.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PREFECT") or name in PASSED_ON
    }
    return {
        **kept,
        **NO_TELEMETRY,
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": f"http://{HOST}:{port}/api",
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://{HOST}:{port},http://localhost:{port}",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:///prefect.db",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        **_past_proxies(),
    }


def _past_proxies() -> dict[str, str]:
    """Return the variables that keep calls to this machine away from a proxy."""
    named = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in named.split(",") if host.strip()]
    value = ",".join(dict.fromkeys([*hosts, HOST, "localhost"]))
    return {"NO_PROXY": value, "no_proxy": value}


def _await_health(server: _Server, folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.is_healthy():
        if server.is_alive() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            continue
        why = "does not answer" if server.is_alive() else "ended while starting"
        _end(server)
        log = folder / LOG
        raise StoreError(
            f"The Prefect server of {folder} {why}; {log} ends with: {_last_line(log)!r}. Mend "
            "that, or set PREFECT_API_URL to a server of yours."
        )


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _end(server: _Server) -> None:
    """End the server's process, if it is still that one: ask, wait, then kill."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(server.pid)
        for how in (signal.SIGTERM, signal.SIGKILL):
            if not server.is_alive():
                return
            process.send_signal(how)
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(STOP_SECONDS)
