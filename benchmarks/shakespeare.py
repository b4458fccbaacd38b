"""nanoGPT's published small runs on Shakespeare by characters, through our loop and loader.

    python -m benchmarks.shakespeare --text input.txt.gz [--seeds 1337 1338 1339] [--optimizer muon]
    python -m benchmarks.shakespeare --text input.txt.gz --nanogpt CHECKOUT    the original instead

The model is a GPT-2 without biases in nanoGPT's configuration for a processor (README, "I only have
a macbook"): 4 layers, 4 heads, width 128, 64 characters of context, 12 rows a step, 2,000 steps,
AdamW with 1e-3 falling to 1e-4 after 100 steps, betas 0.9 and 0.99, decay 0.1, clipping 1, no
dropout. Published: a validation loss of 1.88. The first 90% of the characters are learnt from.

Two things are ours: rows are cut from the text at multiples of 64 and drawn without repetition,
where nanoGPT draws windows anywhere; and the validation loss is over all of the last 10%, in rows
of 64, where nanoGPT takes 20 random batches. Both see a context of 1 to 64 characters alike.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import importlib
import io
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from data_contracts.shards import Shard, ShardSet, Vocabulary
from training.config import AdamWConfig, Plan
from training.heldout import Scorer, score_documents
from training.loader import Loader
from training.loop import METRICS, train
from training.metrics import Progress, read_metrics
from training.model import Transformer, new_model
from training.model_config import ModelConfig
from training.objectives import Causal
from training.optim import new_optimizer, peak_learning_rate
from training.parts import Parts
from training.precision import Precision, threads
from training.schedule import Schedule

PUBLISHED = 1.88
STEPS, WARM_UP_STEPS, ROWS, CONTEXT = 2000, 100, 12, 64
EVALUATE_EVERY = 500
PRECISION = Precision("float32", "asked for")


def characters(path: Path) -> tuple[ShardSet, ShardSet]:
    """Return the first 90% of a text's characters and the rest, as ids in order of code points.

    No id stands for a beginning: each part is one long document.
    """
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    alphabet = sorted(set(text))
    numbers = {character: number for number, character in enumerate(alphabet)}
    ids = np.array([numbers[character] for character in text], np.uint16)
    cut = int(0.9 * len(ids))
    return one_document(ids[:cut], len(alphabet)), one_document(ids[cut:], len(alphabet))


def one_document(ids: np.ndarray, vocab_size: int) -> ShardSet:
    """Return ids as one document, without special ids."""
    vocabulary = Vocabulary(vocab_size, vocab_size, vocab_size, None, "characters")
    shard = Shard("text", ids, np.array([0, len(ids)]), np.array([len(ids)]))
    return ShardSet(vocabulary, (shard,))


def small_gpt(vocab_size: int) -> ModelConfig:
    """Return the shape of nanoGPT's run on a processor."""
    return ModelConfig(vocab_size, 4, 128, 4, 4, 512, CONTEXT, shape="gpt2")


def run(texts: tuple[ShardSet, ShardSet], seed: int, optimizer: str, steps: int) -> list[dict]:
    """Train once; return the metrics of the steps that were evaluated."""
    learnt, heldout = texts
    shape = small_gpt(learnt.vocab_size)
    torch.manual_seed(seed)
    model = new_model(shape, seed)
    scorer = Scorer(CONTEXT, 64, PRECISION, torch.device("cpu"))
    peak = 1e-3 if optimizer == "adamw" else peak_learning_rate(shape.width, optimizer)
    parts = Parts(
        model=model,
        optimizer=new_optimizer(model, optimizer, AdamWConfig(beta_2=0.99)),
        objective=Causal(learnt.bos_id),
        rows=Loader(learnt, CONTEXT, ROWS, seed),
        learning_rate=Schedule(peak, steps, WARM_UP_STEPS, 0.1),
        precision=PRECISION,
        settings={},
        evaluate=lambda: heldout_scores(model, heldout, scorer),
        bytes_per_token=1.0,
    )
    plan = Plan(steps, ROWS, evaluate_every_steps=EVALUATE_EVERY, checkpoint_every_steps=steps)
    with tempfile.TemporaryDirectory() as folder:
        train(parts, plan, Path(folder), ignore)
        return read_metrics(Path(folder) / METRICS)


def heldout_scores(model: Transformer, heldout: ShardSet, scorer: Scorer) -> dict[str, float]:
    """Return the loss on all of the held-out text, in nats a character."""
    return {"heldout_loss": score_documents(model, heldout, scorer).loss}


def run_nanogpt(texts: tuple[ShardSet, ShardSet], seed: int, steps: int, folder: Path) -> None:
    """Train nanoGPT's own model as its `train.py` does with these settings; print its losses.

    Its model, initial weights, optimiser, random windows and schedule; our measure of the result.
    """
    sys.path.insert(0, str(folder))
    theirs = importlib.import_module("model")  # of the checkout that the person named
    torch.manual_seed(seed)
    config = theirs.GPTConfig(
        block_size=CONTEXT,
        vocab_size=texts[0].vocab_size,
        n_layer=4,
        n_head=4,
        n_embd=128,
        dropout=0.0,
        bias=False,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        model = theirs.GPT(config)
        optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.99), "cpu")
    learnt = torch.from_numpy(texts[0].shards[0].tokens.astype(np.int64))
    schedule = Schedule(1e-3, steps, WARM_UP_STEPS, 0.1)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = schedule(step)
        starts = torch.randint(len(learnt) - CONTEXT, (ROWS,))
        inputs, targets = (
            torch.stack([learnt[start + by : start + by + CONTEXT] for start in starts])
            for by in (0, 1)
        )
        model(inputs, targets)[1].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if (step + 1) % EVALUATE_EVERY == 0 or step + 1 == steps:
            loss = nanogpt_loss(model, texts[1])
            print(f"nanoGPT, seed {seed}: {loss:.4f} @{step + 1}", flush=True)


@torch.no_grad()
def nanogpt_loss(model: torch.nn.Module, heldout: ShardSet) -> float:
    """Return the mean loss over the held-out text in the rows that ours is measured in."""
    was_training = model.training
    model.eval()
    text = torch.from_numpy(heldout.shards[0].tokens.astype(np.int64))
    whole = (len(text) - 1) // CONTEXT * CONTEXT
    inputs, targets = text[:whole].view(-1, CONTEXT), text[1 : whole + 1].view(-1, CONTEXT)
    total = sum(
        float(model(inputs[i : i + 64], targets[i : i + 64])[1]) * len(inputs[i : i + 64])
        for i in range(0, len(inputs), 64)
    )
    model.train(was_training)
    return total / len(inputs)


def first_loss(texts: tuple[ShardSet, ShardSet], seed: int) -> float:
    """Return the validation loss of a model that has learnt nothing."""
    model = new_model(small_gpt(texts[0].vocab_size), seed).eval()
    scorer = Scorer(CONTEXT, 64, PRECISION, torch.device("cpu"))
    return heldout_scores(model, texts[1], scorer)["heldout_loss"]


def ignore(progress: Progress) -> None:
    """Show nothing between evaluations."""


def main() -> None:
    """Train for each seed and print one line for each, then the mean."""
    parser = argparse.ArgumentParser(description="nanoGPT's small run through our loop.")
    parser.add_argument("--text", type=Path, required=True, help="tiny Shakespeare, plain or .gz")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1337, 1338, 1339])
    parser.add_argument("--optimizer", default="adamw", choices=["adamw", "muon"])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--nanogpt", type=Path, help="its checkout: train that instead")
    parser.add_argument("--threads", type=int, default=0)
    asked = parser.parse_args()
    texts = characters(asked.text)
    if asked.nanogpt:
        with threads(asked.threads):
            for seed in asked.seeds:
                run_nanogpt(texts, seed, asked.steps, asked.nanogpt)
        return
    num_parameters = new_model(small_gpt(texts[0].vocab_size), 0).num_parameters
    print(
        f"torch {torch.__version__}; {texts[0].num_tokens:,} characters to learn from, "
        f"{texts[1].num_tokens:,} held out, V = {texts[0].vocab_size}, "
        f"{num_parameters:,} parameters, {asked.optimizer}, {asked.steps} steps"
    )
    losses = []
    with threads(asked.threads):
        for seed in asked.seeds:
            started = time.perf_counter()
            begun = first_loss(texts, seed)
            lines = [
                line for line in run(texts, seed, asked.optimizer, asked.steps) if line["scores"]
            ]
            losses.append(lines[-1]["scores"]["heldout_loss"])
            curve = ", ".join(
                f"{line['scores']['heldout_loss']:.4f} @{line['step']}" for line in lines
            )
            ratio = begun / math.log(texts[0].vocab_size)
            print(
                f"seed {seed}: first loss {begun:.4f} ({ratio:.4f} of ln V); {curve}; "
                f"{time.perf_counter() - started:.0f} s",
                flush=True,
            )
    spread = statistics.stdev(losses) if len(losses) > 1 else 0.0
    print(f"mean {statistics.mean(losses):.4f}, deviation {spread:.4f}; published {PUBLISHED}")


if __name__ == "__main__":
    main()
