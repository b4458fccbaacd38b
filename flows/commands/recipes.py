"""``millrace recipes``: the recipes that come with Millrace."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from flows.commands.context import as_table
from flows.recipe import RECIPES, list_recipes


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments (none)."""


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """List the shipped recipes with their descriptions."""
    recipes = [{"name": name, "description": text} for name, text in list_recipes()]
    rows = [(recipe["name"], recipe["description"]) for recipe in recipes]
    return {"recipes": recipes, "folder": str(RECIPES)}, as_table(rows, ("recipe", "what it does"))
