"""Progress of a run: a bar with rate and time left on a terminal, plain lines elsewhere.

Everything goes to stderr, so that stdout belongs to the result.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from store.datasets import Rows
from store.runner import Progress, StepResult

_LINE_EVERY_SECONDS = 10.0


@contextlib.contextmanager
def make_progress() -> Iterator[Progress]:
    """Give the kind of progress that suits stderr, and put the terminal right at the end."""
    if not sys.stderr.isatty():
        yield LineProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield BarProgress(bars)


class _Counting:
    """What both kinds count: documents and bytes of the current step."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._rows = self._bytes = self._total_bytes = self._parts = self._missing = 0

    def _begin(self, num_missing: int, total_bytes: int) -> None:
        self._started = time.monotonic()
        self._rows = self._bytes = self._parts = 0
        self._missing, self._total_bytes = num_missing, total_bytes

    def _add(self, input_bytes: int, rows: Rows) -> None:
        self._parts += 1
        self._rows += rows.num_in
        self._bytes += input_bytes

    def _rate(self) -> str:
        seconds = max(1e-6, time.monotonic() - self._started)
        return f"{self._rows / seconds:,.0f} docs/s, {self._bytes / seconds / 1e6:,.1f} MB/s"

    def _seconds_left(self) -> float | None:
        if not self._bytes:
            return None
        spent = time.monotonic() - self._started
        return spent * (self._total_bytes - self._bytes) / self._bytes


class LineProgress(_Counting):
    """Plain lines: one when a step begins to compute, one every ten seconds, one at its end."""

    def __init__(self) -> None:
        super().__init__()
        self._last_line = time.monotonic()

    def step_started(self, step: str, num_parts: int, num_missing: int, total_bytes: int) -> None:
        """Say how many partitions are to be computed."""
        with self._lock:
            self._begin(num_missing, total_bytes)
            self._last_line = time.monotonic()

    def part_finished(self, step: str, input_bytes: int, rows: Rows) -> None:
        """Count the partition; print a line if none was printed for a while."""
        with self._lock:
            self._add(input_bytes, rows)
            if time.monotonic() - self._last_line < _LINE_EVERY_SECONDS:
                return
            self._last_line = time.monotonic()
            left = self._seconds_left()
            rest = f", {left:,.0f} s left" if left is not None else ""
            _say(f"{step}: {self._parts} of {self._missing} partitions, {self._rate()}{rest}")

    def told(self, step: str, line: str, done_ratio: float | None) -> None:
        """Print the line if none was printed for a while."""
        with self._lock:
            if time.monotonic() - self._last_line >= _LINE_EVERY_SECONDS:
                self._last_line = time.monotonic()
                _say(f"{step}: {line}")

    def waiting(self, step: str, holder: str) -> None:
        """Say who is waited for."""
        _say(f"{step}: waiting for {holder}, which is computing the same partition")

    def step_finished(self, step: str, result: StepResult) -> None:
        """Say what the step came to."""
        rows = result.dataset.rows
        parts = f"{result.num_computed} of {len(result.dataset.parts)} partitions computed"
        _say(f"{step}: {rows.kept:,} of {rows.num_in:,} kept, {parts}, {result.seconds:.1f} s")
        for note in result.notes:
            _say(f"{step}: {note}")


class BarProgress(_Counting):
    """A bar per step, while it computes, and a line when it is complete."""

    def __init__(self, bars: Any) -> None:
        super().__init__()
        self._bars = bars
        self._task: Any = None

    def step_started(self, step: str, num_parts: int, num_missing: int, total_bytes: int) -> None:
        """Show a bar for the step."""
        with self._lock:
            self._begin(num_missing, total_bytes)
            self._task = self._bars.add_task(step, total=num_missing, rate="")

    def part_finished(self, step: str, input_bytes: int, rows: Rows) -> None:
        """Move the bar."""
        with self._lock:
            self._add(input_bytes, rows)
            self._bars.update(self._task, advance=1, rate=self._rate())

    def told(self, step: str, line: str, done_ratio: float | None) -> None:
        """Show the line beside the bar."""
        self._bars.update(self._task, rate=line)

    def waiting(self, step: str, holder: str) -> None:
        """Say beside the bar who is waited for."""
        self._bars.update(self._task, rate=f"waiting for {holder}")

    def step_finished(self, step: str, result: StepResult) -> None:
        """Replace the bar by a line."""
        rows = result.dataset.rows
        parts = f"{result.num_computed} of {len(result.dataset.parts)} partitions computed"
        kept = f"{rows.kept:>9,} of {rows.num_in:>9,} kept"
        line = f"{step:<20} {kept}   {parts}, {result.seconds:.1f} s"
        for text in (line, *(f"{step:<20} {note}" for note in result.notes)):
            self._bars.console.print(text, highlight=False)
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
