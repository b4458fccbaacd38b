"""Standard input as a source: kept in the home by its content, so that it has an identity."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

from blake3 import blake3

from data_contracts.errors import RecipeError, UsageError
from flows.recipe import Recipe, load_recipe
from store.storage import Storage

FOLDER = "inputs"
PATH = "-"
_BLOCK_BYTES = 1 << 20


def read_standard_input(recipe_name: str, settings: list[str], home: str) -> list[str]:
    """Return the settings of a run in which no source is standard input any more.

    Where a source's ``path`` is ``-``, what comes in is copied to a folder of the home that is
    named by its content, and that file is the source. Equal input is the same file.

    Raises:
        RecipeError: if two sources are standard input, or the one has no ``format``.
        UsageError: if the home is a bucket.
    """
    if PATH not in _paths(recipe := load_recipe(recipe_name, settings)).values():
        return settings
    (prefix, *others) = [name for name, path in _paths(recipe).items() if path == PATH]
    if others:
        raise RecipeError(f"{prefix}path and {others[0]}path are both '-'; one source can be.")
    if not _format(recipe, prefix):
        raise RecipeError(f"{prefix}path is '-'; say what comes in, such as {prefix}format=jsonl.")
    folder = Storage(home).local_path(FOLDER)
    if folder is None:
        raise UsageError(
            f"The home {home} is a bucket, where standard input cannot be kept; write it to a file "
            f"and give that as {prefix}path."
        )
    kept = _keep(sys.stdin.buffer, folder)
    return [*settings, f"{prefix}path={kept}"]


def _paths(recipe: Recipe) -> dict[str, str]:
    """Return the path of each source that reads files, by what stands before its keys."""
    named = {f"sources.{name}.": source for name, source in recipe.sources}
    sources = named or {"ingest.": recipe.ingest}
    return {prefix: s.path for prefix, s in sources.items() if s.kind == "files"}


def _format(recipe: Recipe, prefix: str) -> str:
    if prefix == "ingest.":
        return recipe.ingest.format
    return dict(recipe.sources)[prefix.split(".")[1]].format


def _keep(stream: BinaryIO, folder: Path) -> Path:
    """Copy a stream to ``<folder>/<digest>/stdin`` and return that path."""
    folder.mkdir(parents=True, exist_ok=True)
    digest = blake3()
    with NamedTemporaryFile(dir=folder, delete=False) as file:
        try:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
                file.write(block)
            kept = folder / digest.hexdigest(20) / "stdin"
            kept.parent.mkdir(exist_ok=True)
            os.replace(file.name, kept)
        except BaseException:
            os.unlink(file.name)
            raise
    return kept.absolute()
