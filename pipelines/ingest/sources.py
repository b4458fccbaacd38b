"""The step ``ingest`` of a recipe with several sources: the partitions of all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from data_contracts.errors import InputError, RecipeError
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.ingest import STEP as STEP_OF_ONE
from pipelines.ingest.ingest import VERSION, ingest, list_parts
from store.identity import counted_fields
from store.step import Inputs, Output, SourcePart, uncounted

__all__ = ["STEP", "VERSION", "SourcesConfig", "source_of_part"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class SourcesConfig:
    """The sources of a recipe by name, which is theirs in ids and rows.

    What changes the rows of a source counts in its own partitions alone, so that a change in one
    source reads no other again.

    Raises:
        RecipeError: for a name that cannot be, or a source that is called by another one inside.
    """

    sources: tuple[tuple[str, IngestConfig], ...] = uncounted(())

    def __post_init__(self) -> None:
        named = tuple((name, _named(name, config)) for name, config in self.sources)
        object.__setattr__(self, "sources", named)


def _named(name: str, config: IngestConfig) -> IngestConfig:
    if not _NAME.fullmatch(name):
        raise RecipeError(
            f"sources.{name}: a source cannot be called so; use letters, digits, '-' and '_'."
        )
    if config.source not in (config.kind, name):
        raise RecipeError(
            f"sources.{name}.source is {config.source!r}; take it out, the source is called "
            f"{name} by its table."
        )
    return replace(config, source=name)


def source_of_part(key: str) -> str:
    """Return the name of the source of a partition, by the partition's key."""
    return key.partition("/")[0]


def list_sources(config: SourcesConfig) -> list[SourcePart]:
    """List the partitions of all sources, each named ``SOURCE/…`` and with its source's settings.

    Raises:
        RecipeError, InputError: as listing one source does, naming it.
    """
    parts = []
    for name, source in config.sources:
        with _naming(name):
            for part in list_parts(source):
                settings = {**counted_fields(source), **part.settings}
                parts.append(SourcePart(f"{name}/{part.key}", part.files, settings))
    return sorted(parts, key=lambda part: part.key)


def ingest_sources(inputs: Inputs, config: SourcesConfig) -> Output:
    """Read one partition of one of the sources, as `pipelines.ingest.ingest.ingest` does."""
    part = inputs.source
    assert part is not None
    name = source_of_part(part.key)
    inside = replace(part, key=part.key.removeprefix(f"{name}/"))
    with _naming(name):
        return ingest(replace(inputs, source=inside), dict(config.sources)[name])


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Let errors name the keys of a source as they stand in its recipe."""
    try:
        yield
    except (RecipeError, InputError) as error:
        said = str(error).replace(IngestConfig.SECTION, f"sources.{name}.")
        raise type(error)(said) from error


STEP = replace(STEP_OF_ONE, config=SourcesConfig, run=ingest_sources, list_parts=list_sources)
