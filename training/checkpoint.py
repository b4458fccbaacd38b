"""Checkpoints: a folder written whole or not at all, and verified before it is believed.

::

    <folder>/step-00000200/model.safetensors       weights, float32, under the model's own names
                           optimizer.safetensors   state as `parameter:key`
                           state.json              step, settings, SHA-256 of the two files,
                                                   what the loop carries on (see `Checkpoint`),
                                                   and the SHA-256 of all that

``step`` is the number of steps done. No generator has a state worth keeping: each step seeds them
(`training.learning`). Nothing is pickled, so a checkpoint can be hostile.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from data_contracts.errors import Damaged, NotFound, UsageError
from training.model import Transformer
from training.model_config import ModelConfig
from training.optim import load_optimizer_tensors, optimizer_tensors

FORMAT = 3
MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"
_NAME = re.compile(r"step-(\d{8,})")
_PARTIAL = ".partial-"


@dataclass(frozen=True)
class Best:
    """The best score on held-out text up to a checkpoint, lower is better, and its step."""

    step: int
    score: float


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint: its folder, steps done, settings, and what had to be passed over.

    ``carried`` are plain values that the loop goes on with: what its guard knows, and with it the
    place in the data. ``damaged`` names newer checkpoints that could not be used, each with its
    reason. ``best`` tells which checkpoint of the run is the best so far, None where none has been
    evaluated.
    """

    folder: Path
    step: int
    settings: Mapping[str, Any]
    carried: Mapping[str, Any] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    best: Best | None = None


def save_checkpoint(
    root: Path,
    step: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    settings: Mapping[str, Any],
    keep_last: int,
    carried: Mapping[str, Any] | None = None,
    best: Best | None = None,
    lineage: Mapping[str, Any] | None = None,
    back_to_step: int | None = None,
) -> Path:
    """Write a checkpoint under ``root``, delete all but the last few and the best; return it.

    The newest up to ``back_to_step`` is kept too.

    Those of later steps go too: they are damaged, or the run has gone back from them. Whatever
    happens on the way, ``root`` holds the checkpoints of before or this one too. ``settings`` is
    what must be the same to go on from it, ``carried`` what is gone on with, both as plain JSON
    values. ``lineage`` tells a person what data it has learnt from.
    """
    root.mkdir(parents=True, exist_ok=True)
    remove_partials(root)
    partial = root / f"{_PARTIAL}{secrets.token_hex(4)}"
    partial.mkdir()
    state = {
        "format": FORMAT,
        "step": step,
        "settings": settings,
        "carried": carried or {},
        "best": asdict(best) if best else None,
        "lineage": lineage or {},
    }
    _write_files(partial, model, optimizer, state)
    final = checkpoint_folder(root, step)
    shutil.rmtree(final, ignore_errors=True)  # as those of later steps
    partial.rename(final)
    flush(root)
    remove_later(root, step)
    remove_old(root, keep_last, best, back_to_step)
    return final


def _write_files(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]
) -> None:
    """Write tensors, and the state with their digests; all of it is on the disk then."""
    save_file(contiguous(model.state_dict()), folder / MODEL)
    save_file(contiguous(optimizer_tensors(model, optimizer)), folder / OPTIMIZER)
    digests = {name: file_digest(folder / name) for name in (MODEL, OPTIMIZER)}
    (folder / STATE).write_bytes(sealed({**state, "digests": digests}))
    for name in (MODEL, OPTIMIZER, STATE, ""):
        flush(folder / name)


def remove_later(root: Path, step: int) -> None:
    """Delete the checkpoints of later steps than this."""
    for folder in checkpoint_folders(root):
        if step_of(folder) > step:
            shutil.rmtree(folder)


def remove_old(root: Path, keep_last: int, best: Best | None, back_to_step: int | None) -> None:
    """Delete all checkpoints but the last few, the best, and the newest up to ``back_to_step``."""
    steps = [step_of(folder) for folder in checkpoint_folders(root)]
    before = [step for step in steps if back_to_step is not None and step <= back_to_step]
    kept = {*steps[:keep_last], *before[:1], *([best.step] if best else [])}
    for step in steps:
        if step not in kept:
            shutil.rmtree(checkpoint_folder(root, step))


def newest_checkpoint(
    root: Path, needs_best: bool = False, up_to_step: int | None = None
) -> Checkpoint | None:
    """Return the newest checkpoint that is whole, or None where there is none at all.

    If the run ``needs_best``, one whose best checkpoint is lost is of no use either: only from
    before that one the best is found again. Raises Damaged if there are some and none is of use.
    """
    damaged: list[str] = []
    for folder in checkpoint_folders(root):
        if up_to_step is not None and step_of(folder) > up_to_step:
            continue
        try:
            found = read_checkpoint(folder)
            if needs_best:
                check_best(found)
        except Damaged as error:
            damaged.append(str(error))
        else:
            return replace(found, damaged=tuple(damaged))
    if damaged:
        raise Damaged(f"no checkpoint in {root} is whole; delete it to start again: {damaged[0]}")
    return None


def check_best(found: Checkpoint) -> None:
    """Raise Damaged if the best checkpoint that one tells of is damaged, or not there."""
    if found.best is None or found.best.step == found.step:
        return
    try:
        read_checkpoint(checkpoint_folder(found.folder.parent, found.best.step))
    except (Damaged, NotFound) as error:
        raise Damaged(f"checkpoint {found.folder} has lost the best before it: {error}") from error


def read_checkpoint(folder: Path) -> Checkpoint:
    """Return one checkpoint after checking its state and the digests of both files.

    Raises Damaged if a byte is not what was written or the folder is named after another step,
    NotFound, and UsageError for another format.
    """
    if not folder.is_dir():
        raise NotFound(f"there is no checkpoint {folder}; name a folder step-NNNNNNNN")
    try:
        state = read_state(folder / STATE)
        check_format(folder, state["format"])
        step, digests = int(state["step"]), dict(state["digests"])
        settings, carried = dict(state["settings"]), dict(state.get("carried", {}))
        best = Best(**state["best"]) if state["best"] else None
        wrong = [name for name in (MODEL, OPTIMIZER) if file_digest(folder / name) != digests[name]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(f"checkpoint {folder} cannot be read ({error!r}); delete it") from error
    if wrong:
        raise Damaged(f"{wrong[0]} of checkpoint {folder} is not what was written; delete it")
    if folder != checkpoint_folder(folder.parent, step):
        raise Damaged(f"checkpoint {folder} is of step {step}; delete it")
    return Checkpoint(folder, step, settings, carried, best=best)


def sealed(state: Mapping[str, Any]) -> bytes:
    """Return the one way to write a state: with the digest of what it says otherwise."""
    plain = json.loads(json.dumps(state))
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    return json.dumps({**plain, "digest": digest}, indent=1, sort_keys=True).encode()


def read_state(path: Path) -> dict[str, Any]:
    """Return what `sealed` wrote; raises ValueError if any byte of it has changed.

    The states of the formats before had no digest, and are returned as they are.
    """
    written = path.read_bytes()
    state = dict(json.loads(written))
    digest = state.pop("digest", None)
    unsealed = digest is None and state["format"] in (1, 2)
    if not unsealed and sealed(state) != written:
        raise ValueError(f"{path.name} is not what was written")
    return state


def check_format(folder: Path, version: int) -> None:
    """Raise UsageError if a checkpoint was written in another format than this code's."""
    if version != FORMAT:
        raise UsageError(
            f"checkpoint {folder} has format {version}, this code reads {FORMAT}; delete the "
            "folder of its run to train again, or go on with the code that wrote it"
        )


def load_weights(checkpoint: Checkpoint, model: nn.Module) -> None:
    """Put a checkpoint's weights into a model; raises UsageError if it has another shape."""
    tensors = read_tensors(checkpoint.folder / MODEL)
    ours = {name: tensor.shape for name, tensor in model.state_dict().items()}
    theirs = {name: tensor.shape for name, tensor in tensors.items()}
    if ours != theirs:
        name = next(name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name))
        raise UsageError(
            f"checkpoint {checkpoint.folder} is of another model: {name} is {theirs.get(name)} "
            f"there and {ours.get(name)} here; use the settings it was trained with"
        )
    model.load_state_dict(tensors)


def load_trained(folder: Path, tokenizer_digest: str | None = None) -> Transformer:
    """Return the trained model of a checkpoint's folder, verified, on the processor.

    Raises UsageError if it was trained with another tokenizer than the one named.
    """
    found = read_checkpoint(folder)
    theirs = str(found.settings["tokenizer_digest"])
    if tokenizer_digest not in (None, theirs):
        raise UsageError(
            f"checkpoint {folder} was trained with tokenizer {theirs[:12]}, not "
            f"{str(tokenizer_digest)[:12]}; use its own tokenizer"
        )
    model = Transformer(ModelConfig(**found.settings["model"]))
    load_weights(found, model)
    return model


def resume(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put weights and optimiser back as they were when the checkpoint was saved."""
    load_weights(checkpoint, model)
    load_optimizer_tensors(model, optimizer, read_tensors(checkpoint.folder / OPTIMIZER))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file; raises Damaged if it is not one of safetensors."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise Damaged(f"{path} cannot be read ({error}); delete its checkpoint") from error


def checkpoint_folders(root: Path) -> list[Path]:
    """Return the folders of checkpoints under a folder, the newest first, whole or not."""
    return sorted(_numbered(root), key=step_of, reverse=True)


def checkpoint_folder(root: Path, step: int) -> Path:
    """Return where the checkpoint of a step lies under a folder."""
    return root / f"step-{step:08d}"


def step_of(folder: Path) -> int:
    """Return the steps done that a checkpoint's folder is named after."""
    return int(folder.name.removeprefix("step-"))


def _numbered(root: Path) -> Iterator[Path]:
    if root.is_dir():
        found = (path for path in root.iterdir() if _NAME.fullmatch(path.name))
        yield from (
            path for path in found if any(path.iterdir())
        )  # empty: its files were collected


def remove_partials(root: Path) -> None:
    """Delete what a killed `save_checkpoint` left."""
    for path in root.glob(f"{_PARTIAL}*"):
        shutil.rmtree(path)


def contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors as safetensors wants them: each with its own, gapless memory."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
