"""What is learnt in the same time: our recipe beside nanoGPT's for a processor.

    python -m benchmarks.equal_time --text input.txt.gz --nanogpt CHECKOUT [--seeds 0 1 2 3 4]

nanoGPT trains as its README says for a machine without a GPU (see `benchmarks.shakespeare`), 12
rows of 64 characters a step, for ``--steps`` steps. Whenever it has taken a step, ours goes on
while it has used less time than nanoGPT has, so both have the same seconds of the same minutes at
every moment, and other work on the machine meets them alike; our rate falls with the share of
nanoGPT's steps that are done. On a machine that is never quiet, ``--clock processor`` counts the
processor's seconds, which for one thread are those of a quiet machine.

Both read the same 90% of the characters and are judged by all of the others, in bits a byte (the
text is ASCII), each in rows of its own context. Ours is a llama of as many parameters, trained with
Muon; ``--adamw`` takes that away, ``--context-tokens`` and ``--rows`` are our batch.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.shakespeare import CONTEXT, ROWS, WARM_UP_STEPS
from benchmarks.trainers import CLOCKS, Setting, Trainer, characters, heldout_loss, nanogpt, ours
from training.model_config import ModelConfig
from training.precision import threads
from training.presets import peak_learning_rate
from training.schedule import Schedule

SHARES = 10_000  # how finely our schedule knows how much of the time is over


def settings_of(asked: argparse.Namespace, seed: int) -> tuple[Setting, Setting]:
    """Return nanoGPT's setting and ours."""
    texts = characters(asked.text)
    vocab_size = texts[0].vocab_size
    theirs = ModelConfig(vocab_size, 4, 128, 4, 4, 512, CONTEXT, shape="gpt2")
    schedule = Schedule(1e-3, asked.steps, WARM_UP_STEPS)
    heads, inner = asked.heads, 8 * 128 // 3
    shape = ModelConfig(vocab_size, 4, 128, heads, heads, inner, asked.context_tokens)
    optimizer = "adamw" if asked.adamw else "muon"
    peak = asked.peak or peak_learning_rate(shape.width, optimizer)
    of_time = Schedule(peak, SHARES, SHARES // 50, 0.0, asked.schedule, asked.decay_ratio)
    return (
        Setting(*texts, theirs, ROWS, schedule, seed),
        Setting(*texts, shape, asked.rows, of_time, seed),
    )


@dataclass
class Spent:
    """How many steps nanoGPT had taken before the one that it takes."""

    steps_done: int = 0


def race(asked: argparse.Namespace, seed: int) -> tuple[list[float], list[int], float]:
    """Train both in the same time; return bits a byte and steps of each, and the seconds."""
    of_theirs, of_ours = settings_of(asked, seed)
    spent, clock = Spent(), CLOCKS[asked.clock]
    theirs = nanogpt(of_theirs, asked.nanogpt)
    mine = ours(
        of_ours,
        "adamw" if asked.adamw else "muon",
        lambda step: of_ours.schedule(SHARES * spent.steps_done // asked.steps),
    )
    seconds, their_seconds, last, num_steps = 0.0, 0.0, 0.0, 0
    for spent.steps_done in range(asked.steps):
        their_seconds += timed(theirs.step, clock)
        while seconds + last <= their_seconds:
            last = timed(mine.step, clock)
            seconds, num_steps = seconds + last, num_steps + 1
    pairs: list[tuple[Trainer, Setting]] = [(theirs, of_theirs), (mine, of_ours)]
    bits = [heldout_loss(trainer, setting) / math.log(2) for trainer, setting in pairs]
    return bits, [asked.steps, num_steps], their_seconds


def timed(step: Callable[[], None], clock: Callable[[], float]) -> float:
    """Return the seconds of a step."""
    started = clock()
    step()
    return clock() - started


def arguments() -> argparse.Namespace:
    """Return what is asked for on the command line."""
    parser = argparse.ArgumentParser(description="What ours and nanoGPT learn in the same time.")
    parser.add_argument("--text", type=Path, required=True, help="tiny Shakespeare, plain or .gz")
    parser.add_argument("--nanogpt", type=Path, required=True, help="a checkout of nanoGPT")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--steps", type=int, default=2000, help="of nanoGPT")
    parser.add_argument("--context-tokens", type=int, default=128)
    parser.add_argument("--rows", type=int, default=12)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--peak", type=float, help="of our learning rate")
    parser.add_argument("--schedule", default="cosine", choices=["cosine", "wsd"])
    parser.add_argument("--decay-ratio", type=float, default=0.4)
    parser.add_argument("--clock", default="wall", choices=[*CLOCKS])
    parser.add_argument("--adamw", action="store_true", help="ours with AdamW")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Race once for each seed; print a line for each, then means and the difference."""
    asked = arguments()
    found: list[list[float]] = []
    with threads(asked.threads):
        for seed in asked.seeds:
            bits, steps, seconds = race(asked, seed)
            found.append(bits)
            print(
                f"seed {seed}: nanoGPT {bits[0]:.4f} bits a byte after {steps[0]} steps, ours "
                f"{bits[1]:.4f} after {steps[1]}, {seconds:.0f} s each",
                flush=True,
            )
    columns = [*zip(*found, strict=True)]
    differences = [ours_bits - their_bits for their_bits, ours_bits in found]
    for name, values in zip(
        ("nanoGPT", "ours", "difference"), (*columns, differences), strict=True
    ):
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        print(f"{name}: mean {statistics.mean(values):.4f}, deviation {spread:.4f}")


if __name__ == "__main__":
    main()
