"""Missed slots of a schedule: after a standstill one run does the work of all of them.

Prefect makes a schedule's runs ahead of time and starts every one that is due, so a night without
power would end in a burst. A run reads everything that is new, so the newest due one is enough: the
older ones are cancelled and say which run does their work. `millrace serve` looks for them before
it starts any, and each run looks when it begins, since both may happen at once. Whoever looks gives
way to a newer one only, so one always stays. Runs that a person asked for, or that go on after an
approval, are no slots and stay as they are.
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
BEGUN = frozenset({"Pending", "Submitting", "Running"})
PAGE_RUNS = 200


def needless() -> str | None:
    """Return why this run is needless, if a newer one of its schedule is due or working."""
    with get_client(sync_client=True) as client:
        this = client.read_flow_run(UUID(str(runtime.flow_run.id)))
        if not this.auto_scheduled or this.deployment_id is None:
            return None
        of = _of_deployment(this.deployment_id)
        newer = [run for run in _due(client, NOT_BEGUN | BEGUN, of) if _slot(run) > _slot(this)]
        return _message(max(newer, key=_slot)) if newer else None


def collapse_into_this() -> None:
    """Cancel the older due runs of this run's schedule, which it makes needless."""
    with get_client(sync_client=True) as client:
        this = client.read_flow_run(UUID(str(runtime.flow_run.id)))
        if not this.auto_scheduled or this.deployment_id is None:
            return
        due = _due(client, NOT_BEGUN, _of_deployment(this.deployment_id))
        _cancel(client, [run for run in due if _slot(run) < _slot(this)], this)


def collapse(client: SyncPrefectClient, pool: str) -> int:
    """Leave one due run of each schedule in a work pool; return how many were cancelled."""
    by_deployment: dict[UUID | None, list[FlowRun]] = {}
    of = {"work_pool_filter": WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))}
    for run in _due(client, NOT_BEGUN, of):
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


def _due(client: SyncPrefectClient, states: frozenset[str], of: dict[str, Any]) -> list[FlowRun]:
    """Return the runs made by schedules whose time has come and that are in one of the states."""
    due = FlowRunFilter(
        state=FlowRunFilterState(name=FlowRunFilterStateName(any_=sorted(states))),
        expected_start_time=FlowRunFilterExpectedStartTime(before_=DateTime.instance(now("UTC"))),
    )
    found: list[FlowRun] = []
    while page := client.read_flow_runs(
        flow_run_filter=due,
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        limit=PAGE_RUNS,
        offset=len(found),
        **of,
    ):
        found += page
    return [run for run in found if run.auto_scheduled]


def _cancel(client: SyncPrefectClient, runs: Iterable[FlowRun], newest: FlowRun) -> None:
    for run in runs:
        client.set_flow_run_state(run.id, Cancelled(message=_message(newest)))


def _message(newest: FlowRun) -> str:
    slot = newest.expected_start_time
    return f"missed slot: flow run {newest.id}, due at {slot:%Y-%m-%d %H:%M:%S} UTC, does its work"


def _slot(run: FlowRun) -> float:
    """Return when a run was to start, in seconds since the epoch."""
    assert run.expected_start_time is not None
    return run.expected_start_time.timestamp()
