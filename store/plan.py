"""Planning: which partitions a step's output has, which exist already, and what each is made from.

Planning reads receipts and lists sources; it computes and writes nothing. A partition whose inputs
are not computed yet is *pending*: its fingerprint depends on their digests.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import Any

from store.code import code_of
from store.compute import PartTask
from store.datasets import Dataset, Receipt, StoredPart, check_present, read_receipt
from store.graph import Graph, Node
from store.identity import counted_fields, fingerprint
from store.step import SourcePart
from store.storage import Storage


@dataclass(frozen=True)
class PartPlan:
    """One partition of a step's output: a task if its inputs are known, a receipt if it exists."""

    key: str
    task: PartTask | None  # None while an input is pending
    receipt: Receipt | None = None

    @property
    def is_reused(self) -> bool:
        """True if the partition exists already."""
        return self.receipt is not None


@dataclass(frozen=True)
class NodePlan:
    """A step's partitions in order. ``pending_on`` names an upstream step that must run first.

    ``settled_from`` are the fingerprints of partitions that `settle` replaced by others.
    """

    node: Node
    parts: tuple[PartPlan, ...]
    pending_on: str | None = None
    settled_from: tuple[str, ...] = ()

    def missing(self) -> list[PartPlan]:
        """Return the partitions that do not exist yet."""
        return [part for part in self.parts if not part.is_reused]

    def reused(self) -> list[Receipt]:
        """Return the receipts of the partitions that exist."""
        return [part.receipt for part in self.parts if part.receipt is not None]

    def is_fresh(self) -> bool:
        """Return whether nothing has to be computed."""
        return self.pending_on is None and not self.missing()

    def completed(self, dataset: Dataset) -> NodePlan:
        """Return the plan as it stands once its dataset is there."""
        receipts = {receipt.fingerprint: receipt for receipt in dataset.parts}
        parts = [
            replace(part, receipt=receipts[part.task.fingerprint])
            for part in self.parts
            if part.task
        ]
        return replace(self, parts=tuple(parts), pending_on=None)

    def dataset(self) -> Dataset | None:
        """Return the dataset, if every partition of it exists."""
        return Dataset(self.node.name, tuple(self.reused())) if self.is_fresh() else None


Upstream = Mapping[str, "NodePlan"]


def plan_graph(storage: Storage, graph: Graph) -> dict[str, NodePlan]:
    """Plan every step of a graph, in order, from what exists now."""
    plans: dict[str, NodePlan] = {}
    for node in graph:
        plans[node.name] = plan_node(storage, node, plans)
    return plans


def plan_node(
    storage: Storage, node: Node, plans: Upstream, keys: Collection[str] | None = None
) -> NodePlan:
    """Plan one step, given the plans of the steps that it reads from.

    ``keys`` leaves out all partitions but those, as if a source had no others.

    Raises:
        InputError: if a source cannot be listed.
        Damaged: if a receipt is not what was written, or its rows are missing or cut.
    """
    code = code_of(node.step)
    drafts = (draft for draft in _drafts(node, plans) if keys is None or draft.key in keys)
    parts = [_plan_part(storage, node, draft, code) for draft in drafts]
    check_present(storage, node.name, [part.receipt for part in parts if part.receipt])
    pending = next((name for name in node.inputs.values() if not plans[name].is_fresh()), None)
    if all(part.task is not None for part in parts):
        pending = None
    return settle(storage, NodePlan(node, tuple(parts), pending))


def settle(storage: Storage, plan: NodePlan) -> NodePlan:
    """Return a source's plan with the settings that its partitions have once all are there.

    That may be partitions that are still to be computed. A plan that lacks any stays as it is.

    Raises:
        Damaged: as `plan_node` does.
    """
    step, tasks = plan.node.step, [part.task for part in plan.parts if part.task]
    if step.settle is None or not plan.is_fresh() or not tasks:
        return plan
    given = [task.source for task in tasks if task.source]
    stored = [StoredPart(storage, receipt, receipt.key) for receipt in plan.reused()]
    parts = [
        part
        if source is before
        else _plan_part(storage, plan.node, _Draft(part.key, source=source), tasks[0].code)
        for part, before, source in zip(plan.parts, given, step.settle(given, stored), strict=True)
    ]
    check_present(storage, plan.node.name, [part.receipt for part in parts if part.receipt])
    replaced = [
        before.task.fingerprint
        for part, before in zip(parts, plan.parts, strict=True)
        if part is not before and before.task
    ]
    return replace(plan, parts=tuple(parts), settled_from=(*plan.settled_from, *replaced))


def _plan_part(storage: Storage, node: Node, draft: _Draft, code: dict[str, str]) -> PartPlan:
    if draft.pending:
        return PartPlan(draft.key, None)
    task = _task(storage, node, draft, code)
    return PartPlan(draft.key, task, read_receipt(storage, node.name, task.fingerprint))


@dataclass(frozen=True)
class _Draft:
    key: str
    inputs: Mapping[str, tuple[StoredPart, ...]] = field(default_factory=dict)
    bucket: int | None = None
    source: SourcePart | None = None
    pending: bool = False


def _drafts(node: Node, plans: Upstream) -> Iterator[_Draft]:
    """Yield the partitions of a step's output in order, each with what it reads."""
    kind = node.step.kind
    if kind == "source":
        assert node.step.list_parts is not None
        for source in sorted(node.step.list_parts(node.config), key=lambda part: part.key):
            yield _Draft(source.key, source=source)
    elif kind == "map":
        for part in _aligned_to(node, plans).parts:
            yield _bound(node, plans, part.key)
    elif kind == "shuffle":
        assert node.step.num_buckets is not None
        for bucket in range(node.step.num_buckets(node.config)):
            yield _bound(node, plans, f"bucket-{bucket:04d}", bucket)
    else:
        yield _bound(node, plans, "all")


def _aligned_to(node: Node, plans: Upstream) -> NodePlan:
    """Return the upstream whose partitions a map step follows: its first aligned, unsliced one."""
    names = [node.inputs[name] for name, how in node.step.inputs.items() if how == "aligned"]
    return next(plans[name] for name in names if plans[name].node.step.kind != "whole")


def _bound(node: Node, plans: Upstream, key: str, bucket: int | None = None) -> _Draft:
    inputs: dict[str, tuple[StoredPart, ...]] = {}
    for name, how in node.step.inputs.items():
        upstream = plans[node.inputs[name]]
        parts = list(_bind(upstream, how, key, bucket))
        if any(part is None for part in parts):
            return _Draft(key, bucket=bucket, pending=True)
        inputs[name] = tuple(part for part in parts if part is not None)
    return _Draft(key, inputs, bucket)


def _bind(
    upstream: NodePlan, how: str, key: str, bucket: int | None
) -> Iterator[StoredPart | None]:
    """Yield the partitions (or slices) that an input binds to; None for a pending one."""
    if upstream.pending_on and how != "aligned":
        yield None
        return
    for part in upstream.parts:
        is_sliced = upstream.node.step.kind == "whole"
        if how == "aligned" and not is_sliced and part.key != key:
            continue
        if part.receipt is None or part.task is None:
            yield None
        elif how == "bucket":
            if str(bucket) in part.receipt.slices:  # so that a part without it changes nothing
                yield StoredPart(part.task.storage, part.receipt, part.key, str(bucket))
        elif how == "aligned" and is_sliced:
            yield StoredPart(part.task.storage, part.receipt, key, key)
        else:
            yield StoredPart(part.task.storage, part.receipt, part.key)


def _task(storage: Storage, node: Node, draft: _Draft, code: dict[str, str]) -> PartTask:
    made_from = _made_from(node, draft)
    return PartTask(
        storage=storage,
        step=node.step,
        config=node.config,
        key=draft.key,
        fingerprint=fingerprint(made_from),
        made_from=made_from,
        code=code,
        inputs=draft.inputs,
        bucket=draft.bucket,
        source=draft.source,
    )


def _made_from(node: Node, draft: _Draft) -> dict[str, Any]:
    """Return everything that the rows of a partition depend on, besides the code."""
    made: dict[str, Any] = {
        "step": node.name,
        "version": node.step.version,
        "libraries": {name: _library_version(name) for name in sorted(node.step.libraries)},
        "config": counted_fields(node.config),
        "key": draft.key,
    }
    if draft.source is not None:
        files = [[f.path, f.digest, f.start, f.length] for f in draft.source.files]
        settings = {"settings": draft.source.settings} if draft.source.settings else {}
        return {**made, "files": files, **settings}
    inputs = {name: [[p.key, p.digest] for p in parts] for name, parts in draft.inputs.items()}
    return {**made, "inputs": inputs}


@functools.cache
def _library_version(distribution: str) -> str:
    if distribution == "python":  # its library's behaviour and Unicode tables are its minor's
        return f"{sys.version_info.major}.{sys.version_info.minor}"
    return metadata.version(distribution)
