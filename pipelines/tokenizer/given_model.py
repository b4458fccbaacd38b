"""A SentencePiece model that is there already, in place of one that is trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts.errors import Damaged, InputError, RecipeError
from data_contracts.tokenizer import Tokenizer
from store.identity import digest_bytes

if TYPE_CHECKING:
    from pipelines.tokenizer.train_tokenizer import TokenizerConfig


def with_model_digest(config: TokenizerConfig) -> TokenizerConfig:
    """Return the config with the digest of the model that it names, if it names one.

    Raises:
        RecipeError: if the file cannot be read, or is no model with BOS and EOS.
    """
    if config.model is None:
        return config
    data = _read(config.model)
    try:
        Tokenizer(data)
    except (Damaged, InputError) as error:
        raise RecipeError(f"tokenizer.model: {config.model} cannot be used: {error}") from error
    return dataclasses.replace(config, model_digest=digest_bytes(data))


def read_model(config: TokenizerConfig) -> bytes:
    """Return the bytes of the model that a config names.

    Raises:
        RecipeError: if the file cannot be read, or is not what it was when its digest was taken.
    """
    data = _read(str(config.model))
    if digest_bytes(data) != config.model_digest:
        raise RecipeError(f"tokenizer.model: {config.model} was changed meanwhile; run again.")
    return data


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise RecipeError(f"tokenizer.model: {path} cannot be read ({error}).") from error
