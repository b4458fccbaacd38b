"""pretrain: token shards -> a model, its curve, and the facts of its training.

By its objective it reads more: the tokenizer (masked) or the documents' labels (supervised).

A step that takes long: it keeps its checkpoints in the partition's work folder, and a killed run
goes on from there to the very same weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import Damaged, InputError
from data_contracts.models import CURVE
from data_contracts.shards import ShardSet
from data_contracts.tokenizer import tokenizer_of
from store.step import Inputs, Output, Step
from training.config import PretrainConfig
from training.derive import derived
from training.processor import processor_name
from training.steps.pretrain_inputs import labels_for, pieces_for
from training.steps.token_shards import documents_of, open_parts, shard_folders

if TYPE_CHECKING:
    from training.pretrain import PretrainResult

VERSION = 10

METRICS = "metrics.jsonl"
SPLITS = ("train", "heldout")
REACHED_RATIO = 0.5  # of the context: so much of it the longest document fills at least


def pretrain_step(inputs: Inputs, config: PretrainConfig) -> Output:
    """Train on the train split, look at the held-out one; one row per logged step.

    Raises:
        InputError: if the shards do not fill one batch, or hold ids outside the vocabulary; if rows
            are one document each, and none fills half of one; if the tokenizer has no mask, or no
            train document has a label that is asked for.
        NotFinite: if training breaks more often than the guard may go back; with step and rows.
    """
    if inputs.scratch is None:
        raise ValueError("pretrain writes files and needs a folder to write them in")
    result = trained(inputs, config, inputs.scratch)
    rows = curve_rows(result.curve, result.tokens_by_step)
    files = write_files(result, rows, inputs.scratch)
    return Output(rows, facts=facts(result, config), files=files)


def trained(inputs: Inputs, config: PretrainConfig, scratch: Path) -> PretrainResult:
    """Train here, or in several processes, and tell how far it is."""
    parts, work = inputs.parts["tokens"], inputs.work or scratch / "work"
    train, heldout = (open_parts(parts, split, scratch / split) for split in SPLITS)
    config = derived(config, train.vocab_size)
    pieces = pieces_for(inputs, config) if config.objective == "masked" else None
    labels = labels_for(inputs, config) if config.objective == "supervised" else None
    if labels is None:
        check_size(train, config)
    if unreached := unreached_context(train, config):
        if labels is None and not config.init_from:
            raise InputError(unreached)
        inputs.tell(unreached)
    from training.ddp import pretrain_in_processes
    from training.job import Job, Places
    from training.metrics import Progress, progress_line
    from training.pretrain import pretrain
    from training.seen import Seen

    def tell(progress: Progress) -> None:
        inputs.tell(progress_line(progress), progress.step / progress.num_steps)

    mixed = sources_of(inputs, "train") if config.source_weights else None
    seen = Seen(tokenizer_model(inputs), sources_of(inputs, "heldout"), mixed)
    if config.num_processes == 1:
        judged_on = heldout if heldout.num_tokens else None
        return pretrain(config, train, work, tell, judged_on, pieces, labels, seen=seen)
    places = [
        Places(tuple(shard_folders(parts, split, scratch / split)), (split,)) for split in SPLITS
    ]
    judged = places[1] if heldout.num_tokens else None
    job = Job(config, places[0], judged, pieces, labels)
    return pretrain_in_processes(job, work, tell, seen)


def tokenizer_model(inputs: Inputs) -> bytes | None:
    """Return the tokenizer's model, by which samples are written."""
    return tokenizer_of(inputs.table("tokenizer")).model if inputs.parts["tokenizer"] else None


def sources_of(inputs: Inputs, split: str) -> list[str] | None:
    """Return the source of each document of a split, in its shards' order; None if unknown."""
    if not inputs.parts.get("curated"):
        return None
    packed = documents_of(inputs.parts["tokens"], split)
    curated = inputs.table("curated", ["doc_id", "source"])
    places = pc.index_in(packed["doc_id"], curated["doc_id"])
    if places.null_count:
        raise Damaged(
            f"the {split} token shards hold documents that the curated text does not; "
            "`millrace verify --repair` sets what is damaged aside, then run again."
        )
    return curated["source"].take(places).to_pylist()


def check_size(shards: ShardSet, config: PretrainConfig) -> None:
    """Raise InputError before torch is even loaded if the text does not fill one batch."""
    needed = config.batch_rows * config.context_tokens
    if config.packing == "concat" and shards.num_tokens <= needed:
        raise InputError(
            f"the train split has {shards.num_tokens:,} tokens, too few for one batch of "
            f"{config.batch_rows} rows of {config.context_tokens} tokens; add text, or lower "
            f"pretrain.batch_rows or pretrain.context_tokens."
        )


def unreached_context(shards: ShardSet, config: PretrainConfig) -> str | None:
    """Return what to do about rows of one document each of which none fills half; None: nothing.

    Where rows hold many documents, as in ``concat`` and ``best_fit``, they fill any context. With
    labels, rows are filled up to the longest of a batch only; and who begins with a trained model
    must take its context: there it costs little, or cannot be helped.
    """
    longest = max((int(np.diff(s.offsets).max(initial=0)) for s in shards.shards), default=0)
    labelled = config.objective == "supervised"
    alone = labelled or config.packing == "one_per_row"
    if not alone or longest >= REACHED_RATIO * config.context_tokens:
        return None
    return (
        f"the longest train document has {longest:,} tokens, and pretrain.context_tokens is "
        f"{config.context_tokens:,}: with one document a row, more than half of its places teach "
        f"nothing; lower context_tokens{'' if labelled else ', or give another packing'}"
    )


def curve_rows(curve: tuple[Mapping[str, Any], ...], tokens_by_step: Mapping[int, int]) -> pa.Table:
    """Return the logged steps without what is of the machine alone (times)."""
    rows = [
        {
            **{name: line[name] for name in CURVE.names if name in line},
            "num_tokens": tokens_by_step[line["step"]],
            "heldout_loss": line["scores"].get("heldout_loss"),
            "heldout_bits_per_byte": line["scores"].get("heldout_bits_per_byte"),
            "heldout_accuracy": line["scores"].get("heldout_accuracy"),
        }
        for line in curve
    ]
    return pa.Table.from_pylist(rows, CURVE)


def write_files(result: PretrainResult, rows: pa.Table, folder: Path) -> dict[str, Path]:
    """Write the model and its curve as JSON lines; return their paths by name."""
    from training.model_folder import write_model

    files = write_model(result.checkpoint, folder)
    lines = [json.dumps(row) + "\n" for row in rows.to_pylist()]
    (folder / METRICS).write_text("".join(lines))
    return {**files, METRICS: folder / METRICS}


def by_source(result: PretrainResult) -> dict[str, float]:
    """Return the held-out bits per byte of the model on each source."""
    from training.seen import BY_SOURCE

    scores = result.scores.items()
    return {n.removeprefix(BY_SOURCE): v for n, v in scores if n.startswith(BY_SOURCE)}


def facts(result: PretrainResult, config: PretrainConfig) -> dict[str, Any]:
    """Return what is known of the training besides its rows: sizes, speed, machine, choices."""
    import torch

    return {
        "num_parameters": result.num_parameters,
        "num_tokens": result.num_tokens,
        "num_steps": config.num_steps,
        **result.packing,
        "tokens_per_second": round(result.tokens_per_second, 1),
        "waiting_ratio": round(result.waiting_ratio, 5),
        "training_seconds": round(result.seconds, 2),
        "dtype": result.precision.name,
        "dtype_reason": result.precision.reason,
        "device": config.device,
        "num_threads": config.num_threads or torch.get_num_threads(),
        "processor": processor_name(),
        "torch": torch.__version__,
        "loss": result.loss,
        "heldout_loss": result.scores.get("heldout_loss"),
        "heldout_bits_per_byte": result.heldout_bits_per_byte,
        "heldout_accuracy": result.heldout_accuracy,
        "objective": config.objective,
        "shape": config.model_shape,
        **result.objective_facts,
        "resumed_from_step": result.resumed_from_step,
        "damaged_checkpoints": list(result.damaged_checkpoints),
        "best_step": result.best_step,
        "checkpoint": config.choose_checkpoint,
        "heldout_bits_per_byte_by_source": by_source(result),
        "sample": result.sample,
        "incidents": [asdict(incident) for incident in result.incidents],
    }


STEP = Step(
    name="pretrain",
    version=VERSION,
    kind="whole",
    run=pretrain_step,
    config=PretrainConfig,
    schema=CURVE,
    inputs={"tokens": "all", "tokenizer": "all", "curated": "all"},
    libraries=("torch",),
    accounts_for="tokens",
    emits="model",
    resumable=True,
)
