"""What a run shows of itself: one progress value a step, and a JSONL file that outlives it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SHOWN_WAITING_RATIO = 0.01


@dataclass(frozen=True)
class Progress:
    """What is known after a step.

    ``step`` counts steps done. ``loss`` is in nats a target, over the step's targets, before the
    update. ``bits_per_byte`` is that loss spread over the mean bytes of a token; None where targets
    are not tokens. ``tokens_per_second`` is of this session. ``waiting_ratio`` is the share of its
    time spent on reading data. ``scores`` holds what was evaluated after this step.
    ``num_incidents`` is how often the guard went back so far. ``mfu`` is the model FLOP utilisation
    of this session (`training.rates`), None where that is unknown; ``memory_bytes`` the most memory
    in use so far. ``sample`` is what the model wrote after this step, where it was evaluated.
    """

    step: int
    num_steps: int
    loss: float
    bits_per_byte: float | None
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float
    seconds_left: float
    waiting_ratio: float
    scores: Mapping[str, float] = field(default_factory=dict)
    num_incidents: int = 0
    mfu: float | None = None
    memory_bytes: int = 0
    sample: str | None = None


def progress_line(progress: Progress) -> str:
    """Return one line for a person: step, loss, speed, MFU, memory, time left, scores, sample.

    The share of time spent waiting for data is told from 1% on.
    """
    parts = [f"step {progress.step}/{progress.num_steps}", f"loss {progress.loss:.4f}"]
    if progress.bits_per_byte is not None:
        parts.append(f"{progress.bits_per_byte:.4f} bits/byte")
    parts.append(f"{progress.tokens_per_second:,.0f} tokens/s")
    if progress.mfu is not None:
        parts.append(f"MFU {progress.mfu:.0%}")
    if progress.memory_bytes:
        parts.append(f"{progress.memory_bytes / 2**30:.2f} GiB")
    if progress.waiting_ratio >= SHOWN_WAITING_RATIO:
        parts.append(f"{progress.waiting_ratio:.1%} waiting for data")
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    parts.append(f"{minutes}:{seconds:02d} left")
    parts += [f"{name} {value:.4f}" for name, value in progress.scores.items()]
    if progress.num_incidents:
        parts.append(f"went back {progress.num_incidents} times")
    if progress.sample is not None:
        parts.append(json.dumps(progress.sample, ensure_ascii=False))
    return "  ".join(parts)


def bits_per_byte(nats: float, num_bytes: float) -> float:
    """Return the bits that a model needs for each byte of a text whose loss is ``nats``."""
    return nats / math.log(2) / num_bytes


class Meter:
    """Counts tokens and seconds of one session, evaluation and checkpoints left out."""

    def __init__(self) -> None:
        self.num_tokens = self.num_steps = 0
        self.seconds = self.waiting_seconds = 0.0

    def count(self, num_tokens: int, started: float, data_ready: float) -> None:
        """Add one step that began at ``started``; clock of `time.perf_counter`."""
        self.num_tokens += num_tokens
        self.num_steps += 1
        self.seconds += time.perf_counter() - started
        self.waiting_seconds += data_ready - started

    @property
    def tokens_per_second(self) -> float:
        """Tokens that the model read, without what fills rows up, per second of its steps."""
        return self.num_tokens / self.seconds if self.seconds else 0.0

    @property
    def waiting_ratio(self) -> float:
        """Share of the time spent before the data was ready, in [0, 1]."""
        return self.waiting_seconds / self.seconds if self.seconds else 0.0

    def seconds_left(self, steps_left: int) -> float:
        """Return how long so many steps would take."""
        return steps_left * self.seconds / self.num_steps if self.num_steps else 0.0


class MetricsFile:
    """A JSONL file with one `Progress` a line, steps rising, each step once even after kills."""

    def __init__(self, path: Path, steps_done: int, is_written: bool = True):
        self.path = path
        if not is_written:  # another process writes it
            return
        kept = [line for line in read_metrics(path) if line["step"] <= steps_done]
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text("".join(json.dumps(line) + "\n" for line in kept))
        fresh.replace(path)

    def add(self, progress: Progress) -> None:
        """Append a line."""
        with open(self.path, "a") as file:
            file.write(json.dumps(asdict(progress)) + "\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a metrics file; a last line cut by a kill is left out."""
    if not path.is_file():
        return []
    whole = path.read_text().split("\n")[:-1]
    return [json.loads(line) for line in whole]
