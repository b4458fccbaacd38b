"""What several commands need: an opened home, its run, the graph and plans of a recipe."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Sequence
from contextlib import AbstractContextManager, chdir, nullcontext
from dataclasses import dataclass

from data_contracts.errors import NotFound
from flows.graph import build_graph
from flows.recipe import Recipe, load_recipe, recipe_from_plain
from store.graph import Graph
from store.plan import NodePlan, plan_graph
from store.runs import Run, get_run
from store.storage import Storage


@dataclass(frozen=True)
class Context:
    """An opened home with a recipe's graph and what is there of it now."""

    storage: Storage
    recipe: Recipe
    run: Run | None
    graph: Graph
    plans: dict[str, NodePlan]


def of_run(options: Namespace) -> Context:
    """Return the context of the run named on the command line, or of the latest one."""
    storage = existing_home(options)
    run = get_run(storage, options.run)
    recipe = recipe_from_plain(run.recipe)
    with _begun_in(run):
        graph = build_graph(recipe, storage.url)
        return Context(storage, recipe, run, graph, plan_graph(storage, graph))


def _begun_in(run: Run) -> AbstractContextManager[None]:
    """Return the context in which a recipe's relative paths mean what they meant to its run."""
    return chdir(run.folder) if os.path.isdir(run.folder) else nullcontext()


def of_recipe(options: Namespace) -> Context:
    """Return the context of the recipe named on the command line, which may never have run."""
    recipe = load_recipe(options.recipe, options.set)
    storage, graph = Storage(options.home), build_graph(recipe, options.home)
    return Context(storage, recipe, None, graph, plan_graph(storage, graph))


def existing_home(options: Namespace) -> Storage:
    """Open a home that must have something in it."""
    storage = Storage(options.home)
    if next(storage.list("runs"), None) is None:
        raise NotFound(
            f"There is no run in {storage.url}; `millrace run quickstart` makes one, or name "
            f"another --home."
        )
    return storage


def as_table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> str:
    """Return rows as text in aligned columns; numbers to the right, with thousands' commas."""
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]
    numeric = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(header))]
    lines = []
    for line in cells:
        aligned = (
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(line, widths, numeric, strict=True)
        )
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.2f}" if isinstance(value, float) else str(value)
