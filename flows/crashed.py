"""Marking flow runs whose process is gone: Prefect itself would show them as running for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.objects import FlowRun

PAGE_ROWS = 200


def mark_crashed(flow_run_id: str, message: str) -> bool:
    """Mark a flow run, its sub-flow runs and their task runs as Crashed, where they had not ended.

    Call it only when the run's process is known to be gone: every state that is not terminal is
    replaced, from the leaves up, so that a call that was cut short is completed by the next.
    Runs that ended keep their state, and a second call changes nothing. Returns whether the server
    knows the flow run.
    """
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    try:
        identity = UUID(flow_run_id)
    except ValueError:
        return False
    with get_client(sync_client=True) as client:
        try:
            root = client.read_flow_run(identity)
        except ObjectNotFound:
            return False
        for flow_run in reversed(list(_with_sub_flows(client, root))):
            _crash(client, flow_run, message)
    return True


def _with_sub_flows(client: SyncPrefectClient, root: FlowRun) -> Iterator[FlowRun]:
    """Yield a flow run, then those that it or its sub-flows called; callers before callees."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
    from prefect.client.schemas.sorting import FlowRunSort

    level = [root]
    while level:
        yield from level
        callers = FlowRunFilterParentFlowRunId(any_=[flow_run.id for flow_run in level])
        level = _all(
            client.read_flow_runs, FlowRunFilter(parent_flow_run_id=callers), FlowRunSort.ID_DESC
        )


def _crash(client: SyncPrefectClient, flow_run: FlowRun, message: str) -> None:
    """Mark one flow run and its own task runs; the flow run last."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.sorting import TaskRunSort
    from prefect.states import Crashed

    own = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id]))
    for task_run in _all(client.read_task_runs, own, TaskRunSort.ID_DESC):
        if task_run.state is None or not task_run.state.is_final():
            client.set_task_run_state(task_run.id, Crashed(message=message), force=True)
    if flow_run.state is None or not flow_run.state.is_final():
        client.set_flow_run_state(flow_run.id, Crashed(message=message), force=True)


def _all(read: Callable[..., list[Any]], runs: FlowRunFilter, order: Any) -> list[Any]:
    """Read every page of what belongs to these flow runs."""
    found: list[Any] = []
    while page := read(flow_run_filter=runs, sort=order, limit=PAGE_ROWS, offset=len(found)):
        found += page
    return found
