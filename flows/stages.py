"""The stages: one flow each, which Prefect can run, schedule and show by itself.

Within `curate` they work on its run; by themselves they open a run of their own, which takes the
steps before the stage as they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from prefect import flow

from flows.session import DEFAULT_HOME, Order, is_open, open_session
from flows.steps import flow_run_name, record_flow_run, run_step

INGEST = ("ingest",)
FILTER = ("compute_signals", "apply_policy")
DEDUPLICATE = ("compute_signatures", "link_duplicates", "choose_kept")
PUBLISH = ("split", "materialize")


@contextlib.contextmanager
def _stage(
    steps: tuple[str, ...], recipe: str, home: str, settings: Sequence[str], run: str | None
) -> Iterator[str]:
    """Give the name of the run to work on: the open one, or one opened for these steps alone."""
    if run is not None and is_open(run):
        yield run
        return
    order = Order(recipe, home, run, tuple(settings), only=steps)
    with open_session(order) as session:
        record_flow_run(session)
        yield session.run.name


@flow(name="ingest", flow_run_name=flow_run_name)
def ingest_documents(
    recipe: str = "quickstart",
    home: str = DEFAULT_HOME,
    settings: Sequence[str] = (),
    run: str | None = None,
) -> None:
    """Read the source into documents."""
    with _stage(INGEST, recipe, home, settings, run) as name:
        run_step(name, "ingest")


@flow(name="filter", flow_run_name=flow_run_name)
def filter_documents(
    recipe: str = "quickstart",
    home: str = DEFAULT_HOME,
    settings: Sequence[str] = (),
    run: str | None = None,
) -> None:
    """Measure each document once, then decide by the policy's rules."""
    with _stage(FILTER, recipe, home, settings, run) as name:
        run_step(name, "compute_signals")
        run_step(name, "apply_policy")


@flow(name="deduplicate", flow_run_name=flow_run_name)
def deduplicate_documents(
    recipe: str = "quickstart",
    home: str = DEFAULT_HOME,
    settings: Sequence[str] = (),
    run: str | None = None,
) -> None:
    """Link duplicates, then choose which one stays."""
    with _stage(DEDUPLICATE, recipe, home, settings, run) as name:
        run_step(name, "compute_signatures")
        run_step(name, "link_duplicates")
        run_step(name, "choose_kept")


@flow(name="publish", flow_run_name=flow_run_name)
def publish_documents(
    recipe: str = "quickstart",
    home: str = DEFAULT_HOME,
    settings: Sequence[str] = (),
    run: str | None = None,
) -> None:
    """Divide train from held-out and write the curated Parquet."""
    with _stage(PUBLISH, recipe, home, settings, run) as name:
        run_step(name, "split")
        run_step(name, "materialize")
