"""The flow that joins the stages: raw text in, a judged model and its report out.

It is the only flow that may wait for a person, and the one that schedules start. Prefect carries it
out in a process of its own then, and after an approval in another one, from the first line on: the
run is found again by the id of its flow run, and what was computed is found fresh in the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import Flow, flow, runtime, suspend_flow_run
from prefect.input import RunInput
from prefect.states import Completed

from data_contracts.errors import MillraceError, WaitingForPerson
from flows.approval import (
    Decision,
    begin_waiting,
    dataset_of,
    decide,
    read_decision,
    refuse_rejected,
    sources_to_go_on_with,
    take_approval,
    write_decision,
)
from flows.deployed_run import carry_out_deployed, is_deployed, run_name_of_flow_run
from flows.model_stages import (
    JUDGE,
    LABEL,
    PRETRAIN,
    TOKENIZE,
    judge_model,
    label_documents,
    pretrain_model,
    tokenize_documents,
)
from flows.session import DEFAULT_HOME, Order, Session, open_session
from flows.stages import (
    DEDUPLICATE,
    FILTER,
    INGEST,
    PUBLISH,
    deduplicate_documents,
    filter_documents,
    ingest_documents,
    publish_documents,
)
from flows.steps import record_flow_run, run_step, show_report
from flows.variants import with_variants

STAGES: tuple[tuple[tuple[str, ...], Flow[..., None]], ...] = (
    (INGEST, ingest_documents),
    (FILTER, filter_documents),
    (DEDUPLICATE, deduplicate_documents),
    (PUBLISH, publish_documents),
    (TOKENIZE, tokenize_documents),
    (LABEL, label_documents),
    (PRETRAIN, pretrain_model),
    (JUDGE, judge_model),
)


class Approval(RunInput):
    """What a person says of a run that waits; Prefect asks for it and checks its types."""

    approved: bool
    comment: str = ""
    by: str = ""


@flow(name="run", flow_run_name=run_name_of_flow_run)
def whole_run(
    recipe: str = "quickstart",
    home: str = DEFAULT_HOME,
    settings: Sequence[str] = (),
    run: str | None = None,
    from_step: str | None = None,
    only: str | None = None,
    force: str | None = None,
) -> Any:
    """Run a recipe on a home (see `flows.session.Order`); how it ended stands in the run's record.

    Returns the run's name, or a Prefect state that says what else it came to.
    """
    steps = (only,) if only else ()
    order = Order(recipe, home, run, tuple(settings), from_step, steps, force)
    if is_deployed():
        return carry_out_deployed(order, carry_out)
    return carry_out(order)


def carry_out(order: Order) -> Any:
    """Carry out an order within the flow run of this process."""
    planned = sources_to_go_on_with(order, str(runtime.flow_run.id))
    try:
        with open_session(order, planned=planned) as session:
            record_flow_run(session)
            if session.recipe.approval.after and not order.only:
                session.until = session.recipe.approval.after
                _run_stages(session)
                _await_approval(session)
                session.until = None
            _run_stages(session)
    except WaitingForPerson as waits:
        return Completed(name="Waiting", message=str(waits))
    show_report(order.home, session.run.name)
    return session.run.name


def _run_stages(session: Session) -> None:
    """Run the stages that have steps to run now.

    After an approval Prefect takes the stages that ended before it for done and does not call
    them; their steps are then run here, where they are found fresh.
    """
    order, name = session.order, session.run.name
    for stage_steps, stage in STAGES:
        steps = with_variants(stage_steps, session.recipe)
        if session.due_steps(steps):
            stage(order.recipe, order.home, order.settings, name)
        for step in session.due_steps(steps):
            run_step(name, step)


def _await_approval(session: Session) -> None:
    """Go on if the dataset was approved; otherwise suspend, or end the run as waiting.

    Raises:
        WaitingForPerson: where Prefect cannot start the run again by itself.
        MillraceError: if a person rejected the dataset.
    """
    if take_approval(session) is not None:
        return
    if is_deployed():
        refuse_rejected(session)
    decision = _answer(session, dataset_of(session))
    write_decision(session.storage, session.run.name, decision)
    if not decision.approved:
        raise MillraceError(f"{decision.told()}.")


def _answer(session: Session, dataset: str) -> Decision:
    """Return what a person says; suspends the flow run until then if it is a deployed one."""
    run, storage = session.run.name, session.storage
    earlier = read_decision(storage, run)
    if earlier is not None and earlier.dataset == dataset:
        return earlier
    flow_run = str(runtime.flow_run.id) if is_deployed() else None
    session.waits_for = begin_waiting(session, flow_run)
    if flow_run is None:
        raise WaitingForPerson(session.waits_for)
    said = suspend_flow_run(wait_for_input=Approval, key=dataset)
    session.waits_for = None
    return decide(session, said.approved, said.by or "a person in Prefect", said.comment)
