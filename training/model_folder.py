"""A trained model at rest: its weights, and a description of what they are.

Stands between a finished training run and everything that uses its model. Equal weights and
settings give equal bytes::

    model.safetensors       weights, float32, under the model's own names
    heads.safetensors       of supervised pre-training only: its heads, one a label column
    model.json              settings: the model's shape, its objective, its tokenizer's digest, …
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from data_contracts.errors import Damaged, UsageError
from data_contracts.models import DESCRIPTION, HEADS, WEIGHTS
from training.checkpoint import MODEL, contiguous, read_checkpoint, read_tensors
from training.model import Transformer
from training.model_config import ModelConfig

_KINDS = {"int": (int,), "float": (float, int), "str": (str,), "bool": (bool,)}
_REMEDY = "train it again, or set the damaged partition aside with `millrace verify --repair`"


@dataclass(frozen=True)
class Description:
    """What weights are: the model's shape, what it was trained for, whose ids it reads.

    ``settings`` is all that was described, these three among it, as plain JSON values.
    """

    model: ModelConfig
    objective: str
    tokenizer_digest: str
    settings: Mapping[str, Any]


def write_model(checkpoint: Path, folder: Path) -> dict[str, Path]:
    """Write the model of a checkpoint's folder, after verifying it; return its files by name.

    Of a supervised one the trunk is the model, and the heads are a file of their own. Raises
    Damaged, NotFound or UsageError if the checkpoint cannot be read.
    """
    found = read_checkpoint(checkpoint)
    tensors = read_tensors(found.folder / MODEL)
    if found.settings.get("objective") != "supervised":
        return write_tensors(tensors, found.settings, folder)
    trunk, heads = split_heads(tensors, found.settings["label_columns"])
    save_file(contiguous(heads), folder / HEADS)
    return {**write_tensors(trunk, found.settings, folder), HEADS: folder / HEADS}


def split_heads(
    tensors: Mapping[str, Tensor], columns: Sequence[str]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return a supervised model's trunk under its own names, and its heads under their columns'."""
    trunk, heads = {}, {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        if part == "trunk":
            trunk[rest] = tensor
        else:
            number, _, kind = rest.partition(".")
            heads[f"{columns[int(number)]}.{kind}"] = tensor
    return trunk, heads


def write_tensors(
    tensors: Mapping[str, Tensor], settings: Mapping[str, Any], folder: Path
) -> dict[str, Path]:
    """Write a model's weights and description into a folder; return the two files by name.

    ``settings`` are plain JSON values; ``model`` (a `ModelConfig` as a mapping), ``objective`` and
    ``tokenizer_digest`` must be among them. The tensors are the model's, all and no others.

    Raises:
        ValueError: if the settings do not describe a model, or the tensors are of another.
    """
    body = json.dumps(settings, sort_keys=True, indent=1, allow_nan=False) + "\n"
    try:
        model = describe(json.loads(body)).model
    except (KeyError, TypeError, UsageError) as error:
        raise ValueError(f"the settings describe no model: {error!r}") from error
    if fault := mismatch(tensors, model):
        raise ValueError(f"the tensors are of another model than the settings: {fault}")
    files = {name: folder / name for name in (WEIGHTS, DESCRIPTION)}
    save_file(contiguous(tensors), files[WEIGHTS])
    files[DESCRIPTION].write_text(body)
    return files


def read_description(path: Path) -> Description:
    """Return what a model's description says; raises Damaged if it describes none."""
    try:
        return describe(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, UsageError) as error:
        raise Damaged(f"{path} describes no model ({error}); {_REMEDY}.") from error


def load_model(
    weights_path: Path, description_path: Path, tokenizer_digest: str | None = None
) -> Transformer:
    """Return a trained model, on the processor, in float32; no generator is drawn from.

    Raises:
        UsageError: if it was trained with another tokenizer than the one named.
        Damaged: if a file cannot be read, or the weights are not of the model described.
    """
    description = read_description(description_path)
    theirs = description.tokenizer_digest
    if tokenizer_digest not in (None, theirs):
        raise UsageError(
            f"the model {weights_path} was trained with tokenizer {theirs[:12]}, not "
            f"{str(tokenizer_digest)[:12]}; use its own tokenizer."
        )
    try:
        tensors = load_file(weights_path)
    except (OSError, SafetensorError) as error:
        raise Damaged(f"{weights_path} cannot be read ({error}); {_REMEDY}.") from error
    if fault := mismatch(tensors, description.model):
        raise Damaged(f"{weights_path} is not of the model described: {fault}; {_REMEDY}.")
    model = empty_model(description.model)
    model.load_state_dict(tensors)
    return model


def describe(settings: dict[str, Any]) -> Description:
    """Return settings as a description; raises KeyError, TypeError or UsageError for others."""
    shape = dict(settings["model"])
    for field in fields(ModelConfig):
        value = shape.get(field.name, field.default)
        if field.name in shape and type(value) not in _KINDS[str(field.type)]:
            raise TypeError(f"model.{field.name} is {value!r}, which is no {field.type}")
    objective, digest = settings["objective"], settings["tokenizer_digest"]
    if not isinstance(objective, str) or not isinstance(digest, str):
        raise TypeError("objective and tokenizer_digest must be texts")
    return Description(ModelConfig(**shape), objective, digest, settings)


def mismatch(tensors: Mapping[str, Tensor], config: ModelConfig) -> str | None:
    """Return in what tensors differ from a model's, or None."""
    if config.num_layers > len(tensors):  # before a model of so many is built
        return f"{len(tensors)} tensors are too few for {config.num_layers} layers"
    ours = {name: tuple(tensor.shape) for name, tensor in _meta(config).state_dict().items()}
    theirs = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            return f"{name} is {theirs.get(name)}, not {ours.get(name)}"
        if tensors[name].dtype != torch.float32:
            return f"{name} is {tensors[name].dtype}, not float32"
    return None


def empty_model(config: ModelConfig) -> Transformer:
    """Return a model whose weights are yet to be filled in, without drawing any."""
    model = _meta(config).to_empty(device="cpu")
    model.fill_tables()
    return model


def _meta(config: ModelConfig) -> Transformer:
    """Return a model that has shapes and no memory."""
    with torch.device("meta"):
        return Transformer(config)
