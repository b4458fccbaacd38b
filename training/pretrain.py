"""Pre-training, assembled: shards in, checkpoint and measured facts out.

::

    <out_folder>/run.json            settings as resolved, and why (precision)
                 metrics.jsonl       the curve, see `training.metrics`
                 checkpoints/…       see `training.checkpoint`
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from data_contracts.errors import UsageError
from training.checkpoint import checkpoint_folders
from training.config import PretrainConfig, counted_names, loop_plan
from training.determinism import deterministic
from training.heldout import Scorer, score_documents
from training.loader import Loader, TokenShards, check_shards, shards_fingerprint
from training.loop import CHECKPOINTS, METRICS, OnProgress, Parts, Trained, train
from training.metrics import read_metrics
from training.model import Decoder, ModelConfig, new_decoder, preset
from training.objectives import Causal
from training.optim import new_optimizer, peak_learning_rate
from training.precision import Precision, choose_precision, threads
from training.schedule import Schedule

RUN = "run.json"


@dataclass(frozen=True)
class PretrainResult:
    """What came out; ``curve`` is every logged `training.metrics.Progress` of the whole run.

    ``heldout_bits_per_byte`` is of the last evaluation, None without held-out text.
    ``tokens_per_second`` is of this session and 0 if all steps had been done before.
    """

    checkpoint: Path
    num_parameters: int
    num_tokens: int
    precision: Precision
    loss: float
    heldout_bits_per_byte: float | None
    tokens_per_second: float
    waiting_ratio: float
    seconds: float
    resumed_from_step: int
    damaged_checkpoints: tuple[str, ...]
    curve: tuple[Mapping[str, Any], ...]


def pretrain(
    config: PretrainConfig,
    shards: TokenShards,
    out_folder: Path,
    progress: OnProgress,
    heldout: TokenShards | None = None,
) -> PretrainResult:
    """Train a decoder on shards, going on from what ``out_folder`` holds.

    Refuses before the first step: held-out shards of another tokenizer, ids outside the vocabulary,
    text too short for a batch (InputError), impossible settings and a folder with another run
    (UsageError). Raises `training.loop.NotFinite` if the loss breaks.
    """
    with threads(config.num_threads), deterministic(config.device):
        return _pretrain(config, shards, out_folder, progress, heldout)


def _pretrain(
    config: PretrainConfig,
    shards: TokenShards,
    out_folder: Path,
    progress: OnProgress,
    heldout: TokenShards | None,
) -> PretrainResult:
    started = time.perf_counter()
    check_shards(shards, None)
    if heldout is not None:
        check_shards(heldout, shards.tokenizer_digest)
    device = torch_device(config.device)
    shape = preset(config.depth, shards.vocab_size, config.context_tokens)
    schedule = schedule_of(config, shape)
    rows = Loader(shards, config.context_tokens, config.batch_rows, config.seed)
    precision = resolved_precision(config, shape, device, out_folder)
    settings = counted_settings(config, shape, schedule, precision, shards)
    write_run(out_folder, settings, precision)
    torch.manual_seed(config.seed)
    model = new_decoder(shape, config.seed).to(device)
    if config.compile:
        model.compile_parts()
    parts = Parts(
        model=model,
        optimizer=new_optimizer(model, config.optimizer, config.adamw),
        objective=Causal(shards.bos_id),
        rows=rows,
        learning_rate=schedule,
        precision=precision,
        settings=settings,
        device=device,
        evaluate=None if heldout is None else evaluator(config, model, heldout, precision, device),
        bytes_per_token=shards.num_bytes / shards.num_tokens,
    )
    trained = train(parts, loop_plan(config), out_folder, progress)
    return result(config, trained, precision, out_folder, time.perf_counter() - started)


def schedule_of(config: PretrainConfig, shape: ModelConfig) -> Schedule:
    """Return the learning rate's schedule, its peak derived from the width where none is given."""
    return Schedule(
        config.peak_learning_rate or peak_learning_rate(shape.width, config.optimizer),
        config.num_steps,
        config.warm_up_steps,
        config.final_learning_rate_ratio,
    )


def resolved_precision(
    config: PretrainConfig, shape: ModelConfig, device: torch.device, out_folder: Path
) -> Precision:
    """Return the precision asked for, or that of the run begun in the folder, or the measured."""
    if config.dtype != "auto":
        return Precision(config.dtype, config.dtype_reason)
    path = out_folder / RUN
    if checkpoint_folders(out_folder / CHECKPOINTS) and path.is_file():
        return Precision(**json.loads(path.read_text())["precision"])
    return choose_precision(device, shape.width)


def counted_settings(
    config: PretrainConfig,
    shape: ModelConfig,
    schedule: Schedule,
    precision: Precision,
    shards: TokenShards,
) -> dict[str, Any]:
    """Return all that the weights depend on, nothing left to be derived, as plain values."""
    plain, counted = asdict(config), counted_names(PretrainConfig)
    return {
        **{name: plain[name] for name in counted},
        "dtype": precision.name,
        "peak_learning_rate": schedule.peak,
        "model": asdict(shape),
        "objective": "causal",
        "tokenizer_digest": shards.tokenizer_digest,
        "shards": shards_fingerprint(shards),
    }


def write_run(out_folder: Path, settings: Mapping[str, Any], precision: Precision) -> None:
    """Write ``run.json``, whole or not at all; once a checkpoint stands, it stays as it was."""
    if checkpoint_folders(out_folder / CHECKPOINTS):
        return
    machine = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    record = {"settings": settings, "precision": asdict(precision), "machine": machine}
    out_folder.mkdir(parents=True, exist_ok=True)
    fresh = out_folder / f".{RUN}.new"
    fresh.write_text(json.dumps(record, indent=1, sort_keys=True))
    fresh.replace(out_folder / RUN)


def evaluator(
    config: PretrainConfig,
    model: Decoder,
    heldout: TokenShards,
    precision: Precision,
    device: torch.device,
) -> Callable[[], Mapping[str, float]]:
    """Return the function that scores the model as it is on held-out documents."""
    scorer = Scorer(
        context_tokens=config.context_tokens,
        batch_rows=config.micro_batch_rows,
        precision=precision,
        device=device,
        max_tokens=config.heldout_max_tokens,
    )

    def evaluate() -> Mapping[str, float]:
        scores = score_documents(model, heldout, scorer)
        return {"heldout_loss": scores.loss, "heldout_bits_per_byte": scores.bits_per_byte}

    return evaluate


def torch_device(name: str) -> torch.device:
    """Return the device of a name; raises UsageError if this machine lacks it."""
    if name not in ("cpu", "cuda"):
        raise UsageError(f"device is {name}; give cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("device is cuda, but torch finds none here; give cpu")
    return torch.device(name)


def result(
    config: PretrainConfig, trained: Trained, precision: Precision, folder: Path, seconds: float
) -> PretrainResult:
    """Return the facts of a finished run, from what it wrote and what the loop measured."""
    curve = tuple(read_metrics(folder / METRICS))
    return PretrainResult(
        checkpoint=trained.checkpoint,
        num_parameters=trained.num_parameters,
        num_tokens=config.num_steps * config.batch_rows * config.context_tokens,
        precision=precision,
        loss=curve[-1]["loss"],
        heldout_bits_per_byte=curve[-1]["scores"].get("heldout_bits_per_byte"),
        tokens_per_second=trained.tokens_per_second,
        waiting_ratio=trained.waiting_ratio,
        seconds=seconds,
        resumed_from_step=trained.resumed_from_step,
        damaged_checkpoints=trained.damaged_checkpoints,
        curve=curve,
    )
