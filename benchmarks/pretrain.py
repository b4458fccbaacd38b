"""Tokens per second of our pre-training beside nanoGPT, transformers.Trainer and litgpt.

    python -m benchmarks.pretrain --nanogpt CHECKOUT [--only millrace] [--dtype float32 bfloat16]
    python -m benchmarks.pretrain --nanogpt CHECKOUT --text input.txt.gz --layers 4 --width 128 \
        --heads 4 --context-tokens 64 --steps 2000 --seeds 0 1 2
    python -m benchmarks.pretrain --device cuda --dtype bfloat16 --compile --layers 12 --width 768 \
        --heads 12 --vocab-size 50304 --context-tokens 1024 --rows 32 --peak-tflops 989

`transformers.Trainer` and litgpt are measured with ``--others`` (`benchmarks/trainers.txt`). Each
trainer is its own code from the text to the optimiser: ours is the steps of `training.learning`
with our loader. All have the same sizes and settings (`benchmarks.trainers`) and take one step in
turn, so that other work on the machine meets them alike; a figure is the median over a trainer's
steps, the first ones left out. On a machine that is never quiet, ``--clock processor`` counts the
processor's seconds instead, of all threads (give it one: OMP_NUM_THREADS=1).

nanoGPT, GPT2LMHeadModel and our gpt2 are one shape (theirs with biases), litgpt's model,
LlamaForCausalLM and our llama another; both have as many parameters, but for positions. With a
text, the loss over all of its last tenth stands behind each trainer, the mean over seeds and its
deviation.

FLOP of a token are 6 for each parameter of a matrix product and 12 · layers · width · T for
attention, as if nothing were masked (Chowdhery et al. 2022, appendix B); the machine's rate is that
of one large matrix product (`training.rates`), measured before and after.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from benchmarks.foreign_trainers import litgpt, quiet, transformers_trainer
from benchmarks.trainers import (
    CLOCKS,
    Setting,
    Trainer,
    characters,
    heldout_loss,
    nanogpt,
    ours,
    random_text,
)
from training.model_config import ModelConfig
from training.precision import Precision
from training.pretrain import torch_device
from training.rates import measured_flops
from training.schedule import Schedule

SKIPPED_STEPS = 2
PEAK, WARM_UP_STEPS = 1e-3, 100


@dataclass
class Measured:
    """Of one trainer: seconds of each step, over all seeds; held-out loss, one a seed."""

    token_flop: int
    seconds: list[float] = field(default_factory=list)
    first_seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    memory_bytes: int = 0


def makers_of(asked: argparse.Namespace) -> list[Callable[[Setting], Trainer]]:
    """Return how each trainer that is asked for is made; ratios are to the first."""
    found: list[Callable[[Setting], Trainer]] = []
    if asked.nanogpt:
        found.append(lambda setting: nanogpt(setting, asked.nanogpt))
    if asked.others:
        found.append(lambda setting: transformers_trainer(setting.as_gpt2()))
    found.append(lambda setting: ours(setting.as_gpt2()))
    if asked.others:
        found += [litgpt, transformers_trainer]
    return [*found, ours]


def settings_of(asked: argparse.Namespace, seed: int) -> list[Setting]:
    """Return what trainers are measured in: each of the numbers asked for, compiled and not."""
    texts = characters(asked.text) if asked.text else random_text(asked.vocab_size)
    shape = ModelConfig(
        vocab_size=texts[0].vocab_size,
        num_layers=asked.layers,
        width=asked.width,
        num_heads=asked.heads,
        num_kv_heads=asked.heads,
        feed_forward_width=8 * asked.width // 3,
        context_tokens=asked.context_tokens,
    )
    schedule = Schedule(PEAK, SKIPPED_STEPS + max(asked.steps, WARM_UP_STEPS), WARM_UP_STEPS)
    plain = Setting(*texts, shape, asked.rows, schedule, seed, device=torch_device(asked.device))
    return [
        replace(plain, precision=Precision(name, "asked for"), compiled=compiled)
        for name in asked.dtype
        for compiled in ([False, True] if asked.compile else [False])
    ]


def measure(
    trainers: Sequence[Trainer],
    table: dict[str, Measured],
    num_steps: int,
    device: torch.device,
    clock: Callable[[], float],
) -> None:
    """Let all trainers take steps in turn, and add what they took to the table."""
    for number in range(SKIPPED_STEPS + num_steps):
        for trainer in trainers:
            measured = table[trainer.name]
            before_bytes = memory_bytes(device)
            started = clock()
            trainer.step()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds = clock() - started
            used_bytes = memory_bytes(device, peak=True) - before_bytes
            measured.memory_bytes = max(measured.memory_bytes, used_bytes)
            if number >= SKIPPED_STEPS:
                measured.seconds.append(seconds)
            elif number == 0:
                measured.first_seconds = seconds


def memory_bytes(device: torch.device, peak: bool = False) -> int:
    """Return the bytes allocated on a GPU, now or at most since this was asked without ``peak``."""
    if device.type != "cuda":
        return 0
    if peak:
        return torch.cuda.max_memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)


def token_flop(trainer: Trainer) -> int:
    """Return the FLOP of training on one token; looked-up positions, if any, are left out."""
    shape = trainer.shape
    parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    if shape.shape == "gpt2":
        parameters -= shape.context_tokens * shape.width
    return 6 * parameters + 12 * shape.num_layers * shape.width * shape.context_tokens


def print_table(table: dict[str, Measured], num_tokens: int, rate: float) -> None:
    """Print one line a trainer; x is the ratio of its speed to the first one's, by median."""
    print(
        f"{'trainer':<44}{'first s':>8}{'ms/step':>9}{'fastest':>9}{'tokens/s':>12}{'x':>6}"
        f"{'x fastest':>10}{'TFLOP/s':>9}{'of rate':>9}{'GiB':>7}  held-out loss"
    )
    base = next(iter(table.values())).seconds
    for name, measured in table.items():
        median, fastest = statistics.median(measured.seconds), min(measured.seconds)
        tflops = num_tokens / median * measured.token_flop / 1e12
        losses = measured.losses
        told = f"{statistics.mean(losses):.4f}" if losses else ""
        spread = f" ± {statistics.stdev(losses):.4f}" if len(losses) > 1 else ""
        print(
            f"{name:<44}{measured.first_seconds:>8.1f}{median * 1e3:>9.1f}{fastest * 1e3:>9.1f}"
            f"{num_tokens / median:>12,.0f}{statistics.median(base) / median:>6.2f}"
            f"{min(base) / fastest:>10.2f}{tflops:>9.3f}{tflops * 1e12 / rate:>9.1%}"
            f"{measured.memory_bytes / 2**30:>7.2f}  {told}{spread}"
        )


def arguments() -> argparse.Namespace:
    """Return what is asked for on the command line."""
    parser = argparse.ArgumentParser(description="Our pre-training beside others'.")
    parser.add_argument("--text", type=Path, help="learn its characters; else random ids")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--vocab-size", type=int, default=65, help="of random ids")
    parser.add_argument("--context-tokens", type=int, default=256)
    parser.add_argument("--rows", type=int, default=12)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--dtype", nargs="+", default=["float32"])
    parser.add_argument("--compile", action="store_true", help="measure compiled trainers too")
    parser.add_argument("--nanogpt", type=Path, help="a checkout of nanoGPT, to measure it")
    parser.add_argument("--others", action="store_true", help="transformers.Trainer and litgpt too")
    parser.add_argument("--only", default="", help="only trainers whose name has this in it")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--clock", default="wall", choices=[*CLOCKS])
    parser.add_argument("--peak-tflops", type=float, help="the vendor's dense rate of the dtype")
    return parser.parse_args()


def trainers_of(asked: argparse.Namespace, seed: int) -> list[tuple[Trainer, Setting]]:
    """Return the trainers that are asked for, each with what it is measured in."""
    found = []
    for setting in settings_of(asked, seed):
        suffix = f", {setting.precision.name}{', compiled' if setting.compiled else ''}"
        for make in makers_of(asked):
            with quiet():
                made = make(setting)
            trainer = replace(made, name=made.name + suffix)
            if asked.only in trainer.name:
                found.append((trainer, setting))
    return found


def main() -> None:
    """Make the trainers, measure, print."""
    asked = arguments()
    table: dict[str, Measured] = {}
    clock = CLOCKS[asked.clock]
    device, dtype = torch_device(asked.device), getattr(torch, asked.dtype[0])
    rates = [measured_flops(device, dtype, clock)]
    for seed in asked.seeds:
        trainers = trainers_of(asked, seed)
        for trainer, _ in trainers:
            table.setdefault(trainer.name, Measured(token_flop(trainer)))
        made = [trainer for trainer, _ in trainers]
        with quiet():
            measure(made, table, asked.steps, device, clock)
        for trainer, setting in trainers if asked.text else []:
            table[trainer.name].losses.append(heldout_loss(trainer, setting))
    rates.append(measured_flops(device, dtype, clock))
    rate = asked.peak_tflops * 1e12 if asked.peak_tflops else max(rates)
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {asked.device}; a matrix "
        f"product runs at {rate / 1e12:.3g} TFLOP/s"
    )
    print_table(table, asked.rows * asked.context_tokens, rate)


if __name__ == "__main__":
    main()
