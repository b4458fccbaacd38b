"""What a run came to, in a clause: for the line that `millrace serve` prints, and for Prefect."""

from __future__ import annotations

from datetime import datetime

from store.runs import Run


def came_to(run: Run, seconds: float | None = None) -> str:
    """Return what a run came to: what is new, what it waits for, or what stopped it.

    ``seconds`` is how long it took, if that is known better than by its record.
    """
    if run.state == "waiting":
        return str(run.error)
    if run.state != "done":
        return f"{run.state}: {run.error}" if run.error else run.state
    taken = f"{_seconds(run) if seconds is None else seconds:.1f} s"
    computed = {s.step: s.partitions_computed for s in run.steps if s.partitions_computed}
    if not computed:
        return f"nothing new, {taken}"
    number = sum(computed.values())
    partitions = "1 new partition" if number == 1 else f"{number:,} new partitions"
    steps = ", ".join(f"{step} {count:,}" for step, count in computed.items())
    return f"{partitions} ({steps}), {taken}"


def _seconds(run: Run) -> float:
    """Return how long a run took by its record, whose times are whole seconds."""
    steps = sum(step.seconds for step in run.steps)
    if not run.started_at or not run.finished_at:
        return steps
    ended = datetime.fromisoformat(run.finished_at) - datetime.fromisoformat(run.started_at)
    return max(steps, ended.total_seconds())
