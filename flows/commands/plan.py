"""``millrace plan``: what would run, and why, and what it would cost."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from typing import Any

from catalog.explain import why
from flows.commands.context import Context, as_table, of_recipe
from store.code_check import needs_check
from store.estimate import estimate_graph
from store.hints import human_bytes


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("recipe", metavar="RECIPE", help="name of a recipe, or a .toml file")
    parser.add_argument(
        "--set", action="append", default=[], metavar="A.B=C", help="set a field of the recipe"
    )


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Plan the recipe; nothing is computed or written."""
    context = of_recipe(options)
    steps = _steps(context)
    value = {
        "recipe": context.recipe.name,
        "home": context.storage.url,
        "steps": steps,
        "estimated_seconds": round(sum(step["estimated_seconds"] for step in steps), 1),
        "estimated_bytes": sum(step["estimated_bytes"] for step in steps),
        "free_bytes": context.storage.free_bytes(),
    }
    return value, _text(value)


def _steps(context: Context) -> list[dict[str, Any]]:
    workers = context.recipe.run.workers or os.cpu_count() or 1
    costs = estimate_graph(context.storage, context.plans, workers)
    steps = []
    for name, plan in context.plans.items():
        reused = len(plan.reused())
        pending = sum(part.task is None for part in plan.parts)
        steps.append(
            {
                "step": name,
                "partitions": len(plan.parts),
                "reused": reused,
                "new": len(plan.parts) - reused - pending,
                "pending": pending,
                "pending_on": plan.pending_on,
                "checked": needs_check(context.storage, plan),
                "why": why(context.storage, plan),
                "estimated_seconds": round(costs[name].seconds, 1),
                "estimated_bytes": costs[name].size_bytes,
            }
        )
    return steps


def _text(value: dict[str, Any]) -> str:
    rows = [
        (s["step"], s["reused"], s["new"], s["pending"], s["estimated_seconds"], s["why"])
        for s in value["steps"]
    ]
    header = ("step", "reused", "new", "depends", "seconds", "why")
    table = as_table(rows, header)
    if not any(step["new"] + step["pending"] for step in value["steps"]):
        checked = [step["step"] for step in value["steps"] if step["checked"]]
        compared = f"One partition of {', '.join(checked)} would be computed again and compared."
        return f"{table}\n\n{compared if checked else 'Nothing would have to run.'}"
    free = value["free_bytes"]
    room = f", of {human_bytes(free)} free" if free is not None else ""
    return (
        f"{table}\n\nEstimated: {value['estimated_seconds']:.0f} s and "
        f"{human_bytes(value['estimated_bytes'])}{room} in {value['home']}.\n"
        "'depends' are partitions that run only if what they read comes out different."
    )
