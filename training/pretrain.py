"""Pre-training, assembled: shards in, checkpoint and measured facts out.

::

    <out_folder>/run.json            settings as resolved, and why (precision)
                 metrics.jsonl       the curve, see `training.metrics`
                 guard.jsonl         where training broke, if it did, see `training.guard`
                 checkpoints/…       see `training.checkpoint`
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from data_contracts.errors import UsageError
from training.assembly import Assembly, Given, assemble, scorer_of
from training.checkpoint import checkpoint_folders, step_of
from training.config import (
    NAMES_OF_NUMBERS,
    PretrainConfig,
    counted_names,
    foreign_names,
    loop_plan,
    schedule_of,
)
from training.derive import derived, model_of
from training.determinism import deterministic
from training.document_labels import DocumentLabels
from training.guard import GuardState, Incident
from training.heldout import check_measurable
from training.loader import TokenShards, check_shards, lineage_of, shards_fingerprint
from training.loop import CHECKPOINTS, METRICS, OnProgress, Trained, train
from training.masking import Pieces
from training.memory import check_memory, free_memory, training_memory
from training.metrics import read_metrics
from training.mixed_loader import sources_fingerprint
from training.model_config import ModelConfig
from training.optim import new_optimizer
from training.parts import Parts
from training.precision import Precision, choose_precision, threads
from training.ranks import ALONE, Ranks
from training.seen import (
    NOTHING_SEEN,
    Seen,
    sample_writer,
    shown,
    utilisation_of,
)
from training.start import begin_with, with_start

RUN = "run.json"


@dataclass(frozen=True)
class PretrainResult:
    """What came out; ``curve`` is every logged `training.metrics.Progress` of the whole run.

    ``checkpoint`` is the last one or the best, as the config chooses; ``loss``, ``scores`` and
    ``sample`` are of its step. ``best_step`` is that of the lowest held-out loss.
    ``num_tokens`` are those that the model read, without what fills rows up or was gone back from.
    ``tokens_per_second`` is of this session and 0 if all steps had been done before. ``incidents``
    are what the guard did, over the whole run. ``packing`` is `training.loader.Loader.facts`.
    """

    checkpoint: Path
    num_parameters: int
    num_tokens: int
    tokens_by_step: Mapping[int, int]
    objective_facts: Mapping[str, Any]
    precision: Precision
    loss: float
    scores: Mapping[str, float]
    sample: str | None
    tokens_per_second: float
    waiting_ratio: float
    seconds: float
    resumed_from_step: int
    damaged_checkpoints: tuple[str, ...]
    packing: Mapping[str, float]
    curve: tuple[Mapping[str, Any], ...]
    incidents: tuple[Incident, ...] = ()
    best_step: int | None = None

    @property
    def heldout_bits_per_byte(self) -> float | None:
        """Of the model, on held-out text; None without any, and of other objectives than causal."""
        return self.scores.get("heldout_bits_per_byte")

    @property
    def heldout_accuracy(self) -> float | None:
        """Share of right guesses of hidden tokens, or of labels; None where nothing was judged."""
        return self.scores.get("heldout_accuracy")


def pretrain(
    config: PretrainConfig,
    shards: TokenShards,
    out_folder: Path,
    progress: OnProgress,
    heldout: TokenShards | None = None,
    pieces: Pieces | None = None,
    labels: DocumentLabels | None = None,
    ranks: Ranks = ALONE,
    seen: Seen = NOTHING_SEEN,
) -> PretrainResult:
    """Train a model on shards, going on from what ``out_folder`` holds.

    Masked pre-training needs the vocabulary's ``pieces``, supervised the documents' ``labels``.
    One of several ``ranks`` does its share and returns when all are done (`training.ddp`). ``seen``
    is for samples and scores by source at each evaluation.

    Refuses before the first step: held-out shards of another tokenizer, ids outside the vocabulary,
    text too short for a batch (InputError), impossible settings, another model to begin with than
    fits, too little memory and a folder with another run (UsageError). Raises
    `training.loop.NotFinite` if training breaks more often than the guard may go back.
    """
    if ranks.count != config.num_processes:
        raise UsageError(
            f"num_processes is {config.num_processes}, but {ranks.count} take part; start several "
            "with training.ddp.pretrain_in_processes"
        )
    config = with_start(config)
    with (
        threads(config.num_threads),
        deterministic(config.device),
        shown(config, progress, ranks) as tell,
    ):
        started = time.perf_counter()
        given = Given(shards, heldout, pieces, labels, seen.sources, seen.train_sources)
        check_given(config, given)
        config = derived(config, shards.vocab_size)
        precision, assembly, parts = prepare(config, given, out_folder, ranks, seen)
        trained = train(parts, loop_plan(config), out_folder, tell)
        seconds = time.perf_counter() - started
        return result(config, assembly, trained, precision, out_folder, seconds)


def check_given(config: PretrainConfig, given: Given) -> None:
    """Raise InputError for shards that do not go together, or cannot be measured."""
    check_shards(given.shards, None)
    if given.heldout is not None:
        check_shards(given.heldout, given.shards.tokenizer_digest)
        if config.objective == "causal":
            check_measurable(given.heldout)


def prepare(
    config: PretrainConfig, given: Given, out_folder: Path, ranks: Ranks, seen: Seen
) -> tuple[Precision, Assembly, Parts]:
    """Return what the loop is given, in which numbers; refuse what cannot be trained here."""
    device = torch_device(config.device)
    shape = model_of(config, given.shards.vocab_size)
    precision = agreed(resolved_precision(config, shape, device, out_folder), ranks, device)
    refuse_too_large(config, shape, precision, device, ranks)
    assembly = assemble(config, shape, given, scorer_of(config, precision, device))
    begin_with(assembly.trunk, config, given.shards.tokenizer_digest)
    settings = counted_settings(config, shape, precision, given)
    if ranks.is_first:
        write_run(out_folder, settings, precision)
    if config.compile:
        assembly.model.compile_parts()
    assert config.peak_learning_rate is not None  # it is derived
    parts = Parts(
        model=assembly.model,
        optimizer=new_optimizer(assembly.model, config.optimizer, config.adamw),
        objective=assembly.objective,
        rows=assembly.rows,
        learning_rate=schedule_of(config, config.peak_learning_rate),
        precision=precision,
        settings=settings,
        device=device,
        evaluate=assembly.score,
        bytes_per_token=assembly.bytes_per_token,
        score="heldout_loss",
        lineage=lineage_of(given.shards, settings["shards"]),
        ranks=ranks,
        seed=config.seed,
        utilisation=utilisation_of(assembly.trunk, precision, device, ranks, assembly.head_ratio),
        write_sample=sample_writer(config, assembly.trunk, seen),
    )
    return precision, assembly, parts


def refuse_too_large(
    config: PretrainConfig,
    shape: ModelConfig,
    precision: Precision,
    device: torch.device,
    ranks: Ranks,
) -> None:
    """Raise UsageError if training takes more memory than is free, before any of it is taken.

    Processes on a CPU share its memory, of which the first one sees how much is free: none begins
    to take any before it has told.
    """
    rows_at_once = min(config.micro_batch_rows, -(-config.batch_rows // ranks.count))
    needed = training_memory(shape, rows_at_once, config.optimizer, device.type, precision.name)
    free = free_memory(device)
    if device.type == "cpu" and free is not None:
        free = ranks.of_first(free, device) // ranks.count
    check_memory(needed, free, shape, rows_at_once)


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


def agreed(precision: Precision, ranks: Ranks, device: torch.device) -> Precision:
    """Return the precision that the first rank found: each has measured for itself."""
    name = NAMES_OF_NUMBERS[ranks.of_first(NAMES_OF_NUMBERS.index(precision.name), device)]
    return replace(precision, name=name)


def counted_settings(
    config: PretrainConfig,
    shape: ModelConfig,
    precision: Precision,
    given: Given,
) -> dict[str, Any]:
    """Return all that the weights depend on, nothing left to be derived, as plain values."""
    plain, counted = asdict(config), counted_names(PretrainConfig)
    foreign = foreign_names(config.objective)
    settings = {
        **{name: plain[name] for name in counted if name not in foreign},
        **given.settings(),
        "dtype": precision.name,
        "model": asdict(shape),
        "shape": shape.shape,
        "tokenizer_digest": given.shards.tokenizer_digest,
        "shards": shards_fingerprint(given.shards),
    }
    if config.source_weights and given.train_sources is not None:
        settings["train_sources"] = sources_fingerprint(given.train_sources)
    plain_settings: dict[str, Any] = json.loads(json.dumps(settings))  # as a checkpoint gives them
    return plain_settings


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


def torch_device(name: str) -> torch.device:
    """Return the device of a name; raises UsageError if this machine lacks it."""
    if name not in ("cpu", "cuda"):
        raise UsageError(f"device is {name}; give cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("device is cuda, but torch finds none here; give cpu")
    return torch.device(name)


def line_of(curve: Sequence[Mapping[str, Any]], checkpoint: Path) -> Mapping[str, Any]:
    """Return the curve's line of a checkpoint's step: all that was measured of its model."""
    step = step_of(checkpoint)
    return next(line for line in reversed(curve) if line["step"] == step)


def result(
    config: PretrainConfig,
    assembly: Assembly,
    trained: Trained,
    precision: Precision,
    folder: Path,
    seconds: float,
) -> PretrainResult:
    """Return the facts of a finished run, from what it wrote and what the loop measured."""
    curve = tuple(read_metrics(folder / METRICS))
    guard = GuardState(incidents=trained.incidents)
    tokens_read = assembly.tokens_read([guard.position(n) for n in range(config.num_steps)])
    best = trained.best
    chosen = best if best and config.choose_checkpoint == "best" else trained.checkpoint
    line = line_of(curve, chosen)
    return PretrainResult(
        checkpoint=chosen,
        best_step=step_of(best) if best else None,
        num_parameters=trained.num_parameters,
        num_tokens=int(tokens_read[-1]),
        tokens_by_step={line["step"]: int(tokens_read[line["step"]]) for line in curve},
        objective_facts=assembly.facts,
        precision=precision,
        loss=line["loss"],
        scores=line["scores"],
        sample=line.get("sample"),
        tokens_per_second=trained.tokens_per_second,
        waiting_ratio=trained.waiting_ratio,
        seconds=seconds,
        resumed_from_step=trained.resumed_from_step,
        damaged_checkpoints=trained.damaged_checkpoints,
        packing=assembly.packing,
        curve=curve,
        incidents=trained.incidents,
    )
