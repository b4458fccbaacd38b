"""What a run does that a schedule or a deployment started: before, instead of and after its steps.

It repairs first: runs whose process is gone are closed. Of the missed slots of a schedule only the
newest does the work. Where there is nothing to compute, it is recorded in a second or two without
calling the stages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import runtime
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed

from flows.api import check_order, close_crashed, record_fresh
from flows.approval import (
    Decision,
    find_decision,
    is_approval_due,
    rejected_sentence,
    run_of_flow_run,
    waiting_for,
)
from flows.missed_slots import collapse_into_this, needless
from flows.outcome import came_to
from flows.recipe import Recipe, load_recipe
from flows.session import DEFAULT_HOME, Order
from flows.steps import record_flow_run
from store.plan import NodePlan
from store.runs import Run, get_run, new_name
from store.storage import Storage

CarryOut = Callable[[Order], Any]


def is_deployed() -> bool:
    """Return whether the flow run of this process was started by a deployment."""
    return bool(runtime.deployment.id) and not runtime.flow_run.parent_flow_run_id


def run_name_of_flow_run() -> str:
    """Return what Prefect calls a flow run: the name of the run that it carries out."""
    parameters = runtime.flow_run.parameters
    if parameters.get("run"):
        return str(parameters["run"])
    storage = Storage(str(parameters.get("home", DEFAULT_HOME)))
    known = run_of_flow_run(storage, str(runtime.flow_run.id))
    return known.name if known else new_name(Path(str(parameters.get("recipe"))).stem, storage)


def carry_out_deployed(order: Order, carry_out: CarryOut) -> Any:
    """Carry out an order as a deployed flow run; return the state that says what it came to."""
    began = time.monotonic()
    storage = Storage(order.home)
    close_crashed(storage)
    known = run_of_flow_run(storage, str(runtime.flow_run.id))
    name = order.run or (known.name if known else str(runtime.flow_run.name))
    order = replace(order, run=name)
    if known is not None and known.state == "waiting":
        ended = carry_out(order)
    else:
        reason = needless()
        if reason is not None:
            return Cancelled(message=reason)
        collapse_into_this()
        ended = _look_and_carry_out(storage, order, carry_out)
    if isinstance(ended, State):
        return ended
    return Completed(message=came_to(get_run(storage, name), time.monotonic() - began))


def _look_and_carry_out(storage: Storage, order: Order, carry_out: CarryOut) -> Any:
    """Carry out an order, or only record it if all is there, or leave it to a person."""
    plans = check_order(order)
    if plans is None:
        return carry_out(order)
    recipe = load_recipe(order.recipe, order.settings)
    waiting = _waiting_already(storage, recipe, plans)
    if waiting is not None:
        return Completed(name="Waiting", message=f"nothing new: {waiting.error}")
    rejection = _rejection(storage, recipe, plans)
    if rejection is not None:
        return Completed(name="Rejected", message=f"nothing new: {rejected_sentence(rejection)}")
    fresh = all(plan.is_fresh() for plan in plans.values())
    if fresh and not is_approval_due(storage, recipe, plans):
        return record_fresh(order, plans, record_flow_run)
    return carry_out(order)


def _rejection(storage: Storage, recipe: Recipe, plans: Mapping[str, NodePlan]) -> Decision | None:
    """Return the rejection of just what this run would ask about, if no approval came later."""
    after = recipe.approval.after
    dataset = plans[after].dataset() if after else None
    decision = find_decision(storage, after, dataset.fingerprint) if dataset else None
    return None if decision is None or decision.approved else decision


def _waiting_already(storage: Storage, recipe: Recipe, plans: Mapping[str, NodePlan]) -> Run | None:
    """Return the run that waits for approval of just what this one would ask about."""
    after = recipe.approval.after
    dataset = plans[after].dataset() if after else None
    return waiting_for(storage, after, dataset.fingerprint) if dataset else None
