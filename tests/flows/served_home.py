"""A home with a Prefect server of its own, deployments, and `millrace serve` as a process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

from flows.server import server_status

PATIENCE_SECONDS = 300
MILLRACE = [sys.executable, "-c", "from flows.cli import command; command()"]


def until(ask: Callable[[], Any], what: str = "it", seconds: float = PATIENCE_SECONDS) -> Any:
    """Ask again and again until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)
    return answer


class ServedHome:
    """A home of which several processes take care; `close` ends them all."""

    def __init__(self, home: Path, texts: Path) -> None:
        self.home, self.texts = home, texts
        self.log = home.parent / "serve.log"
        self._serving: list[subprocess.Popen] = []

    def millrace(self, *words: str) -> SimpleNamespace:
        """Run the command line with --json in a process of its own."""
        ended = subprocess.run(
            [*MILLRACE, *words, "--home", str(self.home), "--json"],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        value = json.loads(ended.stdout) if ended.stdout else None
        return SimpleNamespace(code=ended.returncode, value=value, err=ended.stderr)

    def deploy(self, *more: str, contracts: bool = False) -> list[str]:
        """Deploy my-text on the texts; without contracts each of its runs is twice as fast."""
        settings = {
            "ingest.path": self.texts,
            "ingest.max_bundle_file_bytes": 1,
            "contracts.enabled": str(contracts).lower(),
        }
        words = [word for item in settings.items() for word in ("--set", "=".join(map(str, item)))]
        answer = self.millrace("deploy", "my-text", *words, *more)
        assert answer.code == 0, answer.err
        return answer.value["deployments"]

    def serve(self, *more: str) -> subprocess.Popen:
        with self.log.open("ab") as log:
            command = [*MILLRACE, "serve", "--home", str(self.home), *more]
            process = subprocess.Popen(command, stdout=log, stderr=log)
        self._serving.append(process)
        return process

    def told(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def api(self, path: str, **body: Any) -> Any:
        """Ask the home's server, again if it is too busy; a request without a body is a GET."""
        address = f"{server_status(str(self.home))['url']}/{path}"
        headers = {"Content-Type": "application/json"}
        data = json.dumps(body).encode() if body else None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            request = urllib.request.Request(address, data, headers)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return json.load(answer)
            except (urllib.error.HTTPError, TimeoutError) as error:
                is_busy = isinstance(error, TimeoutError) or error.code == 503
                if not is_busy or time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def start(self, deployment: str) -> str:
        """Have a deployment run now; return the id of the flow run."""
        flow, _, name = deployment.partition("/")
        identity = self.api(f"deployments/name/{flow}/{name}")["id"]
        once = {"state": {"type": "SCHEDULED"}, "idempotency_key": str(uuid.uuid4())}
        return self.api(f"deployments/{identity}/create_flow_run", **once)["id"]

    def state(self, flow_run: str) -> str:
        return self.api(f"flow_runs/{flow_run}")["state"]["name"]

    def flow_runs(self, **filters: Any) -> list[dict[str, Any]]:
        """Return the flow runs of deployments, in the order of their slots."""
        of_pool = {"work_pools": {"name": {"any_": ["millrace"]}}}
        order = {"sort": "EXPECTED_START_TIME_ASC", "limit": 200}
        return self.api("flow_runs/filter", **of_pool, **order, flow_runs=filters or None)

    def runs(self, state: str | None = None) -> list[dict[str, Any]]:
        """Return the records of the home's runs, oldest first."""
        found = []
        for path in (self.home / "runs").glob("*/run.json"):
            with contextlib.suppress(OSError):
                found.append(json.loads(path.read_text()))
        wanted = [run for run in found if state in (None, run["state"])]
        return sorted(wanted, key=lambda run: run["started_at"])

    def computed(self, step: str) -> int:
        """Return how many partitions of a step all runs together say that they computed."""
        steps = (one for run in self.runs() for one in run["steps"] if one["step"] == step)
        return sum(one["partitions_computed"] for one in steps)

    def receipts(self, step: str = "*") -> dict[Path, float]:
        """Return the receipts that there are, with the time at which each was written."""
        return {path: path.stat().st_mtime for path in (self.home / "parts").glob(f"{step}/*.json")}

    def process_of(self, flow_run: str) -> psutil.Process | None:
        """Return the process that carries out a flow run."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("PREFECT__FLOW_RUN_ID") == flow_run:
                    return process
        return None

    def close(self) -> None:
        """End every process that works for this home."""
        for process in self._serving:
            process.kill()
            process.wait()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("PREFECT_HOME") == str(self.home / "prefect"):
                    process.kill()


@contextlib.contextmanager
def served_home(folder: Path, texts: Path) -> Iterator[ServedHome]:
    """Make a home beside a folder of texts, without the settings of other tests' servers."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("PREFECT_API")}
    for name in kept:
        del os.environ[name]
    served = ServedHome(folder / "home", texts)
    try:
        yield served
    finally:
        served.close()
        os.environ.update(kept)
