"""Tokens per second of our pre-training beside a nanoGPT-shaped one: same size, data, machine, run.

    python -m benchmarks.pretrain [--dtype float32 bfloat16] [--compile] [--layers 6 --width 384 …]
    python -m benchmarks.pretrain --device cuda --dtype bfloat16 --compile --layers 12 --width 768 \
        --heads 12 --vocab-size 50304 --context-tokens 1024 --rows 32 --peak-tflops 989

``--nanogpt CHECKOUT`` measures nanoGPT itself, and is then what the ratios are to. Ours is measured
as the llama that it trains by itself, and in nanoGPT's shape. The baseline is written here from
nanoGPT's published description (LayerNorm, GELU, learned positions, tied head, no bias, random
windows, AdamW, clipping), in the dtypes asked for.
Ours is the product: the steps of `training.learning` with our loader and document masks, and once
without the masks, as the baseline is. With ``--compile`` each stands there once more, compiled: the
baseline as a whole, ours as `compile` of a run does it. All variants take one step in turn, so that
other work on the machine meets them alike; a variant's figure is the median over its steps, the
warm-up ones left out. Dropout is 0 everywhere.

FLOP of a token are 6 for each parameter of a matrix product and 12 · layers · width · T for
attention, as if nothing were masked (Chowdhery et al. 2022, appendix B).

Shapes: B rows, T tokens, V vocabulary, W width, H heads.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data_contracts.shards import Shard, ShardSet, Vocabulary
from training.config import AdamWConfig, Plan
from training.determinism import deterministic
from training.learning import begin_step, read_values
from training.loader import Loader
from training.metrics import Meter
from training.model import Transformer, new_model
from training.model_config import ModelConfig
from training.objectives import Causal
from training.optim import new_adamw
from training.parts import Parts
from training.precision import Precision
from training.pretrain import torch_device
from training.schedule import Schedule

BOS, EOS = 1, 2
WARM_UP_STEPS = 2
Step = Callable[[int], None]


def random_shards(vocab_size: int, num_tokens: int) -> ShardSet:
    """Return random documents of 700 tokens as one token shard in memory."""
    draw = np.random.default_rng(0)
    vocabulary = Vocabulary(vocab_size, BOS, EOS, None, "none")
    documents = draw.integers(EOS + 1, vocab_size, (num_tokens // 700, 700))
    documents[:, 0], documents[:, -1] = BOS, EOS
    offsets = np.arange(len(documents) + 1) * 700
    tokens = documents.astype(vocabulary.dtype).reshape(-1)
    return ShardSet(vocabulary, (Shard("tokens", tokens, offsets, np.diff(offsets)),))


class BaselineBlock(nn.Module):
    """A GPT-2 block without biases."""

    def __init__(self, width: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.norm_1, self.norm_2 = (nn.LayerNorm(width, bias=False) for _ in range(2))
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x_BTW: Tensor) -> Tensor:
        """Return the stream after this block."""
        parts = self.query_key_value(self.norm_1(x_BTW)).chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in parts)
        gathered = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x_BTW = x_BTW + self.output(gathered.transpose(1, 2).flatten(2))
        return x_BTW + self.down(F.gelu(self.up(self.norm_2(x_BTW))))


class Baseline(nn.Module):
    """A GPT-2-shaped decoder: token and position embeddings, blocks, norm, tied head."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.tokens = nn.Embedding(config.vocab_size, config.width)
        self.positions = nn.Embedding(config.context_tokens, config.width)
        self.blocks = nn.Sequential(
            *(BaselineBlock(config.width, config.num_heads) for _ in range(config.num_layers))
        )
        self.norm = nn.LayerNorm(config.width, bias=False)
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens_BT: Tensor, targets_BT: Tensor) -> Tensor:
        """Return the mean loss."""
        positions_T = torch.arange(tokens_BT.shape[1], device=tokens_BT.device)
        x_BTW = self.tokens(tokens_BT) + self.positions(positions_T)
        logits_BTV = F.linear(self.norm(self.blocks(x_BTW)), self.tokens.weight)
        return F.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten())


class Unmasked(Transformer):
    """Our decoder, attending over documents' ends as the baseline does."""

    def hidden(self, tokens_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Return hidden states as if a row were one document."""
        return super().hidden(tokens_BT)


@dataclass(frozen=True)
class Setting:
    """What all variants share: shape, data, rows of a step, device."""

    config: ModelConfig
    shards: ShardSet
    rows: int
    device: torch.device


@dataclass(frozen=True)
class Variant:
    """A named way to take a step, and how many parameters it trains."""

    name: str
    num_parameters: int
    step: Step


def baseline(setting: Setting, precision: Precision, compiled: bool) -> Variant:
    """Return nanoGPT's step: random windows, one forward and backward pass, clip, AdamW."""
    tokens, device = setting.shards.shards[0].tokens, setting.device
    model = Baseline(setting.config).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), fused=True)
    generator = torch.Generator().manual_seed(0)
    length = setting.config.context_tokens
    loss_of = torch.compile(model) if compiled else model

    def step(number: int) -> None:
        starts = torch.randint(len(tokens) - length - 1, (setting.rows,), generator=generator)
        windows = [tokens[s : s + length + 1].astype(np.int64) for s in starts.tolist()]
        tokens_BS = torch.from_numpy(np.stack(windows))
        if device.type == "cuda":
            tokens_BS = tokens_BS.pin_memory().to(device, non_blocking=True)
        with precision.autocast(device):
            loss = loss_of(tokens_BS[:, :-1], tokens_BS[:, 1:])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return Variant("nanoGPT-shaped", sum(p.numel() for p in model.parameters()), step)


def nanogpt(setting: Setting, precision: Precision, compiled: bool, folder: Path) -> Variant:
    """Return the step of the original: the model and optimiser of a checkout that the user made."""
    sys.path.insert(0, str(folder))
    theirs = importlib.import_module("model")
    shape = setting.config
    config = theirs.GPTConfig(
        block_size=shape.context_tokens,
        vocab_size=shape.vocab_size,
        n_layer=shape.num_layers,
        n_head=shape.num_heads,
        n_embd=shape.width,
        dropout=0.0,
        bias=False,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        model = theirs.GPT(config).to(setting.device)
        optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.99), setting.device.type)
    loss_of = torch.compile(model) if compiled else model
    tokens = torch.from_numpy(setting.shards.shards[0].tokens.astype(np.int64))

    def step(number: int) -> None:
        starts = torch.randint(len(tokens) - shape.context_tokens, (setting.rows,))
        inputs, targets = (
            torch.stack([tokens[i + by : i + by + shape.context_tokens] for i in starts]).to(
                setting.device
            )
            for by in (0, 1)
        )
        with precision.autocast(setting.device):
            loss = loss_of(inputs, targets)[1]
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return Variant("nanoGPT", sum(p.numel() for p in model.parameters()), step)


def gpt2_of(setting: Setting) -> Setting:
    """Return the setting with nanoGPT's own shape: a GPT-2 without biases."""
    shape = replace(setting.config, shape="gpt2", feed_forward_width=4 * setting.config.width)
    return replace(setting, config=shape)


def ours(setting: Setting, precision: Precision, compiled: bool, masked: bool = True) -> Variant:
    """Return the step of our loop, as `training.pretrain` runs it."""
    model = new_model(setting.config, 0)
    model.__class__ = Transformer if masked else Unmasked
    model.to(setting.device)
    if compiled:
        model.compile_parts()
    parts = Parts(
        model=model,
        optimizer=new_adamw(model, AdamWConfig()),
        objective=Causal(BOS),
        rows=Loader(setting.shards, setting.config.context_tokens, setting.rows, seed=0),
        learning_rate=Schedule(1e-3, 10_000, 100),
        precision=precision,
        settings={},
        device=setting.device,
        bytes_per_token=1.0,
    )
    plan, meter = Plan(num_steps=10_000, micro_batch_rows=setting.rows), Meter()

    def step(number: int) -> None:
        with deterministic(setting.device.type):
            read_values([begin_step(parts, number, number, plan, meter)], meter)

    name = "millrace" if masked else "millrace, no documents"
    return Variant(name, model.num_parameters, step)


def variants_of(
    setting: Setting, precision: Precision, compiled: bool, original: Path | None
) -> list[Variant]:
    """Return what is measured in some numbers, the baseline first."""
    made = [
        *([nanogpt(setting, precision, compiled, original)] if original else []),
        baseline(setting, precision, compiled),
        replace(ours(gpt2_of(setting), precision, compiled), name="millrace, gpt2"),
        replace(
            ours(gpt2_of(setting), precision, compiled, masked=False),
            name="millrace, gpt2, no documents",
        ),
        ours(setting, precision, compiled),
        ours(setting, precision, compiled, masked=False),
    ]
    suffix = f", {precision.name}{', compiled' if compiled else ''}"
    return [replace(variant, name=variant.name + suffix) for variant in made]


@dataclass
class Measured:
    """Seconds of each step, the first one's among them, and the most memory of one, in bytes."""

    seconds: list[float] = field(default_factory=list)
    memory_bytes: int = 0


def measure(variants: list[Variant], num_steps: int, device: torch.device) -> list[Measured]:
    """Return what each variant's steps took, all variants taking steps in turn."""
    measured = [Measured() for _ in variants]
    for number in range(WARM_UP_STEPS + num_steps):
        for variant, of_variant in zip(variants, measured, strict=True):
            before_bytes = memory_bytes(device)
            started = time.perf_counter()
            variant.step(number)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            of_variant.seconds.append(time.perf_counter() - started)
            used_bytes = memory_bytes(device, peak=True) - before_bytes
            of_variant.memory_bytes = max(of_variant.memory_bytes, used_bytes)
    return measured


def memory_bytes(device: torch.device, peak: bool = False) -> int:
    """Return the bytes allocated on a GPU, now or at most since this was asked without ``peak``."""
    if device.type != "cuda":
        return 0
    if peak:
        return torch.cuda.max_memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)


def product_tflops(device: torch.device, dtype: torch.dtype) -> float:
    """Return how fast a large matrix product of random numbers runs, in 10^12 FLOP a second."""
    size = 8192 if device.type == "cuda" else 2048
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    seconds = []
    for _ in range(8):
        started = time.perf_counter()
        _ = left @ right
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds[2:]) / 1e12


def token_flop(config: ModelConfig, num_parameters: int) -> int:
    """Return the FLOP of training on one token; looked-up positions, if any, are left out."""
    attention = 12 * config.num_layers * config.width * config.context_tokens
    return 6 * num_parameters + attention


def print_table(
    variants: list[Variant], measured: list[Measured], asked: argparse.Namespace, flop: int
) -> None:
    """Print one line a variant; x is the ratio of its speed to the first one's."""
    print(
        f"{'variant':<44}{'first s':>8}{'ms/step':>9}{'fastest':>9}{'tokens/s':>12}{'x':>6}"
        f"{'TFLOP/s':>9}{'of peak':>9}{'GiB':>7}"
    )
    num_tokens = asked.rows * asked.context_tokens
    medians = [statistics.median(of.seconds[WARM_UP_STEPS:]) for of in measured]
    for variant, of_variant, median in zip(variants, measured, medians, strict=True):
        rate = num_tokens / median
        tflops = rate * flop / 1e12
        of_peak = f"{tflops / asked.peak_tflops:.1%}" if asked.peak_tflops else ""
        fastest = min(of_variant.seconds[WARM_UP_STEPS:])
        print(
            f"{variant.name:<44}{of_variant.seconds[0]:>8.1f}{median * 1e3:>9.1f}"
            f"{fastest * 1e3:>9.1f}{rate:>12,.0f}{medians[0] / median:>6.2f}"
            f"{tflops:>9.3f}{of_peak:>9}{of_variant.memory_bytes / 2**30:>7.2f}"
        )


def arguments() -> argparse.Namespace:
    """Return what is asked for on the command line."""
    parser = argparse.ArgumentParser(description="Our pre-training beside a nanoGPT-shaped one.")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--vocab-size", type=int, default=65)
    parser.add_argument("--context-tokens", type=int, default=256)
    parser.add_argument("--rows", type=int, default=12)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--compile", action="store_true", help="measure compiled variants too")
    parser.add_argument("--nanogpt", type=Path, help="a checkout of nanoGPT, to measure too")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--peak-tflops", type=float, help="the vendor's dense rate of the dtype")
    return parser.parse_args()


def main() -> None:
    """Read the shape, measure, print."""
    asked = arguments()
    config = ModelConfig(
        vocab_size=asked.vocab_size,
        num_layers=asked.layers,
        width=asked.width,
        num_heads=asked.heads,
        num_kv_heads=asked.heads,
        feed_forward_width=8 * asked.width // 3,
        context_tokens=asked.context_tokens,
    )
    device = torch_device(asked.device)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {asked.device}")
    shards = random_shards(asked.vocab_size, 1_000_000)
    setting = Setting(config, shards, asked.rows, device)
    for name in asked.dtype:
        rate = product_tflops(device, getattr(torch, name))
        print(f"{name}: a large matrix product runs at {rate:.3g} TFLOP/s")
    variants = [
        variant
        for name in asked.dtype
        for compiled in ([False, True] if asked.compile else [False])
        for variant in variants_of(setting, Precision(name, "asked for"), compiled, asked.nanogpt)
    ]
    measured = measure(variants, asked.steps, device)
    print_table(variants, measured, asked, token_flop(config, variants[-1].num_parameters))


if __name__ == "__main__":
    main()
