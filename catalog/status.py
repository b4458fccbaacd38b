"""Status: each step of a recipe, whether its output is there, and why not, in one frozen shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.explain import has_earlier, why
from store.datasets import Rows
from store.graph import Graph
from store.lease import Leases
from store.plan import NodePlan
from store.runs import Run, StepRecord
from store.storage import Storage

MAX_LEASES = 32  # partitions are computed in order, so that a working run holds an early one
STATES = ("fresh", "stale", "missing", "running", "failed")


def status(
    storage: Storage, run: Run | None, graph: Graph, plans: Mapping[str, NodePlan]
) -> dict[str, Any]:
    """Return ``{"run", "steps": [{"step", "state", "why", "rows_in", …}]}`` in running order.

    ``fresh``: the output is there, and the run's is that one. ``stale``: there is an output, of
    other inputs, config or code. ``missing``: there is none. ``running``: a live run computes it.
    ``failed``: the run ended in it, by an error or by dying. The numbers are those of the run if it
    has an output of the step, else those of the output that the plan found, else 0; sizes are in
    bytes, ``seconds`` is wall time. Computes and writes nothing.
    """
    return {
        "run": run.name if run else None,
        "steps": [_step(storage, run, plans[name]) for name in graph.names()],
    }


def recorded_status(run: Run, graph: Graph, why_not: str) -> dict[str, Any]:
    """Return `status` of what a run recorded, where its sources cannot be compared with now.

    What has an output is called ``stale``, as nobody knows whether it is fresh.
    """
    steps = []
    for name in graph.names():
        record = run.step(name)
        has_output = record is not None and record.dataset is not None
        numbers = _numbers_of_record(record or _NO_RECORD)
        state = "stale" if has_output else "missing"
        steps.append({"step": name, "state": state, "why": why_not, **numbers})
    return {"run": run.name, "steps": steps}


_NO_RECORD = StepRecord("", "missing", "", 0, 0, 0, 0, 0, 0, 0, 0.0, 0, None)


def _step(storage: Storage, run: Run | None, plan: NodePlan) -> dict[str, Any]:
    record = run.step(plan.node.name) if run else None
    state, reason = _state(storage, run, record, plan)
    dataset = plan.dataset()
    numbers = _numbers_of_plan(plan)
    if record is not None and record.dataset is not None:
        numbers = _numbers_of_record(record)
    elif dataset is None and record is not None and state == "running":
        numbers["partitions_computed"] = len(plan.reused())
    return {"step": plan.node.name, "state": state, "why": reason, **numbers}


def _state(
    storage: Storage, run: Run | None, record: StepRecord | None, plan: NodePlan
) -> tuple[str, str]:
    if run is not None and record is not None and record.state == "failed":
        return "failed", run.error or record.why
    if run is not None and record is not None and record.state == "running":
        if run.is_alive():
            return "running", record.why
        return "failed", f"crashed: {run.error or _gone(run)}"
    if run is not None and run.is_alive() and _is_leased(storage, plan):
        return "running", why(storage, plan)
    return _state_of_output(storage, record, plan)


def _state_of_output(
    storage: Storage, record: StepRecord | None, plan: NodePlan
) -> tuple[str, str]:
    dataset = plan.dataset()
    recorded = record.dataset if record else None
    if dataset is not None and recorded in (None, dataset.fingerprint):
        return "fresh", why(storage, plan)
    if dataset is not None:
        return "stale", "there is a later output than this run's: run again to take it"
    if recorded is not None or has_earlier(storage, plan):
        return "stale", why(storage, plan)
    return "missing", why(storage, plan)


def _gone(run: Run) -> str:
    return f"process {run.pid} on {run.host} is gone; run again to go on"


def _is_leased(storage: Storage, plan: NodePlan) -> bool:
    """Return whether a run, this one or another, computes a partition of the step now."""
    leases = Leases(storage)
    tasks = [part.task for part in plan.missing() if part.task is not None]
    return any(leases.holder(task.fingerprint) for task in tasks[:MAX_LEASES])


def _numbers_of_record(record: StepRecord) -> dict[str, Any]:
    return {
        "rows_in": record.rows_in,
        "rows_kept": record.rows_kept,
        "rows_dropped": record.rows_dropped,
        "rows_quarantined": record.rows_quarantined,
        "rows_retired": record.rows_retired,
        "partitions": record.partitions,
        "partitions_computed": record.partitions_computed,
        "seconds": record.seconds,
        "size_bytes": record.size_bytes,
        "dataset": record.dataset,
    }


def _numbers_of_plan(plan: NodePlan) -> dict[str, Any]:
    dataset = plan.dataset()
    rows = dataset.rows if dataset else Rows()
    return {
        "rows_in": rows.num_in,
        "rows_kept": rows.kept,
        "rows_dropped": rows.dropped,
        "rows_quarantined": rows.quarantined,
        "rows_retired": rows.retired,
        "partitions": len(plan.parts),
        "partitions_computed": 0,
        "seconds": 0.0,
        "size_bytes": dataset.size_bytes if dataset else 0,
        "dataset": dataset.fingerprint if dataset else None,
    }
