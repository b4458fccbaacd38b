"""Resuming a flow run that Prefect suspended for a person's approval."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import ObjectNotFound

from data_contracts.errors import UsageError

Told = Literal["resumed", "under way", "gone"]


def resume(flow_run_id: str, said: dict[str, Any]) -> Told:
    """Resume a suspended flow run with what a person said.

    Returns "under way" if it is no longer suspended but not ended either, and "gone" if Prefect
    cannot carry it on any more: it ended, or it or its deployment was removed.

    Raises:
        UsageError: if Prefect refuses what was said.
    """
    with get_client(sync_client=True) as client:
        flow_run = _find(client, flow_run_id)
        if flow_run is None or flow_run.state is None or flow_run.state.is_final():
            return "gone"
        if not flow_run.state.is_paused():
            return "under way"
        answer = client.resume_flow_run(flow_run.id, run_input=said)
        if answer.status == SetStateStatus.ACCEPT:
            return "resumed"
        after = _find(client, flow_run_id)
        if after is not None and after.state is not None and not after.state.is_paused():
            return "under way"  # somebody else was faster
        raise UsageError(f"Prefect refuses the answer: {getattr(answer.details, 'reason', '')}")


def _find(client: SyncPrefectClient, flow_run_id: str) -> FlowRun | None:
    """Return a flow run whose deployment is still there."""
    try:
        flow_run = client.read_flow_run(UUID(flow_run_id))
        if flow_run.deployment_id is None:
            return None
        client.read_deployment(flow_run.deployment_id)
    except (ObjectNotFound, ValueError):
        return None
    return flow_run
