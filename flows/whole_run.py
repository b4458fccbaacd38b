"""The flow that joins the stages: raw text in, a judged model and its report out."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import Flow, flow

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
from flows.session import DEFAULT_HOME, Order, open_session
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
from flows.steps import flow_run_name, record_flow_run, show_report

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


@flow(name="run", flow_run_name=flow_run_name)
def whole_run(
    recipe: str = "quickstart",
    home: str = DEFAULT_HOME,
    settings: Sequence[str] = (),
    run: str | None = None,
    from_step: str | None = None,
    only: str | None = None,
    force: str | None = None,
) -> str:
    """Run a recipe on a home and return the run's name (see `flows.session.Order`)."""
    steps = (only,) if only else ()
    order = Order(recipe, home, run, tuple(settings), from_step, steps, force)
    with open_session(order) as session:
        record_flow_run(session)
        name = session.run.name
        for stage_steps, stage in STAGES:
            if set(stage_steps) & set(session.wanted()):
                stage(recipe, home, settings, name)
    show_report(home, name)
    return name
