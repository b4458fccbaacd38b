"""nanoGPT's published small run on Shakespeare by characters: ours, and nanoGPT itself.

    python -m benchmarks.shakespeare --text input.txt.gz [--seeds 1337 1338 1339] [--optimizer muon]
    python -m benchmarks.shakespeare --text input.txt.gz --nanogpt CHECKOUT    the original instead

The model is a GPT-2 without biases in nanoGPT's configuration for a processor (README, "I only have
a macbook"): 4 layers, 4 heads, width 128, 64 characters of context, 12 rows a step, 2,000 steps,
AdamW with 1e-3 falling to 1e-4 after 100 steps, betas 0.9 and 0.99, decay 0.1, clipping 1, no
dropout. Published: a validation loss of 1.88, of 20 random batches. The first 90% of the characters
are learnt from. ``--shape llama`` is as large, and no configuration of nanoGPT's.

Both are judged twice: by the loss over all of the last 10%, in rows of 64, and by nanoGPT's own
estimate, 20 batches of 12 windows, drawn with the seed of the run. Ours goes through the whole of
our loop. Its rows are cut from the text at multiples of 64 and drawn without repetition, where
nanoGPT draws windows anywhere.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.trainers import (
    Setting,
    Trainer,
    characters,
    estimated_loss,
    heldout_loss,
    nanogpt,
    parts_of,
)
from training.config import Plan
from training.loop import METRICS, train
from training.metrics import Progress, read_metrics
from training.model_config import ModelConfig
from training.precision import threads
from training.presets import peak_learning_rate
from training.schedule import Schedule

PUBLISHED = 1.88
WARM_UP_STEPS, ROWS, CONTEXT, EVALUATE_EVERY = 100, 12, 64, 500

Losses = tuple[float, float]  # over all of the held-out text, by nanoGPT's estimate


def setting_of(asked: argparse.Namespace, seed: int) -> Setting:
    """Return the configuration, for a seed."""
    texts = characters(asked.text)
    inner = 512 if asked.shape == "gpt2" else 341
    shape = ModelConfig(texts[0].vocab_size, 4, 128, 4, 4, inner, CONTEXT, shape=asked.shape)
    peak = 1e-3 if asked.optimizer == "adamw" else peak_learning_rate(shape.width, asked.optimizer)
    return Setting(*texts, shape, ROWS, Schedule(peak, asked.steps, WARM_UP_STEPS, 0.1), seed)


def run(setting: Setting, optimizer: str) -> Iterator[tuple[int, Losses]]:
    """Train through our loop; yield steps and losses, those of a model without training first."""
    parts = parts_of(setting, optimizer)
    trainer = Trainer("millrace", setting.shape, parts.model, lambda: None, parts.model)
    yield 0, losses_of(trainer, setting)

    def evaluate() -> dict[str, float]:
        return dict(zip(("heldout", "estimated"), losses_of(trainer, setting), strict=True))

    steps = setting.schedule.num_steps
    plan = Plan(steps, ROWS, evaluate_every_steps=EVALUATE_EVERY, checkpoint_every_steps=steps)
    with tempfile.TemporaryDirectory() as folder:
        train(replace(parts, evaluate=evaluate), plan, Path(folder), ignore)
        lines = read_metrics(Path(folder) / METRICS)
    for line in lines:
        if scores := line["scores"]:
            yield line["step"], (scores["heldout"], scores["estimated"])


def run_nanogpt(setting: Setting, folder: Path) -> Iterator[tuple[int, Losses]]:
    """Train nanoGPT itself, as its `train.py` does with these settings; yield the same."""
    trainer = nanogpt(setting, folder)
    yield 0, losses_of(trainer, setting)
    for step in range(1, setting.schedule.num_steps + 1):
        trainer.step()
        if step % EVALUATE_EVERY == 0 or step == setting.schedule.num_steps:
            yield step, losses_of(trainer, setting)


def losses_of(trainer: Trainer, setting: Setting) -> Losses:
    """Return both losses of a model as it is."""
    return heldout_loss(trainer, setting), estimated_loss(trainer, setting)


def ignore(progress: Progress) -> None:
    """Show nothing between evaluations."""


def arguments() -> argparse.Namespace:
    """Return what is asked for on the command line."""
    parser = argparse.ArgumentParser(description="nanoGPT's small run through our loop.")
    parser.add_argument("--text", type=Path, required=True, help="tiny Shakespeare, plain or .gz")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1337, 1338, 1339])
    parser.add_argument("--optimizer", default="adamw", choices=["adamw", "muon"])
    parser.add_argument("--shape", default="gpt2", choices=["gpt2", "llama"])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--nanogpt", type=Path, help="its checkout: train that instead")
    parser.add_argument("--threads", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Train for each seed and print one line for each, then the means."""
    asked = arguments()
    name = "nanoGPT" if asked.nanogpt else f"{asked.shape}, {asked.optimizer}"
    print(f"torch {torch.__version__}; {name}, {asked.steps} steps; held-out loss, then estimated")
    finals: list[Losses] = []
    for seed in asked.seeds:
        started, setting = time.perf_counter(), setting_of(asked, seed)
        with threads(asked.threads):
            found = dict(
                run_nanogpt(setting, asked.nanogpt)
                if asked.nanogpt
                else run(setting, asked.optimizer)
            )
        finals.append(found[asked.steps])
        ratio = found[0][0] / math.log(setting.shape.vocab_size)
        curve = ", ".join(f"{of[0]:.4f} {of[1]:.4f} @{step}" for step, of in found.items())
        seconds = time.perf_counter() - started
        print(f"seed {seed}: {curve}; first {ratio:.4f} of ln V; {seconds:.0f} s", flush=True)
    for kind, losses in zip(("held-out", "estimated"), zip(*finals, strict=True), strict=True):
        spread = statistics.stdev(losses) if len(losses) > 1 else 0.0
        print(f"{kind}: mean {statistics.mean(losses):.4f}, deviation {spread:.4f}")
    print(f"published {PUBLISHED}, estimated")


if __name__ == "__main__":
    main()
