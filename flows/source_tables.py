"""The sources of a recipe: its one ``[ingest]`` table, or any number of ``[sources.NAME]``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from data_contracts.errors import RecipeError
from pipelines.dedupe.choose_kept import PRIORITY, ChoiceConfig, preferred
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.ingest import STEP as INGEST
from pipelines.ingest.sources import STEP as INGEST_SOURCES
from pipelines.ingest.sources import SourcesConfig
from store.graph import Node

if TYPE_CHECKING:
    from flows.recipe import Recipe


def ingesting(recipe: Recipe) -> Node:
    """Return the step that reads the sources of a recipe."""
    if recipe.sources:
        return Node(INGEST_SOURCES, SourcesConfig(recipe.sources))
    return Node(INGEST, recipe.ingest)


def with_priorities(recipe: Recipe) -> ChoiceConfig:
    """Return the choice among duplicates with what it has to know of the sources."""
    if PRIORITY not in preferred(recipe.dedupe.prefer):
        return recipe.dedupe
    priorities = tuple((name, source.priority) for name, source in recipe.sources)
    return replace(recipe.dedupe, priorities=priorities)


def check_sources(recipe: Recipe) -> None:
    """Raise RecipeError if the sources cannot be read together, or their names are wrong."""
    SourcesConfig(recipe.sources)
    if recipe.sources and recipe.ingest != IngestConfig():
        raise RecipeError(
            "The recipe has both [ingest] and [sources]; give [ingest] a name among the others, as "
            "in [sources.mine], and take it out."
        )
    if PRIORITY in preferred(recipe.dedupe.prefer) and not recipe.sources:
        raise RecipeError(
            "dedupe.prefer holds 'priority', which sources have by [sources.NAME] alone; take it "
            "out, or give the recipe [sources]."
        )


def as_tables(plain: dict[str, Any]) -> None:
    """Turn pairs, as a record of a recipe holds tables of free names, into tables again."""
    for section, key in (("policy", "rules"), ("ingest", "labels")):
        _as_table(plain.get(section), key)
    _as_table(plain, "sources")
    _as_table(plain, "variants")
    for source in plain.get("sources", {}).values():
        _as_table(source, "labels")


def _as_table(plain: dict[str, Any] | None, key: str) -> None:
    if plain and isinstance(plain.get(key), list | tuple):
        plain[key] = dict(plain[key])
