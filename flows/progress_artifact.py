"""How far a long step is, in Prefect: a progress artifact of its task while the step works.

Stands between the runner's progress and Prefect's API. A step tells from a thread of the runner,
which Prefect does not know; what is shown is shown in the task's own context.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from typing import Any
from uuid import UUID

from store.datasets import Rows
from store.runner import Progress, StepResult

EVERY_SECONDS = 5.0


class ProgressArtifact:
    """One step's artifact: made when the step first tells a share, then updated now and then.

    What Prefect's API refuses or loses is left out: showing must not end a training run.
    """

    def __init__(self, key: str, context: Context, clock: Callable[[], float] = time.monotonic):
        self._key, self._context, self._clock = key, context, clock
        self._lock = threading.Lock()
        self._id: UUID | None = None
        self._last: float | None = None

    def show(self, line: str, done_ratio: float) -> None:
        """Show a share and the line with it; the end at once, all else at most every 5 s."""
        with self._lock:
            now = self._clock()
            if self._last is not None and now - self._last < EVERY_SECONDS and done_ratio < 1:
                return
            self._last = now
            with contextlib.suppress(Exception):  # whatever a client may raise of its server
                self._context.run(self._write, line, 100 * done_ratio)

    def _write(self, line: str, percent: float) -> None:
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        if self._id is None:
            made: Any = create_progress_artifact(percent, self._key, line)
            self._id = made
        else:
            update_progress_artifact(self._id, percent, line)


class ShownProgress:
    """A runner's progress that goes on to another and, for the steps asked for, to Prefect."""

    def __init__(self, inner: Progress | None) -> None:
        self._inner = inner
        self._artifacts: dict[str, ProgressArtifact] = {}

    @contextlib.contextmanager
    def in_prefect(self, step: str, key: str) -> Iterator[None]:
        """Show a step's progress in the Prefect task that runs here, while the block lasts."""
        self._artifacts[step] = ProgressArtifact(key, copy_context())
        try:
            yield
        finally:
            del self._artifacts[step]

    def step_started(self, step: str, num_parts: int, num_missing: int, total_bytes: int) -> None:
        """Tell the other."""
        if self._inner:
            self._inner.step_started(step, num_parts, num_missing, total_bytes)

    def part_finished(self, step: str, input_bytes: int, rows: Rows) -> None:
        """Tell the other."""
        if self._inner:
            self._inner.part_finished(step, input_bytes, rows)

    def told(self, step: str, line: str, done_ratio: float | None) -> None:
        """Tell the other, and show it in Prefect if the step knows its share."""
        if self._inner:
            self._inner.told(step, line, done_ratio)
        artifact = self._artifacts.get(step)
        if artifact is not None and done_ratio is not None:
            artifact.show(line, done_ratio)

    def waiting(self, step: str, holder: str) -> None:
        """Tell the other."""
        if self._inner:
            self._inner.waiting(step, holder)

    def step_finished(self, step: str, result: StepResult) -> None:
        """Tell the other."""
        if self._inner:
            self._inner.step_finished(step, result)
