"""Trainers that benchmarks step in turn: ours, nanoGPT; `benchmarks.foreign_trainers` has more.

All read the same text, in batches of the same size, under the same schedule of learning rates, with
AdamW, a decay of 0.1, clipping at 1 and no dropout. What differs is what each is: its model's code,
how it feeds data, its loop.

Shapes: B rows, T tokens, V vocabulary.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import io
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import count
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
from training.model import new_model
from training.model_config import ModelConfig
from training.objectives import Causal
from training.optim import new_optimizer
from training.parts import Parts
from training.precision import Precision
from training.schedule import Schedule

WEIGHT_DECAY, BETAS, CLIP_NORM = 0.1, (0.9, 0.99), 1.0
EVALUATED_ROWS = 64
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


@dataclass(frozen=True)
class Setting:
    """What all trainers share; a gpt2 is nanoGPT's shape, without biases."""

    learnt: ShardSet
    heldout: ShardSet
    shape: ModelConfig
    rows: int
    schedule: Schedule
    seed: int = 0
    precision: Precision = field(default_factory=lambda: Precision("float32", "asked for"))
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    compiled: bool = False

    def as_gpt2(self) -> Setting:
        """Return the same with nanoGPT's own shape."""
        inner = 4 * self.shape.width
        shape = replace(self.shape, shape="gpt2", feed_forward_width=inner, exact_gelu=True)
        return replace(self, shape=shape)


@dataclass(frozen=True)
class Trainer:
    """A named trainer: ``step`` takes its next step, ``logits`` are those of tokens [B, T] now."""

    name: str
    shape: ModelConfig
    model: nn.Module
    step: Callable[[], None]
    logits: Callable[[Tensor], Tensor]


def ours(
    setting: Setting, optimizer: str = "adamw", rate: Callable[[int], float] | None = None
) -> Trainer:
    """Return our loop's steps; ``rate`` is another learning rate of a step than the schedule's."""
    parts = parts_of(setting, optimizer)
    parts = replace(parts, learning_rate=rate or setting.schedule)
    plan = Plan(setting.schedule.num_steps, setting.rows, clip_norm=CLIP_NORM)
    meter, steps = Meter(), count()

    def step() -> None:
        number = next(steps)
        with deterministic(setting.device.type):
            read_values([begin_step(parts, number, number, plan, meter)], meter)

    return Trainer(
        f"millrace, {setting.shape.shape}", setting.shape, parts.model, step, parts.model
    )


def parts_of(setting: Setting, optimizer: str = "adamw") -> Parts:
    """Return what our loop is given for a setting."""
    torch.manual_seed(setting.seed)
    model = new_model(setting.shape, setting.seed).to(setting.device)
    if setting.compiled:
        model.compile_parts()
    adamw = AdamWConfig(*BETAS, weight_decay=WEIGHT_DECAY)
    return Parts(
        model=model,
        optimizer=new_optimizer(model, optimizer, adamw),
        objective=Causal(setting.learnt.bos_id),
        rows=Loader(setting.learnt, setting.shape.context_tokens, setting.rows, setting.seed),
        learning_rate=setting.schedule,
        precision=setting.precision,
        settings={},
        device=setting.device,
        bytes_per_token=1.0,
    )


def nanogpt(setting: Setting, folder: Path) -> Trainer:
    """Return the steps of nanoGPT's ``train.py``, with model and optimiser of a checkout."""
    model, optimizer = nanogpt_model(setting, folder)
    called = torch.compile(model) if setting.compiled else model
    text = torch.from_numpy(setting.learnt.shards[0].tokens.astype(np.int64))
    steps = iter(range(setting.schedule.num_steps))

    def step() -> None:
        rate = setting.schedule(next(steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        inputs, targets = random_windows(text, setting.rows, setting.shape.context_tokens)
        with setting.precision.autocast(setting.device):
            loss = called(inputs.to(setting.device), targets.to(setting.device))[1]
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    shape = setting.as_gpt2().shape
    return Trainer("nanoGPT", shape, model, step, lambda tokens: called(tokens, tokens)[0])


def nanogpt_model(setting: Setting, folder: Path) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Return the model and the optimiser of a checkout of nanoGPT that the person named."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    theirs = importlib.import_module("model")
    torch.manual_seed(setting.seed)
    shape = setting.shape
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
        rate, kind = setting.schedule.peak, setting.device.type
        return model, model.configure_optimizers(WEIGHT_DECAY, rate, BETAS, kind)


def random_windows(
    text: Tensor, rows: int, num_tokens: int, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Return inputs and targets [B, T] from anywhere in a text, as nanoGPT draws them."""
    starts = torch.randint(len(text) - num_tokens, (rows,), generator=generator)
    inputs, targets = (
        torch.stack([text[start + by : start + by + num_tokens] for start in starts])
        for by in (0, 1)
    )
    return inputs, targets


@torch.no_grad()
def heldout_loss(trainer: Trainer, setting: Setting) -> float:
    """Return the loss over all of the held-out text, cut into rows, in nats a token."""
    text = torch.from_numpy(setting.heldout.shards[0].tokens.astype(np.int64))
    length = setting.shape.context_tokens
    whole = (len(text) - 1) // length * length
    inputs, targets = text[:whole].view(-1, length), text[1 : whole + 1].view(-1, length)
    pairs = zip(inputs.split(EVALUATED_ROWS), targets.split(EVALUATED_ROWS), strict=True)
    return mean_loss(trainer, setting, pairs)


@torch.no_grad()
def estimated_loss(trainer: Trainer, setting: Setting, num_batches: int = 20) -> float:
    """Return nanoGPT's own estimate: the mean loss of some batches from anywhere in the text."""
    text = torch.from_numpy(setting.heldout.shards[0].tokens.astype(np.int64))
    generator = torch.Generator().manual_seed(setting.seed)
    length = setting.shape.context_tokens
    pairs = (random_windows(text, setting.rows, length, generator) for _ in range(num_batches))
    return mean_loss(trainer, setting, pairs)


def mean_loss(trainer: Trainer, setting: Setting, pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Return the mean loss of a target."""
    was_training, total, count = trainer.model.training, 0.0, 0
    trainer.model.eval()
    for inputs_BT, targets_BT in pairs:
        with setting.precision.autocast(setting.device):
            logits_BTV = trainer.logits(inputs_BT.to(setting.device)).float()
        targets = targets_BT.flatten().to(setting.device)
        total += float(F.cross_entropy(logits_BTV.flatten(0, 1), targets, reduction="sum"))
        count += targets_BT.numel()
    trainer.model.train(was_training)
    return total / count


def characters(path: Path) -> tuple[ShardSet, ShardSet]:
    """Return the first 90% of a text's characters and the rest, as ids in order of code points."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    alphabet = sorted(set(text))
    numbers = {character: number for number, character in enumerate(alphabet)}
    ids = np.array([numbers[character] for character in text], np.uint16)
    cut = int(0.9 * len(ids))
    return one_document(ids[:cut], len(alphabet)), one_document(ids[cut:], len(alphabet))


def random_text(vocab_size: int, num_tokens: int = 1_000_000) -> tuple[ShardSet, ShardSet]:
    """Return random ids to learn from and random ids held out, for speed alone."""
    draw = np.random.default_rng(0)
    dtype = np.uint16 if vocab_size <= 1 << 16 else np.int32
    ids = draw.integers(0, vocab_size, num_tokens).astype(dtype)
    return one_document(ids, vocab_size), one_document(ids[: num_tokens // 50], vocab_size)


def one_document(ids: np.ndarray, vocab_size: int) -> ShardSet:
    """Return ids as one long document; no id stands for a beginning."""
    vocabulary = Vocabulary(vocab_size, vocab_size, vocab_size, None, "characters")
    shard = Shard("text", ids, np.array([0, len(ids)]), np.array([len(ids)]))
    return ShardSet(vocabulary, (shard,))
