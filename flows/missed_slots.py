"""Missed slots of a schedule: after a standstill one run does the work of all of them.

Prefect makes a schedule's runs ahead of time and starts every one that is due, so a night without
power would end in a burst. But a run reads everything that is new, so it does the work of each slot
that was due when it began: the others are cancelled and say which run that is. `millrace serve`
leaves one before it starts any; and since runs may begin at the same time, each looks when it
begins whether one of the same parameters that began earlier does its work. Runs that a person asked
for, or that go on after an approval, are no slots and stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterStartTime,
    FlowRunFilterState,
    FlowRunFilterStateName,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Cancelled
from prefect.types._datetime import DateTime, now

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

NOT_BEGUN = frozenset({"Scheduled", "Late"})  # as Prefect names states; a resumed run's differ
READING = frozenset(  # or having read its sources
    {"Running", "Completed", "Waiting", "Rejected", "Suspended"}
)
PAGE_RUNS = 200


def needless() -> str | None:
    """Return why this run is needless, if one that began before it does the work of its slot."""
    with get_client(sync_client=True) as client:
        this = client.read_flow_run(UUID(str(runtime.flow_run.id)))
        if not this.auto_scheduled or this.deployment_id is None:
            return None
        since = FlowRunFilterStartTime(after_=this.expected_start_time)
        began = FlowRunFilter(state=_named(READING), start_time=since)
        of = _of_deployment(this.deployment_id)
        for other in _read(client, began, FlowRunSort.START_TIME_ASC, of):
            is_equal = other.parameters == this.parameters
            if is_equal and _beginning(other) < _beginning(this):
                return _message(other)
    return None


def collapse_into_this() -> None:
    """Cancel the other due runs of this run's schedule, whose work it does."""
    with get_client(sync_client=True) as client:
        this = client.read_flow_run(UUID(str(runtime.flow_run.id)))
        if this.auto_scheduled and this.deployment_id is not None:
            _cancel(client, _due(client, _of_deployment(this.deployment_id)), this)


def collapse(client: SyncPrefectClient, pool: str) -> int:
    """Leave one due run of each schedule in a work pool; return how many were cancelled."""
    by_deployment: dict[UUID | None, list[FlowRun]] = {}
    of = {"work_pool_filter": WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))}
    for run in _due(client, of):
        by_deployment.setdefault(run.deployment_id, []).append(run)
    cancelled = 0
    for runs in by_deployment.values():
        newest = max(runs, key=_slot)
        older = [run for run in runs if _slot(run) < _slot(newest)]
        _cancel(client, older, newest)
        cancelled += len(older)
    return cancelled


def _of_deployment(deployment: UUID) -> dict[str, Any]:
    return {"deployment_filter": DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))}


def _due(client: SyncPrefectClient, of: dict[str, Any]) -> list[FlowRun]:
    """Return the runs made by schedules whose time has come and that nobody began."""
    time = FlowRunFilterExpectedStartTime(before_=DateTime.instance(now("UTC")))
    due = FlowRunFilter(state=_named(NOT_BEGUN), expected_start_time=time)
    found = _read(client, due, FlowRunSort.EXPECTED_START_TIME_ASC, of)
    return [run for run in found if run.auto_scheduled]


def _read(
    client: SyncPrefectClient, which: FlowRunFilter, order: FlowRunSort, of: dict[str, Any]
) -> list[FlowRun]:
    found: list[FlowRun] = []
    while page := client.read_flow_runs(
        flow_run_filter=which, sort=order, limit=PAGE_RUNS, offset=len(found), **of
    ):
        found += page
    return found


def _named(states: frozenset[str]) -> FlowRunFilterState:
    return FlowRunFilterState(name=FlowRunFilterStateName(any_=sorted(states)))


def _cancel(client: SyncPrefectClient, runs: Iterable[FlowRun], newest: FlowRun) -> None:
    for run in runs:
        client.set_flow_run_state(run.id, Cancelled(message=_message(newest)))


def _message(other: FlowRun) -> str:
    slot = other.expected_start_time
    return f"missed slot: flow run {other.id}, due at {slot:%Y-%m-%d %H:%M:%S} UTC, does its work"


def _slot(run: FlowRun) -> float:
    """Return when a run was to start, in seconds since the epoch."""
    assert run.expected_start_time is not None
    return run.expected_start_time.timestamp()


def _beginning(run: FlowRun) -> tuple[float, str]:
    """Return by what one tells which of two runs began first."""
    assert run.start_time is not None
    return run.start_time.timestamp(), str(run.id)
