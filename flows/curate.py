"""The flow that joins the stages: raw text in, curated Parquet out."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import flow

from flows.session import DEFAULT_HOME, Order, open_session
from flows.stages import (
    deduplicate_documents,
    filter_documents,
    ingest_documents,
    publish_documents,
)
from flows.steps import flow_run_name, record_flow_run


@flow(name="curate", flow_run_name=flow_run_name)
def curate_flow(
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
        ingest_documents(recipe, home, settings, name)
        filter_documents(recipe, home, settings, name)
        deduplicate_documents(recipe, home, settings, name)
        publish_documents(recipe, home, settings, name)
    return name
