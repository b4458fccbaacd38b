"""Running recipes from Python and from the command line: the server, the flow, the clean end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from catalog.explain import why
from data_contracts.errors import MillraceError, StoreError, UsageError, WaitingForPerson
from flows.approval import check_approval, is_approval_due, take_approval
from flows.client import configure_client, drain
from flows.contracts import contracts_of
from flows.crashed import mark_crashed
from flows.graph import build_graph
from flows.recipe import load_recipe
from flows.report import make_report
from flows.server import ensure_server
from flows.session import (
    DEFAULT_HOME,
    Order,
    Session,
    not_fresh,
    open_session,
    show_progress,
)
from store.code_check import needs_check
from store.estimate import check_room, estimate_graph
from store.graph import Graph
from store.hints import nearest
from store.home import first_line
from store.plan import NodePlan, plan_graph
from store.runner import Progress
from store.runs import get_run, list_runs, new_name, save_run
from store.storage import Storage


def run_order(order: Order, progress: Progress | None = None) -> str:
    """Carry out an order as a Prefect flow run on the home's server; return the run's name.

    The order is checked before anything is started. Whatever ends the run, its record and its
    flow run say how it ended. A run for which nothing is left to compute is recorded without
    starting a flow, so that asking again costs a second or two.

    Raises:
        WaitingForPerson: if it waits for an approval now.
        MillraceError: whatever else the run ended with.
    """
    plans = check_order(order)
    if has_crashed(Storage(order.home)):
        configure_client(ensure_server(order.home), order.home)
        close_crashed(Storage(order.home))
    if plans is not None and all(plan.is_fresh() for plan in plans.values()):
        recipe = load_recipe(order.recipe, order.settings)
        if not is_approval_due(Storage(order.home), recipe, plans):
            return record_fresh(order, plans)
    name = _carry_out(order.home, lambda: _run_flow(order), progress)
    run = get_run(Storage(order.home), name)
    if run.state == "waiting":
        raise WaitingForPerson(str(run.error))
    return name


def run_stage_alone(
    stage: str,
    recipe: str,
    home: str = DEFAULT_HOME,
    settings: Sequence[str] = (),
    run: str | None = None,
    progress: Progress | None = None,
) -> str:
    """Carry out one stage of `flows.whole_run` by itself on the home's server; return its run.

    ``stage`` is the flow's name, such as ``"filter"``. Steps before the stage are taken as they
    are, those after it are left alone. (Calling the flow itself is for a process in which
    PREFECT_API_URL names a server: without one Prefect starts a temporary server of its own, which
    takes long, and the home's history does not hold the run.)

    Raises:
        UsageError: if there is no such stage. NotFresh: if a step before the stage is not fresh.
        MillraceError: whatever else the run ended with.
    """
    name = run or new_name(Path(recipe).stem, Storage(home))

    def call() -> str:
        from flows.whole_run import STAGES

        stages = {flow.name: flow for _, flow in STAGES}
        if stage not in stages:
            raise UsageError(f"There is no stage {stage!r}; {nearest(stage, stages)}")
        stages[stage](recipe=recipe, home=home, settings=list(settings), run=name)
        return name

    return _carry_out(home, call, progress)


def _carry_out(home: str, call: Callable[[], str], progress: Progress | None) -> str:
    """Call with Prefect's client talking to the home's server; all is sent when this returns."""
    api_url = ensure_server(home)
    configure_client(api_url, home)
    show_progress(progress)
    try:
        with _without_heartbeats():
            return call()
    except (MillraceError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise _told(error, api_url) from error
    finally:
        show_progress(None)
        drain()


def _run_flow(order: Order) -> str:
    from flows.whole_run import whole_run

    name = order.run or new_name(Path(order.recipe).stem, Storage(order.home))
    whole_run(
        recipe=order.recipe,
        home=order.home,
        settings=list(order.settings),
        run=name,
        from_step=order.from_step,
        only=order.only[0] if order.only else None,
        force=order.force,
    )
    return name


def _told(error: BaseException, api_url: str) -> MillraceError:
    """Return what to tell of an error that is not ours: the one of ours that led to it, if any."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MillraceError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return StoreError(
        f"Prefect at {api_url} could not carry out the run ({type(error).__name__}: "
        f"{first_line(error)}); look whether it is well (`millrace server status`) and run again."
    )


@contextlib.contextmanager
def _without_heartbeats() -> Iterator[None]:
    """Keep Prefect's heart-beat threads off, for whose end every flow waits up to a second.

    A run that dies is found by its process (`close_crashed`).
    """
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


def has_crashed(storage: Storage) -> bool:
    """Return whether a run's process is gone without having finished its record."""
    return any(
        run.state == "running" and not run.is_alive()
        for run in list_runs(storage, skip_damaged=True)
    )


def close_crashed(storage: Storage) -> list[str]:
    """Mark runs whose process is gone as crashed, here and in Prefect; return their names."""
    crashed = []
    for run in list_runs(storage, skip_damaged=True):
        if run.state != "running" or run.is_alive():
            continue
        sentence = f"process {run.pid} on {run.host} ended without finishing the run"
        for flow_run in run.flow_runs:
            mark_crashed(flow_run, sentence)
        steps = tuple(
            replace(step, state="failed", why=f"crashed: {sentence}")
            if step.state == "running"
            else step
            for step in run.steps
        )
        save_run(storage, replace(run, state="crashed", error=sentence, steps=steps))
        crashed.append(run.name)
    return crashed


def check_order(order: Order) -> dict[str, NodePlan] | None:
    """Find what is wrong with an order before anything is started for it.

    Returns what is there of its graph, unless it asks for more than what is missing.
    """
    recipe = load_recipe(order.recipe, order.settings)
    graph = build_graph(recipe, order.home)
    check_approval(recipe, graph)
    forced = order.forced_steps(graph)
    contracts_of(recipe, graph.names())
    storage = Storage(order.home)
    storage.check_writable()
    _check_only(storage, graph, order)
    if forced or order.only:
        return None
    plans = plan_graph(storage, graph)
    if recipe.run.check_room:
        check_room(storage, estimate_graph(storage, plans, workers=1).values())
    return None if any(needs_check(storage, plan) for plan in plans.values()) else plans


def _check_only(storage: Storage, graph: Graph, order: Order) -> None:
    """Raise NotFresh if a step that ``only`` names reads from one that is not fresh."""
    needed = {up for only in order.only for up in graph.upstream(only)} - set(order.only)
    plans = plan_graph(storage, graph) if needed else {}
    for name in graph.names():
        if name in needed and not plans[name].is_fresh():
            raise not_fresh(order.only, name, why(storage, plans[name]))


def record_fresh(
    order: Order,
    plans: Mapping[str, NodePlan],
    on_open: Callable[[Session], None] | None = None,
) -> str:
    """Record a run that finds everything there, as ``plans`` say; return its name.

    ``on_open`` is told the session before its steps are looked at.
    """
    with open_session(order, planned=plans) as session:
        if on_open is not None:
            on_open(session)
        for name in session.graph.names():
            session.run_step(name)
        take_approval(session)
    make_report(session.storage, session.run)
    return session.run.name


def run_recipe(
    recipe: str = "quickstart",
    home: str = DEFAULT_HOME,
    run: str | None = None,
    settings: tuple[str, ...] | list[str] = (),
) -> object:
    """Run a recipe on a home and return the finished run, opened for reading.

    ``run_recipe("my-text", settings=["ingest.path=texts"]).documents()`` is an Arrow table.
    """
    from catalog import open_run

    name = run_order(Order(recipe, home, run, tuple(settings)))
    return open_run(home, name)
