"""SentencePiece models that are there already: in place of one that is trained, or beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from data_contracts.errors import Damaged, InputError, RecipeError
from data_contracts.tokenizer import Tokenizer, load_processor
from store.identity import digest_bytes

if TYPE_CHECKING:
    from pipelines.tokenizer.train_tokenizer import TokenizerConfig


def with_model_digests(config: TokenizerConfig) -> TokenizerConfig:
    """Return the config with the digests of the models that it names, if it names any.

    Raises:
        RecipeError: if a file cannot be read, if ``model`` is no model with BOS and EOS, or one of
            ``compare`` no model.
    """
    digest = None
    if config.model is not None:
        digest = _checked_digest("model", config.model, Tokenizer)
    others = [_checked_digest("compare", path, load_processor) for path in config.compare]
    return dataclasses.replace(config, model_digest=digest, compare_digests=tuple(others))


def read_model(config: TokenizerConfig) -> bytes:
    """Return the bytes of the model that a config names.

    Raises:
        RecipeError: if the file cannot be read, or is not what it was when its digest was taken.
    """
    return _unchanged("model", str(config.model), config.model_digest)


def read_compared(config: TokenizerConfig) -> dict[str, bytes]:
    """Return the models to compare with, by the paths that name them.

    Raises:
        RecipeError: as `read_model` does.
    """
    pairs = zip(config.compare, config.compare_digests, strict=True)
    return {path: _unchanged("compare", path, digest) for path, digest in pairs}


def _checked_digest(name: str, path: str, check: Callable[[bytes], object]) -> str:
    data = _read(name, path)
    try:
        check(data)
    except (Damaged, InputError) as error:
        raise RecipeError(f"tokenizer.{name}: {path} cannot be used: {error}") from error
    return digest_bytes(data)


def _unchanged(name: str, path: str, digest: str | None) -> bytes:
    data = _read(name, path)
    if digest_bytes(data) != digest:
        raise RecipeError(f"tokenizer.{name}: {path} was changed meanwhile; run again.")
    return data


def _read(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise RecipeError(f"tokenizer.{name}: {path} cannot be read ({error}).") from error
