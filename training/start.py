"""A trained model that another training begins with: its weights in place of drawn ones.

A folder holds ``model.safetensors`` and ``model.json``, as a run's ``model/`` does. What it holds
counts in the identity of what is made of it, where it lies does not. Imports torch where it is used
only, so that planning is fast.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts.errors import UsageError
from data_contracts.models import DESCRIPTION, WEIGHTS
from training.config import PretrainConfig

if TYPE_CHECKING:
    from training.model import Transformer


def with_start(config: PretrainConfig) -> PretrainConfig:
    """Return the config with the digest of the model that it begins with, if it lacks that.

    Raises:
        UsageError: if there is none at ``init_from``.
    """
    if not config.init_from or config.init_digest:
        return config
    return replace(config, init_digest=model_digest(Path(config.init_from)))


def model_digest(folder: Path) -> str:
    """Return the digest of a model's description and weights.

    Raises:
        UsageError: if a file of them cannot be read.
    """
    digest = hashlib.blake2b(digest_size=20)
    for name in (DESCRIPTION, WEIGHTS):
        try:
            with (folder / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "blake2b").digest())
        except OSError as error:
            raise UsageError(
                f"init_from is {str(folder)!r}, where {name} cannot be read ({error.strerror}); "
                f"give the folder of a model, such as a run's model/"
            ) from error
    return digest.hexdigest()


def begin_with(model: Transformer, config: PretrainConfig, tokenizer_digest: str) -> None:
    """Give a model the weights that the config names; nothing, if it names none.

    Raises:
        UsageError: if there is no model, if it changed since its digest was taken, or if it is of
            another shape, or reads the ids of another tokenizer.
        Damaged: if it cannot be read.
    """
    if not config.init_from:
        return
    from training.model_folder import load_model

    folder = Path(config.init_from)
    if model_digest(folder) != config.init_digest:
        raise UsageError(f"init_from: the model in {folder} was changed meanwhile; run again")
    found = load_model(folder / WEIGHTS, folder / DESCRIPTION, tokenizer_digest)
    ours, theirs = asdict(model.config), asdict(found.config)
    other = [f"{n} {theirs[n]}, not {ours[n]}" for n in ours if ours[n] != theirs[n]]
    if other:
        raise UsageError(
            f"init_from: the model in {folder} is of another shape: {', '.join(other)}; give the "
            f"depth, context_tokens and shape that it was trained with"
        )
    model.load_state_dict(found.state_dict())
