"""Approval: where a run waits for a person, what is asked, and what was decided.

It stands between two steps of a whole run. What a person approves is a dataset: that of the step
that the recipe names in ``[approval] after``, by its fingerprint. A run that waits says so in
``runs/<run>/waits.json``; the decision is written as ``runs/<run>/approval.json``. The last one on
a dataset counts: a later run with the same dataset goes on by an approval, and a deployed one ends
by a rejection; one with another dataset waits again.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from data_contracts.errors import Damaged, InputError, MillraceError, RecipeError
from flows.graph import build_graph
from flows.person import person
from flows.recipe import Recipe, load_recipe
from flows.report import make_report
from flows.session import Order, Session
from store.datasets import read_dataset
from store.graph import Graph, Node
from store.hints import nearest
from store.plan import NodePlan, plan_node
from store.runs import Run, StepRecord, find_run, get_run, list_runs, run_name
from store.storage import Storage

DECISION = "approval.json"
WAITS = "waits.json"


@dataclass(frozen=True)
class Decision:
    """What a person decided about a dataset of a step; ``at`` is UTC, ``run`` the asking one."""

    run: str
    step: str
    dataset: str
    approved: bool
    by: str
    at: str
    comment: str = ""

    def told(self) -> str:
        """Return the decision as a clause: what, by whom, when, and why."""
        verb = "approved" if self.approved else "rejected"
        comment = f": {self.comment}" if self.comment else ""
        return f"{self.step} was {verb} by {self.by} at {self.at}{comment}"


@dataclass(frozen=True)
class Waits:
    """What a run waits for, and how it can be called to go on.

    ``folder`` is the working folder, to which paths in the recipe are relative; ``flow_run`` is the
    suspended flow run in Prefect, ``None`` for a run that ended with exit code 4.
    """

    step: str
    dataset: str
    recipe: str
    settings: tuple[str, ...]
    folder: str
    flow_run: str | None
    since: str


def check_approval(recipe: Recipe, graph: Graph) -> None:
    """Raise RecipeError if a run is to wait after a step that it does not have."""
    after = recipe.approval.after
    if after and after not in graph.names():
        raise RecipeError(
            f"approval.after is {after!r}, no step of the recipe; {nearest(after, graph.names())}"
        )


def find_decision(storage: Storage, step: str, dataset: str) -> Decision | None:
    """Return what was decided last about this dataset, whichever run asked for it."""
    of = [one for one in _decisions(storage) if (one.step, one.dataset) == (step, dataset)]
    return max(of, key=lambda decision: decision.at, default=None)


def is_approval_due(storage: Storage, recipe: Recipe, plans: Mapping[str, NodePlan]) -> bool:
    """Return whether a run that finds everything there would still have to wait for a person."""
    step = recipe.approval.after
    dataset = plans[step].dataset() if step else None
    if dataset is None:
        return False
    decision = find_decision(storage, step, dataset.fingerprint)
    return decision is None or not decision.approved


def read_decision(storage: Storage, run: str) -> Decision | None:
    """Return what was decided about a run, ``None`` if nothing was."""
    value = storage.read_json_or_none(_place(run, DECISION))
    return None if value is None else Decision(**value)


def write_decision(storage: Storage, run: str, decision: Decision) -> None:
    """Write a decision into the record of a run, over an earlier one."""
    storage.replace_json(_place(run, DECISION), asdict(decision))


def read_waits(storage: Storage, run: str) -> Waits | None:
    """Return what a run waits for, ``None`` if it never waited."""
    value = storage.read_json_or_none(_place(run, WAITS))
    return None if value is None else Waits(**{**value, "settings": tuple(value["settings"])})


def take_approval(session: Session) -> Decision | None:
    """Return the decision that approved the dataset of a session's run, and write it there too.

    None where nothing was decided, or a rejection came last.
    """
    step = session.recipe.approval.after
    decision = find_decision(session.storage, step, dataset_of(session)) if step else None
    if decision is None or not decision.approved:
        return None
    write_decision(session.storage, session.run.name, decision)
    return decision


def refuse_rejected(session: Session) -> None:
    """End a session's run whose dataset a person rejected, unless it asked about it before that.

    Raises:
        MillraceError: who rejected it and when.
    """
    dataset, waits = dataset_of(session), read_waits(session.storage, session.run.name)
    rejection = find_decision(session.storage, session.recipe.approval.after, dataset)
    has_asked = waits is not None and waits.dataset == dataset
    if rejection is not None and not rejection.approved and not has_asked:
        raise MillraceError(rejected_sentence(rejection))


def rejected_sentence(rejection: Decision) -> str:
    """Return what is told of a dataset that comes again after it was rejected."""
    return (
        f"{rejection.told()}; nothing is asked again until it is another dataset, or somebody says "
        f"`millrace approve {rejection.run}`."
    )


def begin_waiting(session: Session, flow_run: str | None) -> str:
    """Write what a session's run waits for, and its report so far; return the sentence to tell."""
    step, run = session.recipe.approval.after, session.run
    recipe = session.order.recipe
    waits = Waits(
        step=step,
        dataset=dataset_of(session),
        recipe=os.path.abspath(recipe) if recipe.endswith(".toml") else recipe,
        settings=tuple(session.order.settings),
        folder=os.getcwd(),
        flow_run=flow_run,
        since=_now(),
    )
    session.storage.replace_json(_place(run.name, WAITS), asdict(waits))
    page = ""
    with contextlib.suppress(MillraceError):  # a page that cannot be made is no reason to fail
        page = f" and {make_report(session.storage, run).place}"
    home = shlex.quote(session.storage.url)
    return (
        f"{run.name} waits for approval of {step}; look at `millrace status {run.name} --home "
        f"{home}`{page}, then say `millrace approve {run.name} --home {home}` (or --reject)."
    )


def decide(session: Session, approved: bool, by: str, comment: str) -> Decision:
    """Return a decision made now about the dataset that a session's run asked about."""
    step = session.recipe.approval.after
    dataset = dataset_of(session)
    return Decision(session.run.name, step, dataset, approved, by, _now(), comment)


def decide_waiting(storage: Storage, run: Run, approved: bool, comment: str) -> Decision:
    """Write and return a decision made at the command line; a rejection ends the run.

    A run that was rejected and is approved after all waits again, so that it can go on.

    Raises:
        MillraceError: if the run's ``waits.json`` is gone.
    """
    waits = read_waits(storage, run.name)
    if waits is None:
        raise MillraceError(
            f"What {run.name} waits for is not written in {storage.url}; run its recipe again."
        )
    decision = Decision(
        run.name, waits.step, waits.dataset, approved, person(), _now(), comment.strip()
    )
    write_decision(storage, run.name, decision)
    if not approved:
        ended = replace(run, state="failed", error=f"{decision.told()}.", finished_at=_now())
        storage.replace_json(run_name(run.name), asdict(ended))
    elif run.state != "waiting":
        again = replace(run, state="waiting", error=None, finished_at=None)
        storage.replace_json(run_name(run.name), asdict(again))
    return decision


def dataset_of(session: Session) -> str:
    """Return the dataset that a session's run asks about."""
    record = session.run.step(session.recipe.approval.after)
    assert record is not None
    assert record.dataset is not None
    return record.dataset


def approved_order(run: Run, waits: Waits, home: str) -> Order:
    """Return the order by which a run goes on under its own name."""
    return Order(waits.recipe, home, run.name, waits.settings)


def sources_to_go_on_with(order: Order, flow_run: str | None = None) -> dict[str, NodePlan]:
    """Return plans of the sources with just those partitions that a run read before it waited.

    So a run goes on with what was approved, whatever arrived since. Empty for a run that did not
    wait or was not approved (``flow_run`` is one that Prefect resumed). A source of which a
    partition is gone or changed is left out: it is listed as it is now, and the run waits again.
    """
    storage = Storage(order.home)
    run = find_run(storage, order.run) if order.run else None
    if run is None or run.state != "waiting":
        return {}
    decision = read_decision(storage, run.name)
    if flow_run not in run.flow_runs and (decision is None or not decision.approved):
        return {}
    graph = build_graph(load_recipe(order.recipe, order.settings))
    sources = (node for node in graph if node.step.kind == "source")
    narrowed = ((node.name, _as_read(storage, node, run.step(node.name))) for node in sources)
    return {name: plan for name, plan in narrowed if plan is not None}


def _as_read(storage: Storage, node: Node, record: StepRecord | None) -> NodePlan | None:
    """Return the plan of a source with the partitions that a run read, ``None`` if one is gone."""
    if record is None or record.dataset is None:
        return None
    with contextlib.suppress(Damaged, InputError):
        dataset = read_dataset(storage, node.name, record.dataset)
        plan = plan_node(storage, node, {}, {receipt.key for receipt in dataset.parts})
        if [part.receipt for part in plan.parts] == list(dataset.parts):
            return plan
    return None


def waiting_runs(storage: Storage) -> list[Run]:
    """Return the runs that wait for a person, oldest first."""
    return [run for run in list_runs(storage, skip_damaged=True) if run.state == "waiting"]


def run_of_flow_run(storage: Storage, flow_run: str) -> Run | None:
    """Return the run that a flow run carries out, ``None`` before it began."""
    found = (run for run in list_runs(storage, skip_damaged=True) if flow_run in run.flow_runs)
    return next(found, None)


def waiting_for(storage: Storage, step: str, dataset: str) -> Run | None:
    """Return the run that waits for the approval of this dataset already."""
    for run in waiting_runs(storage):
        waits = read_waits(storage, run.name)
        if waits is not None and (waits.step, waits.dataset) == (step, dataset):
            return get_run(storage, run.name)
    return None


def _decisions(storage: Storage) -> Iterator[Decision]:
    for name, _, _ in storage.list("runs"):
        if name.endswith(f"/{DECISION}"):
            decision = read_decision(storage, Path(name).parent.name)
            if decision is not None:
                yield decision


def _place(run: str, file: str) -> str:
    return f"runs/{run}/{file}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
