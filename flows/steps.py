"""The Prefect tasks that run one step and write the report, and what Prefect shows of them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from prefect import runtime, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from data_contracts.errors import Damaged, DiskFull, LeaseLost, ReadOnlyHome, StoreError
from data_contracts.results import CheckResult
from flows.report import make_report
from flows.session import Session, session_of
from store.datasets import read_dataset
from store.runs import get_run
from store.storage import Storage


def _is_passing(_task: Task[Any, Any], _run: TaskRun, state: State) -> bool:
    """Retry what may be over in a moment: a busy bucket, a lost lease; nothing else."""
    error = state.result(raise_on_failure=False)
    lasting = isinstance(error, Damaged | DiskFull | ReadOnlyHome)
    return isinstance(error, StoreError | LeaseLost) and not lasting


def run_step(run: str, step: str) -> dict[str, Any]:
    """Run one step of an open run as a Prefect task named after it; return its record."""
    return _run_step.with_options(name=step, task_run_name=step)(run, step)


@task(
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=2,
    retry_delay_seconds=[2, 20],
    retry_condition_fn=_is_passing,
)
def _run_step(run: str, step: str) -> dict[str, Any]:
    session = session_of(run)
    try:
        with session.progress.in_prefect(step, progress_key(step)):
            record = session.run_step(step)
    finally:
        if step in session.results:
            _show_checks(run, session.results[step])
    if record.dataset is not None:
        reasons = read_dataset(session.storage, step, record.dataset).reasons()
        table = [_accounting(asdict(record)), *_by_reason(reasons)]
        create_table_artifact(table, key=artifact_key(step), description=f"Rows of {step}: {run}")
    return asdict(record)


def _show_checks(run: str, result: CheckResult) -> None:
    """Show what a step's contract found, broken rules first, as a table of the Prefect run."""
    from catalog.contracts.page import checks_table

    create_table_artifact(
        checks_table(result),
        key=f"contract-{result.name}",
        description=f"Contract of {result.name}: {result.state} ({result.summary()}), {run}",
    )


@task(cache_policy=NO_CACHE, persist_result=False, task_run_name="report")
def show_report(home: str, run: str) -> str:
    """Write the page of a finished run and link it from the Prefect run; return its place."""
    storage = Storage(home)
    page = make_report(storage, get_run(storage, run))
    create_markdown_artifact(
        page.summary, key="report", description=f"What run {run} came to, and its page"
    )
    return page.place


def record_flow_run(session: Session) -> None:
    """Write the id of the Prefect flow run that carries out a run into the run's record.

    With it a killed run can be shown as crashed later.
    """
    flow_run = str(runtime.flow_run.id)
    session.update(replace(session.run, flow_runs=(*session.run.flow_runs, flow_run)))


def flow_run_name() -> str:
    """Return what Prefect calls a flow run: the name of the run that it carries out."""
    parameters = runtime.flow_run.parameters
    return str(parameters.get("run") or parameters.get("recipe"))


def artifact_key(step: str) -> str:
    """Return the key of a step's artifact; Prefect takes lower-case letters, digits and dashes."""
    return f"rows-{step.replace('_', '-')}"


def progress_key(step: str) -> str:
    """Return the key of the artifact that shows how far a step is."""
    return f"progress-{step.replace('_', '-')}"


def _accounting(record: dict[str, Any]) -> dict[str, Any]:
    shown = ("in", "kept", "dropped", "quarantined", "retired")
    rows = {name: record[f"rows_{name}"] for name in shown}
    parts = f"{record['partitions_computed']} of {record['partitions']} computed"
    return {"what": "all", **rows, "partitions": parts, "seconds": record["seconds"]}


def _by_reason(reasons: dict[str, int]) -> list[dict[str, Any]]:
    return [{"what": reason, "dropped": count} for reason, count in reasons.items()]
