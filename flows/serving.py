"""Serving: executing on this machine what is deployed on the home's Prefect server.

Prefect's own worker asks the server for runs that are due and starts a process for each. Around it
stands what lets one leave it alone for months: the home's server is started again if it ends, runs
that were under way when this process was killed are put in order, missed slots are collapsed, and
one line tells what each run came to. Schedules live on the server, so ending loses none.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit
from uuid import UUID

import psutil

from data_contracts.errors import MillraceError, UsageError
from flows.api import close_crashed
from flows.client import configure_client, configured_api_url, drain
from flows.crashed import mark_crashed
from flows.outcome import came_to
from flows.server import ensure_server, server_status
from flows.state import server_folder
from store.storage import Storage

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, StateType

LOCK = "serve.lock"
DEFAULT_LIMIT = 2
LOOK_SECONDS = 2.0
RETRY_SECONDS = 2.0
STOP_SECONDS = 10.0
QUERY_SECONDS = "2"  # between two questions of the worker for runs that are due
LATEST_RUNS = 200

Tell = Callable[[str], None]


def serve(home: str, limit: int = DEFAULT_LIMIT, tell: Tell | None = None) -> int:
    """Execute what is deployed until SIGTERM or SIGINT; return how many runs were told of.

    At most ``limit`` runs work at a time. ``tell`` gets a line for each that ended or waits; the
    usual one prints it on stderr. Call it from the main thread of a process of its own: if the
    server can only be started at another port, the process begins anew.

    Raises:
        UsageError: if another process serves this home already.
        StoreError: if the home's Prefect server cannot be started.
    """
    serving = _Serving(home, limit, tell or _print)
    with _only_one(home):
        os.environ.setdefault("PREFECT_WORKER_QUERY_SECONDS", QUERY_SECONDS)
        api_url = ensure_server(home)
        configure_client(api_url, home)
        asyncio.run(serving.until_stopped(api_url))
        drain()
    return serving.num_told


class _Serving:
    def __init__(self, home: str, limit: int, tell: Tell) -> None:
        self.home, self.limit, self.tell = home, limit, tell
        self.num_told = 0
        self._worker_name = f"millrace-{platform.node()}"
        self._seen: dict[UUID, UUID | None] = {}  # flow run -> its state when last seen

    async def until_stopped(self, api_url: str) -> None:
        """Serve until asked to stop."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        await asyncio.to_thread(self._begin)
        await asyncio.to_thread(self._greet, api_url)
        tasks = [
            asyncio.create_task(work)
            for work in (stop.wait(), self._watch(api_url), self._work(), self._look())
        ]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await asyncio.to_thread(self._end)
        for task in done:
            task.result()  # raises what ended it

    async def _work(self) -> None:
        """Keep Prefect's worker going; it gives up after about a minute without the server."""
        from prefect.workers.process import ProcessWorker

        from flows.deployments import POOL

        while True:
            worker = ProcessWorker(
                work_pool_name=POOL, name=self._worker_name, limit=self.limit, prefetch_seconds=0
            )
            try:
                await worker.start(printer=lambda *_: None)
            except Exception as error:
                self.tell(f"Prefect's worker ended ({_innermost(error)}) and is started again.")
            await asyncio.sleep(RETRY_SECONDS)

    async def _watch(self, api_url: str) -> None:
        """Start the home's server again whenever it ends; begin anew if it then lies elsewhere."""
        if configured_api_url() is not None:
            await asyncio.Event().wait()  # a server of the person's is theirs to look after
        port = urlsplit(api_url).port
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if (await asyncio.to_thread(server_status, self.home))["running"]:
                continue
            self.tell("The Prefect server has ended and is started again.")
            if await asyncio.to_thread(lambda: ensure_server(self.home, port=port)) != api_url:
                _begin_anew()
            self.tell("The Prefect server is there again.")

    async def _look(self) -> None:
        """Tell what runs came to and collapse missed slots, as often as the server answers."""
        while True:
            with contextlib.suppress(Exception):  # it does not answer: `_watch` sees to that
                await asyncio.to_thread(self._look_once)
            await asyncio.sleep(LOOK_SECONDS)

    def _look_once(self) -> None:
        from prefect.client.orchestration import get_client

        from flows.deployments import POOL
        from flows.missed_slots import collapse

        with get_client(sync_client=True) as client:
            collapse(client, POOL)
            ended = _ended_runs(client)
        seen, self._seen = self._seen, {run.id: run.state_id for run in ended}
        for run in ended:
            if seen.get(run.id) != run.state_id:
                self._tell_of(run)

    def _tell_of(self, run: FlowRun) -> None:
        assert run.state is not None
        if run.state.is_crashed():
            close_crashed(Storage(str(run.parameters.get("home", self.home))))
        if not run.state.is_cancelled():
            sentence = _sentence(run, self.home).removeprefix(f"{run.name} ")
            self.tell(f"{run.name}: {sentence}")
            self.num_told += 1

    def _begin(self) -> None:
        """Mend what a killed predecessor left behind, and collapse what was due meanwhile."""
        from prefect.client.orchestration import get_client

        from flows.deployments import POOL, make_pool
        from flows.missed_slots import collapse

        with get_client(sync_client=True) as client:
            make_pool(client)
            self._put_in_order(client)
            missed = collapse(client, POOL)
            if missed:
                self.tell(f"Of the slots missed meanwhile {missed} are left to the newest.")
            self._seen = {run.id: run.state_id for run in _ended_runs(client)}

    def _end(self) -> None:
        """Show the runs that were ended with this process as crashed, if the server is there."""
        from prefect.client.orchestration import get_client

        with contextlib.suppress(Exception), get_client(sync_client=True) as client:
            self._put_in_order(client)

    def _put_in_order(self, client: SyncPrefectClient) -> None:
        """Close the runs whose process is gone, here and in Prefect."""
        close_crashed(Storage(self.home))
        alive = _served_processes()
        for run in _unfinished_runs(client):
            if str(run.id) not in alive and self._is_ours(run):
                _give_back(client, run)

    def _is_ours(self, run: FlowRun) -> bool:
        """Tell whether a run was begun here; on a server of the person's others may serve too."""
        return (
            configured_api_url() is None
            or run.labels.get("prefect.worker.name") == self._worker_name
        )

    def _greet(self, api_url: str) -> None:
        from prefect.client.orchestration import get_client

        from flows.deployments import of_pool

        with get_client(sync_client=True) as client:
            deployments = of_pool(client)
        scheduled = sum(bool(one.schedules) and not one.paused for one in deployments)
        what = f"{len(deployments)} deployments, {scheduled} with a schedule"
        if not deployments:
            what = "nothing is deployed yet, `millrace deploy RECIPE` does that"
        self.tell(f"Serving {self.home} ({what}); Prefect is at {api_url.removesuffix('/api')}.")


def _ended_runs(client: SyncPrefectClient) -> list[FlowRun]:
    """Return the latest runs of the pool that ended or wait, those that began first first."""
    from prefect.client.schemas.objects import TERMINAL_STATES, StateType

    found = _runs(client, {*TERMINAL_STATES, StateType.PAUSED})
    return [run for run in reversed(found) if run.state is not None]


def _unfinished_runs(client: SyncPrefectClient) -> list[FlowRun]:
    from prefect.client.schemas.objects import StateType

    return _runs(client, {StateType.PENDING, StateType.RUNNING, StateType.CANCELLING})


def _runs(client: SyncPrefectClient, states: set[StateType]) -> list[FlowRun]:
    """Return the runs of the pool in these states, those that began last first."""
    from prefect.client.schemas import filters
    from prefect.client.schemas.sorting import FlowRunSort

    from flows.deployments import POOL

    types = filters.FlowRunFilterStateType(any_=sorted(states))
    return client.read_flow_runs(
        flow_run_filter=filters.FlowRunFilter(state=filters.FlowRunFilterState(type=types)),
        work_pool_filter=filters.WorkPoolFilter(name=filters.WorkPoolFilterName(any_=[POOL])),
        sort=FlowRunSort.START_TIME_DESC,
        limit=LATEST_RUNS,
    )


def _give_back(client: SyncPrefectClient, run: FlowRun) -> None:
    """Plan a run anew that did not begin yet; mark one that had begun as crashed."""
    from prefect.states import Scheduled

    assert run.state is not None
    if run.state.is_pending():
        client.set_flow_run_state(run.id, Scheduled(), force=True)
    else:
        mark_crashed(str(run.id), "its process ended while nobody served")


def _served_processes() -> set[str]:
    """Return the ids of the flow runs that have a process on this machine."""
    ids = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            ids.add(process.environ().get("PREFECT__FLOW_RUN_ID", ""))
    return ids - {os.environ.get("PREFECT__FLOW_RUN_ID", "")}


def _sentence(flow_run: FlowRun, home: str) -> str:
    """Return what a flow run came to: by its own words, by its run's record, or by its state."""
    from flows.approval import run_of_flow_run

    state = flow_run.state
    assert state is not None
    if state.is_completed() and state.message and state.message != "All states completed.":
        return state.message
    with contextlib.suppress(MillraceError):
        run = run_of_flow_run(Storage(str(flow_run.parameters.get("home", home))), str(flow_run.id))
        if run is not None and run.state != "running":
            return came_to(run)
    return f"{state.name}: {state.message}" if state.message else str(state.name)


def _begin_anew() -> NoReturn:
    """Replace this process by one of the same command: runs and Prefect know the old address."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "PREFECT__FLOW_RUN_ID" in child.environ():  # not the server, which is a child too
                child.kill()
                child.wait(STOP_SECONDS)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}".split("\n")[0]


@contextlib.contextmanager
def _only_one(home: str) -> Iterator[None]:
    """Hold the lock of whoever serves a home, which ends with the process."""
    folder = server_folder(home)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise UsageError(
                f"{home} is served already, by process {lock.read().strip()}; end that one first."
            ) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
