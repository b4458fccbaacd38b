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
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from data_contracts.errors import UsageError
from training.checkpoint import checkpoint_folders
from training.heldout import Scorer, score_documents
from training.loader import Loader, TokenShards, check_shards, shards_fingerprint
from training.loop import CHECKPOINTS, METRICS, OnProgress, Parts, Plan, Trained, train
from training.metrics import read_metrics
from training.model import Decoder, ModelConfig, new_decoder, preset
from training.objectives import Causal
from training.optim import AdamWConfig, new_adamw, peak_learning_rate
from training.precision import Precision, choose_precision
from training.schedule import Schedule

RUN = "run.json"


@dataclass(frozen=True)
class PretrainConfig:
    """What to train and how; None means derived from ``depth``.

    ``dtype`` is ``auto`` (measured), ``float32`` or ``bfloat16``; ``device`` ``cpu`` or ``cuda``.
    ``heldout_max_tokens`` bounds what is read at each evaluation. A step reads ``batch_rows`` rows
    of ``context_tokens`` tokens, ``micro_batch_rows`` at once. Raises UsageError for numbers that
    make no run.
    """

    depth: int = 4
    context_tokens: int = 256
    batch_rows: int = 16
    micro_batch_rows: int = 16
    num_steps: int = 1000
    warm_up_steps: int = 50
    peak_learning_rate: float | None = None
    final_learning_rate_ratio: float = 0.1
    adamw: AdamWConfig = field(default_factory=AdamWConfig)
    clip_norm: float = 1.0
    seed: int = 0
    dtype: str = "auto"
    device: str = "cpu"
    evaluate_every_steps: int | None = None
    heldout_max_tokens: int = 200_000
    checkpoint_every_steps: int = 200
    keep_checkpoints: int = 2
    log_every_steps: int = 10

    def __post_init__(self) -> None:
        for name in ("depth", "context_tokens", "batch_rows", "heldout_max_tokens"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; give 1 or more")
        loop_plan(self)


# Fields that change no weight: a run may go on with others.
_FREE = {
    *("evaluate_every_steps", "heldout_max_tokens", "checkpoint_every_steps"),
    *("keep_checkpoints", "log_every_steps"),
}


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
    started = time.perf_counter()
    check_shards(shards, None)
    if heldout is not None:
        check_shards(heldout, shards.tokenizer_digest)
    device = device_of(config)
    shape = preset(config.depth, shards.vocab_size, config.context_tokens)
    schedule = schedule_of(config, shape)
    rows = Loader(shards, config.context_tokens, config.batch_rows, config.seed)
    precision = resolved_precision(config, shape, device, out_folder)
    settings = counted_settings(config, shape, schedule, precision, shards)
    write_run(out_folder, settings, precision)
    torch.manual_seed(config.seed)
    model = new_decoder(shape, config.seed).to(device)
    parts = Parts(
        model=model,
        optimizer=new_adamw(model, config.adamw),
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


def loop_plan(config: PretrainConfig) -> Plan:
    """Return the part of the settings that the loop reads."""
    return Plan(
        num_steps=config.num_steps,
        micro_batch_rows=config.micro_batch_rows,
        clip_norm=config.clip_norm,
        checkpoint_every_steps=config.checkpoint_every_steps,
        keep_checkpoints=config.keep_checkpoints,
        evaluate_every_steps=config.evaluate_every_steps,
        log_every_steps=config.log_every_steps,
    )


def schedule_of(config: PretrainConfig, shape: ModelConfig) -> Schedule:
    """Return the learning rate's schedule, its peak derived from the width where none is given."""
    return Schedule(
        config.peak_learning_rate or peak_learning_rate(shape.width),
        config.num_steps,
        config.warm_up_steps,
        config.final_learning_rate_ratio,
    )


def resolved_precision(
    config: PretrainConfig, shape: ModelConfig, device: torch.device, out_folder: Path
) -> Precision:
    """Return the precision asked for, or that of the run begun in the folder, or the measured."""
    if config.dtype != "auto":
        return Precision(config.dtype, "asked for")
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
    counted = {name: value for name, value in asdict(config).items() if name not in _FREE}
    return {
        **counted,
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


def device_of(config: PretrainConfig) -> torch.device:
    """Return the device asked for; raises UsageError if this machine lacks it."""
    if config.device not in ("cpu", "cuda"):
        raise UsageError(f"device is {config.device}; give cpu or cuda")
    if config.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("device is cuda, but torch finds none here; give cpu")
    return torch.device(config.device)


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
