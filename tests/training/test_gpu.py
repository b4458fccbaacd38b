"""On a GPU: the numbers of the processor, documents that keep apart, and the same bits again.

Needs torch with CUDA, numpy, pyarrow, safetensors and pytest; the rest of the house may be absent:

    python -m pytest -m gpu tests/training/test_gpu.py
"""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from data_contracts.shards import Shard, ShardSet, Vocabulary
from training.checkpoint import MODEL, OPTIMIZER
from training.config import PretrainConfig
from training.cross_entropy import cross_entropies
from training.determinism import deterministic
from training.metrics import Progress
from training.model import Transformer, new_model
from training.model_config import ModelConfig
from training.objectives import Batch, token_losses
from training.precision import Precision
from training.pretrain import pretrain

DEVICE = "cuda"
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device"),
]

ROOT = Path(__file__).resolve().parents[2]
SHAPE = ModelConfig(512, 3, 256, 4, 2, 512, 256)
CONFIG = PretrainConfig(
    depth=4,
    context_tokens=128,
    batch_rows=16,
    micro_batch_rows=8,
    num_steps=60,
    warm_up_steps=5,
    dtype="bfloat16",
    device=DEVICE,
    num_threads=1,
    checkpoint_every_steps=20,
    evaluate_every_steps=30,
    log_every_steps=7,
)

KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import importlib.util
spec = importlib.util.spec_from_file_location("test_gpu", sys.argv[2])
here = importlib.util.module_from_spec(spec)
spec.loader.exec_module(here)
config = here.dataclasses.replace(here.CONFIG, compile=sys.argv[5] == "True")
kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
shards = here.repeating_shards()
here.pretrain(
    config, shards, Path(sys.argv[3]), lambda p: kill() if p.step == int(sys.argv[4]) else None
)
"""


def repeating_shards() -> ShardSet:
    """Return documents that count upwards, each by a step of its own: something to be learnt."""
    draw = np.random.default_rng(0)
    documents = []
    for _ in range(400):
        length, begin, by = draw.integers(20, 200), draw.integers(0, 300), draw.integers(1, 5)
        body = 3 + (begin + by * np.arange(length)) % 300
        documents.append(np.array([1, *body, 2], np.uint16))
    offsets = np.cumsum([0, *(len(document) for document in documents)])
    shard = Shard("tokens", np.concatenate(documents), offsets, np.diff(offsets))
    return ShardSet(Vocabulary(303, 1, 2, None, "a"), (shard,))


def ignore(progress: Progress) -> None:
    pass


def batch(seed: int = 0) -> Batch:
    """Return 4 rows of 256 tokens with documents of 60 tokens."""
    generator = torch.Generator().manual_seed(seed)
    tokens_BT, targets_BT = (
        torch.randint(SHAPE.vocab_size, (4, 256), generator=generator) for _ in range(2)
    )
    targets_BT[:, ::9] = -100
    return Batch(tokens_BT, (torch.arange(4 * 256) // 60).view(4, 256), targets_BT)


def strong() -> Transformer:
    model = new_model(SHAPE, seed=3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(3)
    return model


def losses_and_gradients(device: str, name: str) -> tuple[Tensor, dict[str, Tensor]]:
    model, place = strong().to(device), torch.device(device)
    with Precision(name, "asked for").autocast(place):
        losses_BT = token_losses(model, batch().to(place))
    losses_BT.sum().backward()
    gradients = {key: p.grad.cpu() for key, p in model.named_parameters() if p.grad is not None}
    return losses_BT.detach().cpu(), gradients


@pytest.mark.parametrize(("name", "allowed"), [("float32", 1e-4), ("bfloat16", 3e-2)])
def test_losses_and_gradients_are_those_of_the_processor(name: str, allowed: float) -> None:
    assert not torch.backends.cuda.matmul.allow_tf32
    theirs, their_gradients = losses_and_gradients("cpu", "float32")
    ours, our_gradients = losses_and_gradients(DEVICE, name)
    assert theirs.std() > 0.5
    assert (ours - theirs).norm() / theirs.norm() < allowed
    assert len(our_gradients) == 3 * 6 + 2
    for key, gradient in their_gradients.items():
        error = (our_gradients[key] - gradient).norm() / gradient.norm()
        assert error < 3 * allowed, key


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_what_stands_in_another_document_changes_no_bit(name: str) -> None:
    model, device = strong().to(DEVICE), torch.device(DEVICE)
    one, others = batch(0), batch(1)
    kept_BT = one.documents_BT == one.documents_BT[2, 100]
    assert 40 < int(kept_BT.sum()) <= 60
    tokens_BT = torch.where(kept_BT, one.tokens_BT, others.tokens_BT)
    other = Batch(tokens_BT, one.documents_BT, one.targets)
    with torch.no_grad(), Precision(name, "asked for").autocast(device):
        before, after = (
            model(b.tokens_BT.to(device), b.documents_BT.to(device)).cpu() for b in (one, other)
        )
        unmasked = [model(b.tokens_BT.to(device)).cpu()[kept_BT] for b in (one, other)]
    assert torch.equal(before[kept_BT], after[kept_BT])
    assert not torch.equal(before[~kept_BT], after[~kept_BT])
    assert not torch.equal(*unmasked)


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_gradients_are_the_same_bits_again(name: str) -> None:
    with deterministic(DEVICE):
        first, *others = (losses_and_gradients(DEVICE, name) for _ in range(4))
    for losses, gradients in others:
        assert torch.equal(losses, first[0])
        assert all(torch.equal(gradients[key], first[1][key]) for key in first[1])


@pytest.mark.parametrize("compiled", [False, True])
def test_it_learns_and_goes_on_after_a_kill_with_the_same_bits(
    tmp_path: Path, compiled: bool
) -> None:
    config, shards = dataclasses.replace(CONFIG, compile=compiled), repeating_shards()
    straight = pretrain(config, shards, tmp_path / "straight", ignore, shards)
    losses = [line["loss"] for line in straight.curve]
    assert losses[0] < 1.02 * np.log(303)
    assert losses[-1] < 0.8 * losses[0]
    assert straight.heldout_bits_per_byte is not None
    assert straight.heldout_bits_per_byte * np.log(2) < losses[0]
    arguments = [str(ROOT), __file__, str(tmp_path / "killed"), "47", str(compiled)]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    again = pretrain(config, shards, tmp_path / "killed", ignore, shards)
    assert again.resumed_from_step == 40
    for name in (MODEL, OPTIMIZER):
        ours, theirs = load_file(again.checkpoint / name), load_file(straight.checkpoint / name)
        assert set(ours) == set(theirs)
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert again.loss == straight.loss


def test_chunked_losses_take_less_memory_than_all_logits() -> None:
    num_tokens, vocab_size, width = 16_384, 50_304, 256
    generator = torch.Generator(DEVICE).manual_seed(0)
    hidden_NW, weight_VW = (
        torch.randn(rows, width, device=DEVICE, generator=generator).mul_(0.1).requires_grad_()
        for rows in (num_tokens, vocab_size)
    )
    targets_N = torch.randint(vocab_size, (num_tokens,), device=DEVICE, generator=generator)

    def plain() -> Tensor:
        return F.cross_entropy(F.linear(hidden_NW, weight_VW), targets_N, reduction="sum")

    def chunked() -> Tensor:
        return cross_entropies(hidden_NW, weight_VW, targets_N).sum()

    used, gradients = [], []
    for loss_of in (plain, chunked):
        hidden_NW.grad = weight_VW.grad = None
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        loss_of().backward()
        used.append(torch.cuda.max_memory_allocated() - before)
        gradients.append((hidden_NW.grad, weight_VW.grad))
    assert used[0] > 2 * 4 * num_tokens * vocab_size
    assert used[1] < 5 * 2**30 < used[0]
    for ours, theirs in zip(*gradients, strict=True):
        assert (ours - theirs).norm() / theirs.norm() < 1e-5
