"""The home's own Prefect server: started when none is configured, one per home, kept between runs.

Its history is a SQLite database in `server_folder`, beside which lie its log and a record of the
process that serves it. A process is taken for ours only if its command line carries the token of
that record and it works in that very folder, so neither another server on the port, nor a reused
process id, nor the server of a home that this one is a copy of is mistaken for it.

Importing this module imports nothing of Prefect, whose import takes more than a second.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
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

from data_contracts.errors import ReadOnlyHome, StoreError
from flows.client import HOST, NO_TELEMETRY, configured_api_url, past_proxies
from flows.new_database import keep_as_template, seed_database
from flows.state import server_folder, servers_folder

DEFAULT_PORT = 4200
PORTS_TRIED = 100
START_SECONDS = 180.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05

RECORD = "server.json"
LOG = "server.log"
LOCK = "server.lock"
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


def _template() -> Path:
    return servers_folder() / f"new-prefect-{version('prefect')}"


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
        **past_proxies(),
    }


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
