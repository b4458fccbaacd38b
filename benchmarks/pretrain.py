"""Tokens per second of our pre-training beside a nanoGPT-shaped one: same size, data, machine, run.

    python -m benchmarks.pretrain [--dtype float32 bfloat16] [--layers 6 --width 384 …]

The baseline is written here from nanoGPT's published description (LayerNorm, GELU, learned
positions, tied head, no bias, random windows, AdamW, clipping), in the dtypes asked for.
Ours is the product: `training.loop.one_step` with its loader, document masks and metrics. All
variants take one step in turn, so that other work on the machine meets them alike; a variant's
figure is the median over its steps, the warm-up ones left out. Dropout is 0 everywhere.

Shapes: B rows, T tokens, V vocabulary, W width, H heads.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data_contracts.shards import ShardSet, Vocabulary, open_shards, write_index, write_shard
from training.loader import Loader
from training.loop import Parts, Plan, one_step
from training.metrics import Meter
from training.model import ModelConfig, new_decoder
from training.objectives import Causal
from training.optim import AdamWConfig, new_adamw
from training.precision import Precision
from training.schedule import Schedule

BOS, EOS = 1, 2
WARM_UP_STEPS = 2
Step = Callable[[int], None]


def write_random_shards(folder: Path, vocab_size: int, num_tokens: int) -> ShardSet:
    """Write random documents of 700 tokens as token shards and open them."""
    draw = np.random.default_rng(0)
    vocabulary = Vocabulary(vocab_size, BOS, EOS, None, "none")
    bodies = draw.integers(EOS + 1, vocab_size, (num_tokens // 700, 698))
    documents = [np.array([BOS, *body, EOS]) for body in bodies]
    entry = write_shard(folder, "tokens", documents, [698] * len(documents), vocabulary.dtype)
    write_index(folder, vocabulary, [entry])
    return open_shards(folder)


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

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Return logits [B, T, V]."""
        positions_T = torch.arange(tokens_BT.shape[1], device=tokens_BT.device)
        x_BTW = self.tokens(tokens_BT) + self.positions(positions_T)
        return F.linear(self.norm(self.blocks(x_BTW)), self.tokens.weight)


@dataclass(frozen=True)
class Variant:
    """A named way to take a step, and how many parameters it trains."""

    name: str
    num_parameters: int
    step: Step


def baseline(
    config: ModelConfig, shards: ShardSet, rows: int, precision: Precision, device: torch.device
) -> Variant:
    """Return nanoGPT's step: random windows, one forward and backward pass, clip, AdamW."""
    tokens = shards.shards[0].tokens
    model = Baseline(config).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), fused=True)
    generator = torch.Generator().manual_seed(0)
    length = config.context_tokens

    def step(number: int) -> None:
        starts = torch.randint(shards.num_tokens - length - 1, (rows,), generator=generator)
        windows = [tokens[s : s + length + 1].astype(np.int64) for s in starts.tolist()]
        tokens_BS = torch.from_numpy(np.stack(windows)).to(device)
        with precision.autocast(device):
            logits_BTV = model(tokens_BS[:, :-1])
            loss = F.cross_entropy(logits_BTV.flatten(0, 1), tokens_BS[:, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()

    name = f"nanoGPT-shaped, {precision.name}"
    return Variant(name, sum(p.numel() for p in model.parameters()), step)


def ours(
    config: ModelConfig, shards: ShardSet, rows: int, precision: Precision, device: torch.device
) -> Variant:
    """Return the step of our loop."""
    model = new_decoder(config, 0).to(device)
    parts = Parts(
        model=model,
        optimizer=new_adamw(model, AdamWConfig()),
        objective=Causal(BOS),
        rows=Loader(shards, config.context_tokens, rows, seed=0),
        learning_rate=Schedule(1e-3, 10_000, 100),
        precision=precision,
        settings={},
        device=device,
        bytes_per_token=1.0,
    )
    plan, meter = Plan(num_steps=10_000, micro_batch_rows=rows), Meter()

    def step(number: int) -> None:
        one_step(parts, plan, number, meter)

    return Variant(f"millrace, {precision.name}", model.num_parameters, step)


def measure(variants: list[Variant], num_steps: int, device: torch.device) -> list[list[float]]:
    """Return the seconds of each variant's steps, all variants taking steps in turn."""
    seconds: list[list[float]] = [[] for _ in variants]
    for number in range(WARM_UP_STEPS + num_steps):
        for variant, took in zip(variants, seconds, strict=True):
            started = time.perf_counter()
            variant.step(number)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            took.append(time.perf_counter() - started)
    return [took[WARM_UP_STEPS:] for took in seconds]


def print_table(variants: list[Variant], seconds: list[list[float]], num_tokens: int) -> None:
    """Print one line a variant; the ratio is to the first."""
    medians = [statistics.median(took) for took in seconds]
    print(
        f"{'variant':<28}{'parameters':>12}{'ms/step':>10}{'fastest':>10}{'tokens/s':>10}{'x':>7}"
    )
    for variant, took, median in zip(variants, seconds, medians, strict=True):
        print(
            f"{variant.name:<28}{variant.num_parameters:>12,}{median * 1e3:>10.0f}"
            f"{min(took) * 1e3:>10.0f}{num_tokens / median:>10,.0f}{medians[0] / median:>7.2f}"
        )


def main() -> None:
    """Read the shape, measure, print."""
    parser = argparse.ArgumentParser(description="Our pre-training beside a nanoGPT-shaped one.")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--vocab-size", type=int, default=65)
    parser.add_argument("--context-tokens", type=int, default=256)
    parser.add_argument("--rows", type=int, default=12)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    config = ModelConfig(
        vocab_size=asked.vocab_size,
        num_layers=asked.layers,
        width=asked.width,
        num_heads=asked.heads,
        num_kv_heads=asked.heads,
        feed_forward_width=8 * asked.width // 3,
        context_tokens=asked.context_tokens,
    )
    device = torch.device(asked.device)
    with tempfile.TemporaryDirectory() as folder:
        shards = write_random_shards(Path(folder), asked.vocab_size, 1_000_000)
        variants = [
            make(config, shards, asked.rows, Precision(name, "asked for"), device)
            for name in asked.dtype
            for make in (baseline, ours)
        ]
        print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {asked.device}")
        seconds = measure(variants, asked.steps, device)
    print_table(variants, seconds, asked.rows * asked.context_tokens)


if __name__ == "__main__":
    main()
