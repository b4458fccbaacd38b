"""Why a step has to run: what differs from the nearest earlier output, or why nothing does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from catalog.differences import Difference, code_difference, compare
from data_contracts.errors import Damaged
from store.code_check import changed_files, needs_check
from store.compute import PartTask
from store.datasets import REMEDY, Receipt, read_receipt, unsealed
from store.hints import counted
from store.plan import NodePlan, PartPlan
from store.storage import Storage

MAX_MANIFESTS = 8  # the latest earlier outputs of a step that are looked at
MAX_PARTS = 16  # partitions that `why` looks at
_UP_TO_DATE = "up to date"


def explain(storage: Storage, plan: NodePlan) -> list[Difference]:
    """Return, for every partition of a step, what differs from the nearest earlier output of it.

    The nearest is, among the step's latest outputs of the same partition, the one with the fewest
    differences, then the latest. Partitions that differ alike share a `Difference`. Those that are
    fresh come last: when the first and the last were made, from what, and whether the code has
    changed since.
    """
    earlier = _Earlier(storage, plan.node.name)
    due = _grouped(
        replace(difference, parts=(part.key,))
        for part in plan.parts
        if part.receipt is None
        for difference in _explain_part(plan, part, earlier)
    )
    return [*due, *_fresh(storage, plan)]


def why(storage: Storage, plan: NodePlan) -> str:
    """Return in a few words why a step has to run: ``config.rules changed``, ``2 new inputs``.

    ``up to date`` if it need not; of many partitions the first few are looked at.
    """
    if plan.is_fresh():
        return _why_fresh(storage, plan)
    due = [part for part in plan.missing() if part.task is not None]
    if not due:
        return f"waits for {plan.pending_on}"
    earlier = _Earlier(storage, plan.node.name)
    clauses = _clauses(plan, due, earlier)
    if plan.pending_on:
        clauses.append(f"waits for {plan.pending_on}")
    return ", ".join(clauses)


def has_earlier(storage: Storage, plan: NodePlan) -> bool:
    """Return whether a step has some output already, of whatever inputs and config."""
    return bool(plan.reused()) or _Earlier(storage, plan.node.name).any()


class _Earlier:
    """The latest earlier outputs of a step, by partition; receipts are read when asked for."""

    def __init__(self, storage: Storage, step: str) -> None:
        self._storage, self._step = storage, step
        listed = sorted(storage.list(f"datasets/{step}"), key=lambda e: (e[2], e[0]), reverse=True)
        self._fingerprints: dict[str, list[str]] = {}
        for name, _, _ in listed[:MAX_MANIFESTS]:
            for key, fingerprint in self._listed(name):
                known = self._fingerprints.setdefault(key, [])
                if fingerprint not in known:
                    known.append(fingerprint)

    def any(self) -> bool:
        """Return whether there is any earlier output."""
        return bool(self._fingerprints)

    def has(self, key: str) -> bool:
        """Return whether an earlier output has a partition of this key."""
        return key in self._fingerprints

    def nearest(self, task: PartTask) -> tuple[Receipt, list[Difference]] | None:
        """Return the nearest earlier receipt of a partition and how the task differs from it."""
        receipts = [self._receipt(name) for name in self._fingerprints.get(task.key, [])]
        pairs = [(r, compare(r.made_from, task.made_from)) for r in receipts if r is not None]
        latest_first = sorted(pairs, key=lambda pair: pair[0].finished_at, reverse=True)
        return min(latest_first, key=lambda pair: len(pair[1]), default=None)

    def _listed(self, name: str) -> Iterator[tuple[str, str]]:
        value = self._storage.read_json_or_none(name)
        try:
            body = unsealed(value or {}, name, REMEDY)
        except Damaged:  # says nothing; `millrace verify` reports it
            return
        yield from ((part["key"], part["fingerprint"]) for part in body["parts"])

    def _receipt(self, fingerprint: str) -> Receipt | None:
        try:
            return read_receipt(self._storage, self._step, fingerprint)
        except Damaged:
            return None


def _explain_part(plan: NodePlan, part: PartPlan, earlier: _Earlier) -> list[Difference]:
    if part.task is None:
        waits = plan.pending_on or "a step before it"
        return [Difference("pending", waits, None, None, f"waits for {waits}")]
    nearest = earlier.nearest(part.task)
    if nearest is None:
        return [_new(plan, part.key, earlier)]
    receipt, found = nearest
    changed = changed_files(receipt.code, part.task.code)
    return [*found, code_difference(changed)] if changed else found


def _new(plan: NodePlan, key: str, earlier: _Earlier) -> Difference:
    if not earlier.any():
        return Difference("new", "step", None, None, "never computed")
    if earlier.has(key):
        return Difference("new", "partition", None, None, "made before, its receipt is missing")
    what = "reads these files" if plan.node.step.kind == "source" else "of this step has it"
    return Difference("new", "partition", None, None, f"new partition: no earlier output {what}")


def _fresh(storage: Storage, plan: NodePlan) -> list[Difference]:
    """Return one `Difference` for all fresh partitions, or one for each set of changed files."""
    groups: dict[tuple[str, ...], list[tuple[PartTask, Receipt]]] = {}
    for part in plan.parts:
        if part.task is not None and part.receipt is not None:
            changed = tuple(changed_files(part.receipt.code, part.task.code))
            groups.setdefault(changed, []).append((part.task, part.receipt))
    found = []
    for changed, made in groups.items():
        code = "code unchanged"
        if changed:
            checked = "to be checked" if needs_check(storage, plan) else "output found equal"
            code = f"code changed since in {', '.join(changed)}, {checked}"
        times = sorted({receipt.finished_at for _, receipt in made})
        when = times[0] if len(times) == 1 else f"{times[0]} to {times[-1]}"
        tasks = [task for task, _ in made]
        sentence = f"made {when} from {_made_from(tasks)}; {code}"
        keys = tuple(task.key for task in tasks)
        found.append(Difference("fresh", "partition", None, None, sentence, keys))
    return found


def _made_from(tasks: list[PartTask]) -> str:
    """Say from what some partitions of a step were made, all of it together."""
    paths = {file.path: None for task in tasks if task.source for file in task.source.files}
    if paths:
        return few(list(paths), "file")
    names: dict[str, dict[str, None]] = {}
    for task in tasks:
        for name, parts in task.inputs.items():
            names.setdefault(name, {}).update(dict.fromkeys(part.key for part in parts))
    return ", ".join(f"{name} ({few(list(keys), 'partition')})" for name, keys in names.items())


def few(names: Sequence[str], thing: str) -> str:
    """Return up to three names, or the number of more things: ``17 partitions``."""
    return ", ".join(names) if 0 < len(names) <= 3 else counted(len(names), thing)


def _grouped(differences: Iterable[Difference]) -> list[Difference]:
    """Join differences that are equal but for their partitions, in order of first appearance."""
    groups: dict[str, Difference] = {}
    for one in differences:
        key = f"{one.kind} {one.sentence} {one.before!r} {one.now!r}"
        parts = (*groups[key].parts, *one.parts) if key in groups else one.parts
        groups[key] = replace(one, parts=parts)
    return list(groups.values())


def _why_fresh(storage: Storage, plan: NodePlan) -> str:
    if not needs_check(storage, plan):
        return _UP_TO_DATE
    files = {
        file
        for part in plan.parts
        if part.task is not None and part.receipt is not None
        for file in changed_files(part.receipt.code, part.task.code)
    }
    return f"code changed in {', '.join(sorted(files))}, one partition is compared"


def _clauses(plan: NodePlan, due: list[PartPlan], earlier: _Earlier) -> list[str]:
    """Say in words what differs for the partitions that are due."""
    if not earlier.any():
        done = len(plan.reused())
        return [f"{len(due)} of {len(plan.parts)} partitions left" if done else "never computed"]
    tasks = [part.task for part in due if part.task is not None]
    known = [task for task in tasks if earlier.has(task.key)]
    nearest = [earlier.nearest(task) for task in known[:MAX_PARTS]]
    found = _grouped(one for pair in nearest if pair is not None for one in pair[1])
    clauses = [_changed(one) for one in found if one.kind in ("version", "library", "config")]
    contents = [one for one in found if one.kind in ("file", "input")]
    num_new = len(tasks) - len(known) + sum(one.before is None for one in contents)
    num_gone = sum(one.now is None for one in contents)
    clauses += [counted(num_new, "new input")] if num_new else []
    clauses += _changed_contents([one for one in contents if None not in (one.before, one.now)])
    clauses += [counted(num_gone, "input") + " gone"] if num_gone else []
    return clauses or [counted(len(due), "partition") + " missing"]


def _changed(one: Difference) -> str:
    return f"{one.what} changed" if one.kind == "config" else one.sentence


def _changed_contents(contents: list[Difference]) -> list[str]:
    names = {one.what.rpartition(" part ")[2].removeprefix("file ") for one in contents}
    if len(names) > 1:
        return [f"{len(names)} inputs changed"]
    return [f"input {name} changed" for name in names]
