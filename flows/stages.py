"""The stages from raw text to curated Parquet: one flow each, which Prefect can run and show alone.

Within a whole run they work on that run; by themselves they open one of their own, which takes the
steps before the stage as they are. `flows.api.run_stage_alone` calls one on the home's server.
"""

from __future__ import annotations

from collections.abc import Sequence

from prefect import flow, runtime

from flows.api import close_crashed
from flows.deployed_run import is_deployed, run_name_of_flow_run
from flows.graph import build_graph
from flows.recipe import load_recipe
from flows.repeats_graph import STEPS as REPEATS
from flows.session import DEFAULT_HOME, Order, is_open, open_session, session_of
from flows.steps import record_flow_run, run_step
from flows.variants import with_variants
from store.storage import Storage

INGEST = ("ingest",)
FILTER = ("remove_requested", *REPEATS, "edit_texts", "compute_signals", "apply_policy")
DEDUPLICATE = (
    "compute_signatures",
    "link_duplicates",
    "sign_bands",
    "find_candidates",
    "compare_candidates",
    "read_published",
    "choose_kept",
)
PUBLISH = ("split", "index_heldout", "guard_heldout", "materialize")


def run_stage(
    steps: Sequence[str], recipe: str, home: str, settings: Sequence[str], run: str | None
) -> None:
    """Run those steps that are due: within the open run, or one opened for them alone."""
    if run is not None and is_open(run):
        session = session_of(run)
        for step in session.due_steps(with_variants(steps, session.recipe)):
            run_step(run, step)
        return
    loaded = load_recipe(recipe, settings)
    wanted, steps = build_graph(loaded).names(), with_variants(steps, loaded)
    if is_deployed():
        close_crashed(Storage(home))
    name = run or str(runtime.flow_run.name)
    order = Order(recipe, home, name, tuple(settings), only=tuple(s for s in steps if s in wanted))
    with open_session(order) as session:
        record_flow_run(session)
        for step in order.only:
            run_step(session.run.name, step)


@flow(name="ingest", flow_run_name=run_name_of_flow_run)
def ingest_documents(
    recipe: str = "quickstart",
    home: str = DEFAULT_HOME,
    settings: Sequence[str] = (),
    run: str | None = None,
) -> None:
    """Read the source into documents."""
    run_stage(INGEST, recipe, home, settings, run)


@flow(name="filter", flow_run_name=run_name_of_flow_run)
def filter_documents(
    recipe: str = "quickstart",
    home: str = DEFAULT_HOME,
    settings: Sequence[str] = (),
    run: str | None = None,
) -> None:
    """Measure each document once, then decide by the policy's rules."""
    run_stage(FILTER, recipe, home, settings, run)


@flow(name="deduplicate", flow_run_name=run_name_of_flow_run)
def deduplicate_documents(
    recipe: str = "quickstart",
    home: str = DEFAULT_HOME,
    settings: Sequence[str] = (),
    run: str | None = None,
) -> None:
    """Link duplicates, then choose which one stays."""
    run_stage(DEDUPLICATE, recipe, home, settings, run)


@flow(name="publish", flow_run_name=run_name_of_flow_run)
def publish_documents(
    recipe: str = "quickstart",
    home: str = DEFAULT_HOME,
    settings: Sequence[str] = (),
    run: str | None = None,
) -> None:
    """Divide train from held-out and write the curated Parquet."""
    run_stage(PUBLISH, recipe, home, settings, run)
