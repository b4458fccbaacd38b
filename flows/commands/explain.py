"""``millrace explain``: why a step's partitions are fresh or not."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import Any

from catalog.explain import explain, few, why
from flows.commands.context import of_run


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("step", metavar="STEP", help="name of a step")
    parser.add_argument("--run", metavar="NAME", help="name of a run (default: the latest)")


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Compare what the step would be made from now with its nearest earlier output."""
    context = of_run(options)
    plan = context.plans[context.graph[options.step].name]
    differences = explain(context.storage, plan)
    value = {
        "step": plan.node.name,
        "why": why(context.storage, plan),
        "partitions": len(plan.parts),
        "fresh": len(plan.reused()),
        "differences": [asdict(difference) for difference in differences],
    }
    lines = [f"  {few(one.parts, 'partition')}: {one.sentence}" for one in differences]
    return value, "\n".join([f"{plan.node.name}: {value['why']}", *lines])
