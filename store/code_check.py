"""Nothing stale is ever served: what to do when a step's code changed and its VERSION did not.

The receipts of reused partitions name the digests of the source files that made them. Where those
differ from today's, one partition is computed again: equal rows mean that the change does not
matter, which is noted under ``checks/code``; other rows stop the run.
"""

from __future__ import annotations

from store.code import step_file
from store.compute import PartTask, compute_part
from store.datasets import Receipt
from store.errors import OutputChanged
from store.identity import fingerprint
from store.plan import NodePlan
from store.storage import Storage

_ENOUGH_ROWS = 1000
_DECIDING = ("version", "libraries", "config", "settings")  # of `PartTask.made_from`


def check_code(storage: Storage, plan: NodePlan) -> list[str]:
    """Compare today's code with that of the reused partitions; return what was noted, if anything.

    Raises:
        OutputChanged: if one partition, computed again, has other rows.
    """
    notes = []
    for pairs in _by_code(storage, plan).values():
        task, receipt = _choose(pairs)
        changed = changed_files(receipt.code, task.code)
        if not compute_part(task, publish=False).is_like(receipt):
            raise output_changed(plan, changed)
        value = {"step": plan.node.name, "part": receipt.fingerprint, "changed": changed}
        storage.create_json(_note_name(task, receipt), value)
        notes.append(f"code changed in {', '.join(changed)}, output equal on part {receipt.key}")
    return notes


def output_changed(plan: NodePlan, changed: list[str]) -> OutputChanged:
    """Make the error for a step whose rows changed with its code, but not its ``VERSION``."""
    return OutputChanged(
        f"The output of {plan.node.name} changed with the code in {', '.join(changed)}: "
        f"bump VERSION in {step_file(plan.node.step)} and run again."
    )


def needs_check(storage: Storage, plan: NodePlan) -> bool:
    """Return whether `check_code` would compute a partition again."""
    return bool(_by_code(storage, plan))


def changed_files(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return the source files whose digest differs, sorted."""
    return sorted(file for file in {*before, *after} if before.get(file) != after.get(file))


Pair = tuple[PartTask, Receipt]


def _by_code(storage: Storage, plan: NodePlan) -> dict[str, list[Pair]]:
    """Group the reused partitions by the other code that made them, unless it was checked.

    And by what else decides what code does, config and settings of a source: equal rows under one
    config say nothing of another.
    """
    groups: dict[str, list[Pair]] = {}
    for part in plan.parts:
        if part.task is None or part.receipt is None or part.receipt.code == part.task.code:
            continue
        groups.setdefault(_note_name(part.task, part.receipt), []).append((part.task, part.receipt))
    return {name: pairs for name, pairs in groups.items() if not storage.exists(name)}


def _choose(pairs: list[Pair]) -> Pair:
    """Return the smallest partition that has enough rows to show a difference, else the largest."""
    by_size = sorted(pairs, key=lambda pair: (pair[1].num_rows, pair[1].key))
    return next((pair for pair in by_size if pair[1].num_rows >= _ENOUGH_ROWS), by_size[-1])


def _note_name(task: PartTask, receipt: Receipt) -> str:
    """Return where it is noted that both codes make the same of partitions like this one."""
    how = {key: task.made_from.get(key) for key in _DECIDING}
    found = fingerprint({"before": receipt.code, "after": task.code, "how": how})
    return f"checks/code/{task.step.name}/{found}.json"
