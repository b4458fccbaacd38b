"""pretrain: token shards -> a decoder, its curve, and the facts of its training.

A step that takes long: it keeps its checkpoints in the partition's work folder, and a killed run
goes on from there to the very same weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from data_contracts.errors import InputError
from data_contracts.models import CURVE, DESCRIPTION, WEIGHTS
from data_contracts.shards import ShardSet
from store.step import Inputs, Output, Step
from training.config import PretrainConfig
from training.processor import processor_name
from training.steps.token_shards import open_parts

if TYPE_CHECKING:
    from training.pretrain import PretrainResult

VERSION = 1

METRICS = "metrics.jsonl"


def pretrain_step(inputs: Inputs, config: PretrainConfig) -> Output:
    """Train on the train split, look at the held-out one; one row per logged step.

    Raises:
        InputError: if the shards do not fill one batch, or hold ids outside the vocabulary.
        NotFinite: if the loss breaks, with the step and its rows.
    """
    from training.metrics import progress_line
    from training.pretrain import pretrain

    if inputs.scratch is None:
        raise ValueError("pretrain writes files and needs a folder to write them in")
    parts = inputs.parts["tokens"]
    train = open_parts(parts, "train", inputs.scratch / "train")
    heldout = open_parts(parts, "heldout", inputs.scratch / "heldout")
    check_size(train, config)
    work = inputs.work or inputs.scratch / "work"
    result = pretrain(
        config,
        train,
        work,
        lambda progress: inputs.tell(progress_line(progress)),
        heldout if heldout.num_tokens else None,
    )
    rows = curve_rows(result.curve, config.batch_rows * config.context_tokens)
    files = write_files(result, rows, inputs.scratch)
    return Output(rows, facts=facts(result, config), files=files)


def check_size(shards: ShardSet, config: PretrainConfig) -> None:
    """Raise InputError before torch is even loaded if the text does not fill one batch."""
    needed = config.batch_rows * config.context_tokens
    if shards.num_tokens <= needed:
        raise InputError(
            f"the train split has {shards.num_tokens:,} tokens, too few for one batch of "
            f"{config.batch_rows} rows of {config.context_tokens} tokens; add text, or lower "
            f"pretrain.batch_rows or pretrain.context_tokens."
        )


def curve_rows(curve: tuple[Mapping[str, Any], ...], tokens_per_step: int) -> pa.Table:
    """Return the logged steps without what is of the machine alone (times)."""
    rows = [
        {
            **{name: line[name] for name in CURVE.names if name in line},
            "num_tokens": line["step"] * tokens_per_step,
            "heldout_loss": line["scores"].get("heldout_loss"),
            "heldout_bits_per_byte": line["scores"].get("heldout_bits_per_byte"),
        }
        for line in curve
    ]
    return pa.Table.from_pylist(rows, CURVE)


def write_files(result: PretrainResult, rows: pa.Table, folder: Path) -> dict[str, Path]:
    """Write the model and its curve as JSON lines; return their paths by name."""
    from training.model_folder import write_model

    write_model(result.checkpoint, folder)
    lines = [json.dumps(row) + "\n" for row in rows.to_pylist()]
    (folder / METRICS).write_text("".join(lines))
    return {name: folder / name for name in (WEIGHTS, DESCRIPTION, METRICS)}


def facts(result: PretrainResult, config: PretrainConfig) -> dict[str, Any]:
    """Return what is known of the training besides its rows: sizes, speed, machine, choices."""
    import torch

    return {
        "num_parameters": result.num_parameters,
        "num_tokens": result.num_tokens,
        "num_steps": config.num_steps,
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
        "heldout_bits_per_byte": result.heldout_bits_per_byte,
        "resumed_from_step": result.resumed_from_step,
        "damaged_checkpoints": list(result.damaged_checkpoints),
    }


STEP = Step(
    name="pretrain",
    version=VERSION,
    kind="whole",
    run=pretrain_step,
    config=PretrainConfig,
    schema=CURVE,
    inputs={"tokens": "all"},
    libraries=("torch",),
    accounts_for="tokens",
    emits="model",
    resumable=True,
)
