"""A session: one run being carried out. Opens the home, keeps the record, runs steps by name.

The stages of a flow are flows of their own; within one process they find the session of their run
here, by the run's name, so that Prefect sees plain parameters only.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from catalog.conservation import prove_and_record
from catalog.explain import why
from catalog.funnel import count_retired
from data_contracts.contract import Contract
from data_contracts.errors import InputError, MillraceError, NotFresh, ReadOnlyHome
from data_contracts.results import CheckResult, worst
from flows.contracts import contracts_of, hold, violation
from flows.graph import build_graph
from flows.links import link_results
from flows.pages import write_pages
from flows.progress_artifact import ShownProgress
from flows.recipe import Recipe, load_recipe
from flows.state import state_folder
from pipelines.kernels.cache import use_cache_dir
from store.accepted import BY_CHECKS, baseline_of, record_acceptance
from store.code_check import check_code
from store.datasets import Dataset
from store.errors import StoreError, UsageError
from store.graph import Graph
from store.plan import NodePlan, plan_node
from store.runner import Progress, Runner, StepResult
from store.runs import Run, StepRecord, begin_run, latest_with_steps, save_run
from store.storage import Storage

DEFAULT_HOME = "millrace-home"
_SECTIONS = {"read_labels": "labels", "read_conversations": "conversations"}  # of sources


@dataclass(frozen=True)
class Order:
    """What a run was asked to do; ``settings`` are ``section.key=value`` texts.

    ``only`` names the steps to run, whose upstream must be fresh (empty: all); ``force`` computes
    one step again and compares; ``from_step`` does that for a step and all after it.
    """

    recipe: str
    home: str = DEFAULT_HOME
    run: str | None = None
    settings: tuple[str, ...] = ()
    from_step: str | None = None
    only: tuple[str, ...] = ()
    force: str | None = None

    def forced_steps(self, graph: Graph) -> frozenset[str]:
        """Return the steps to compute again; raises NotFound for a step that does not exist."""
        forced = {self.force} if self.force else set()
        if self.from_step:
            forced |= {self.from_step, *graph.downstream(self.from_step)}
        for name in (*forced, *self.only):
            graph[name]
        if self.only and not forced <= set(self.only):
            raise UsageError(
                f"--only {', '.join(self.only)} leaves out {', '.join(forced - set(self.only))}, "
                f"which --force or --from asks for; give one of them."
            )
        return frozenset(forced)


class Session:
    """One run being carried out on an open home."""

    def __init__(
        self,
        storage: Storage,
        recipe: Recipe,
        order: Order,
        run: Run,
        runner: Runner,
        contracts: Mapping[str, Contract],
        planned: Mapping[str, NodePlan] | None = None,
        before: Mapping[str, Run] | None = None,
    ) -> None:
        self.storage, self.recipe, self.order, self.run = storage, recipe, order, run
        self.graph = build_graph(recipe, order.home)
        self.plans: dict[str, NodePlan] = {}
        self.waits_for: str | None = None  # the sentence of what a person must do for it to go on
        self.contracts = contracts
        self.results: dict[str, CheckResult] = {}  # of the contracts held in this run, by step
        self.progress = ShownProgress(None)
        self.until: str | None = None  # the last step that may be begun now; None: all
        self.before = dict(before or {})  # by step, the run whose dataset this one's replaces
        self._planned = dict(planned or {})
        self._forced = order.forced_steps(self.graph)
        self._runner = runner

    def wanted(self) -> list[str]:
        """Return the names of the steps to look at: all of the graph, or those of ``only``."""
        return list(self.order.only) or self.graph.names()

    def due_steps(self, steps: Iterable[str]) -> list[str]:
        """Return those of the steps that are wanted, may be begun now, and were not run yet."""
        names = self.graph.names()
        open_names = names[: names.index(self.until) + 1] if self.until else names
        wanted = set(self.wanted()) & set(open_names)
        return [name for name in steps if name in wanted and name not in self.plans]

    def run_step(self, name: str) -> StepRecord:
        """Make one step's dataset complete, prove its rows, and write it into the run's record.

        A step that ``only`` leaves out is not touched.
        """
        if self.order.only and name not in self.order.only:
            return self.run.step(name) or _record(name, "missing", "left out by --only")
        plan = self._planned.pop(name, None)
        plan = plan or plan_node(self.storage, self.graph[name], self.plans)
        reason = why(self.storage, plan)
        self.note(_record(name, "running", reason))
        try:
            result = self._runner.run(plan, force=name in self._forced)
            self.plans[name] = result.plan
            self._prove(name, result)
        except BaseException:
            with contextlib.suppress(StoreError):  # what went wrong first is what is told
                self.note(_record(name, "failed", reason))
            raise
        record = self.note(self._finished(name, "; ".join([reason, *result.notes]), result))
        self._hold(record, result.dataset)
        return record

    def note(self, record: StepRecord) -> StepRecord:
        """Write a step's record into the run's."""
        self.run = self.run.with_step(record)
        save_run(self.storage, self.run)
        return record

    def update(self, run: Run) -> None:
        """Replace the run's record, in memory and in the home."""
        self.run = run
        save_run(self.storage, run)

    def take_upstream(self) -> None:
        """Take what the steps named by ``only`` read as it is.

        Raises:
            NotFresh: if one of those steps is not fresh; it is named.
        """
        wanted = [name for only in self.order.only for name in self.graph.upstream(only)]
        for name in self.graph.names():
            if name not in wanted or name in self.order.only:
                continue
            plan = plan_node(self.storage, self.graph[name], self.plans)
            dataset = plan.dataset()
            if dataset is None:
                raise not_fresh(self.order.only, name, why(self.storage, plan))
            check_code(self.storage, plan)
            self.plans[name] = plan
            taken = self._finished(name, "taken as it is", StepResult(plan, dataset, 0, 0.0))
            self._hold(self.note(taken), dataset)

    def _prove(self, name: str, result: StepResult) -> None:
        node = self.graph[name]
        inputs = {i: self.plans[up].dataset() for i, up in node.inputs.items()}
        known = {i: dataset for i, dataset in inputs.items() if dataset is not None}
        prove_and_record(self.storage, node, result.dataset, known)
        if node.step.kind == "source" and not result.dataset.parts:
            section = _SECTIONS.get(name, name)
            raise InputError(f"{name} found nothing to read; look at the recipe's [{section}].")

    def _hold(self, record: StepRecord, dataset: Dataset) -> None:
        """Hold a step's dataset against its contract; raises ContractViolation if it stops."""
        contract = self.contracts.get(record.step)
        if contract is None:
            return
        upstream = {
            name: found
            for name in self.graph.upstream(record.step)
            if name in self.plans and (found := self.plans[name].dataset()) is not None
        }
        schemas = {node.name: node.step.rows_schema(node.config) for node in self.graph}
        name, result = hold(self.storage, contract, dataset, upstream, self.run.baseline, schemas)
        self.results[record.step] = result
        self.update(replace(self.run, checks={**self.run.checks, record.step: name}))
        if result.state == "stopped":
            error = violation(self.storage, self.run.name, record.step, result)
            self.note(replace(record, state="failed", why=str(error)))
            raise error

    def _finished(self, name: str, reason: str, result: StepResult) -> StepRecord:
        rows = result.dataset.rows
        retired = 0
        if self.graph[name].step.kind == "source":
            retired = count_retired(self.storage, self.before.get(name), result.dataset)
        return replace(
            _record(name, "fresh", reason),
            rows_in=rows.num_in,
            rows_kept=rows.kept,
            rows_dropped=rows.dropped,
            rows_quarantined=rows.quarantined,
            rows_retired=retired,
            partitions=len(result.dataset.parts),
            partitions_computed=result.num_computed,
            seconds=result.seconds,
            size_bytes=result.dataset.size_bytes,
            dataset=result.dataset.fingerprint,
        )


def _record(step: str, state: str, reason: str) -> StepRecord:
    return StepRecord(step, state, reason, 0, 0, 0, 0, 0, 0, 0, 0.0, 0, None)


_SESSIONS: dict[str, Session] = {}
_SESSIONS_LOCK = threading.Lock()
_progress: Progress | None = None


@contextlib.contextmanager
def open_session(
    order: Order,
    executor: Executor | None = None,
    planned: Mapping[str, NodePlan] | None = None,
) -> Iterator[Session]:
    """Open the home, begin the run and finish its record, however it ends.

    ``planned`` are plans made just now, which need not be made again.

    Raises:
        RecipeError, ContractError: if the recipe or one of its contracts is wrong.
        ReadOnlyHome: if the home cannot be written.
    """
    recipe = load_recipe(order.recipe, order.settings)
    graph = build_graph(recipe, order.home)
    order.forced_steps(graph)
    contracts = contracts_of(recipe, graph.names())
    storage = Storage(order.home)
    storage.check_writable()
    prepare_kernels()
    workers = recipe.run.workers or os.cpu_count() or 1
    before = latest_with_steps(storage, recipe.name)
    run = begin_run(storage, recipe.name, recipe.plain(), order.run)
    progress = ShownProgress(_progress)
    with Runner(storage, workers, executor, progress) as runner:
        session = Session(storage, recipe, order, run, runner, contracts, planned, before)
        session.progress = progress
        with _SESSIONS_LOCK:
            _SESSIONS[run.name] = session
        try:
            baseline = baseline_of(storage, recipe.name) if session.contracts else {}
            session.update(replace(session.run, baseline=baseline))
            session.take_upstream()
            yield session
            link_results(storage, session.run, before.get("materialize"))
        except BaseException as error:
            state, told = ("waiting", session.waits_for) if session.waits_for else ("failed", None)
            with contextlib.suppress(StoreError):
                session.update(_ended(session.run, state, told or _sentence(error)))
            write_pages(session, error)
            raise
        finally:
            with _SESSIONS_LOCK:
                _SESSIONS.pop(run.name, None)
        session.update(_ended(session.run, "done", None))
        accept_by_checks(session)
        write_pages(session, None)


def accept_by_checks(session: Session) -> None:
    """Accept a whole run whose checks all passed, unless the recipe says that a person must."""
    by_person = session.recipe.contracts.accept == "person"
    if by_person or session.order.only or not session.results:
        return
    if worst(session.results.values()) == "passed":
        record_acceptance(session.storage, session.run, BY_CHECKS)


def session_of(run: str) -> Session:
    """Return the open session of a run in this process."""
    with _SESSIONS_LOCK:
        if run not in _SESSIONS:
            raise UsageError(f"Run {run} is not open in this process.")
        return _SESSIONS[run]


def is_open(run: str) -> bool:
    """Return whether this process is carrying out that run."""
    with _SESSIONS_LOCK:
        return run in _SESSIONS


def show_progress(progress: Progress | None) -> None:
    """Say who is told how far the sessions opened from now on are."""
    global _progress
    _progress = progress


def prepare_kernels() -> None:
    """Keep compiled kernels with the person, so that a new home need not compile them again.

    What lies there is run, so it must not be a folder that others can write, as a home may be.
    """
    with contextlib.suppress(ReadOnlyHome):  # then each process compiles for itself
        use_cache_dir(state_folder() / "kernels")


def not_fresh(only: Iterable[str], step: str, reason: str) -> NotFresh:
    """Make the error for a step that cannot run alone, since one before it is not fresh."""
    return NotFresh(
        f"{', '.join(only)} cannot run by itself: {step} is not fresh ({reason}); run it first, or "
        f"run the whole recipe."
    )


def _sentence(error: BaseException) -> str:
    if isinstance(error, MillraceError):
        return str(error)
    if isinstance(error, Exception):
        return f"{type(error).__name__}: {error}"
    return "interrupted"


def _ended(run: Run, state: str, error: str | None) -> Run:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return replace(run, state=state, error=error, finished_at=now)
