"""``millrace whatif``: what other rules would decide, asked of the signals that a run measured."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from catalog.opened import OpenedRun
from catalog.what_if import KEPT, Move, what_if
from data_contracts.errors import UsageError
from flows.commands.context import as_table, existing_home
from flows.recipe import load_recipe, with_settings
from pipelines.apply_policy import policy_sql, signals_asked
from store.runs import get_run


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--run", metavar="NAME", help="name of a run (default: the latest)")
    parser.add_argument(
        "--recipe", metavar="RECIPE", help="take the rules of this recipe instead of the run's own"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a rule, as in policy.rules.length.too_short='num_words < 30'; repeatable",
    )


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Count what would be kept and dropped, and show documents that change sides.

    Raises:
        NotFound: if the run has no decisions yet, or did not measure a signal that is asked for.
        RecipeError: if a rule is none.
        UsageError: if something else than a rule is to be changed.
    """
    for setting in options.set:
        if not setting.strip().startswith("policy."):
            raise UsageError(
                f"--set {setting!r} is no rule, and `whatif` asks of rules alone: give "
                f"policy.rules.NAME=…; `millrace plan` tells what another setting would cost."
            )
    storage = existing_home(options)
    run = get_run(storage, options.run)
    if options.recipe is None:
        recipe = with_settings(run.recipe, options.set)
    else:
        recipe = load_recipe(options.recipe, options.set)
    rules = recipe.policy.all_rules()
    asked = {name for names in signals_asked(rules) for name in names}
    moves = what_if(OpenedRun(storage, run), policy_sql(rules), asked)
    value = {"run": run.name, "rules": dict(rules), "moves": [asdict(move) for move in moves]}
    return value, "\n".join(_lines(run.name, moves))


def _lines(run: str, moves: Sequence[Move]) -> list[str]:
    fates = sorted({fate for move in moves for fate in (move.before, move.now)} - {KEPT})
    rows = [(fate, *_counts(fate, moves)) for fate in (KEPT, *fates)]
    changed = [move for move in moves if move.before != move.now]
    lines = [f"run {run}: nothing is written", as_table(rows, ("fate", "now", "then", "change"))]
    for move in changed:
        lines += ["", f"{move.before} → {move.now}: {move.num_rows:,}"]
        for one in move.examples:
            start = json.dumps(one["text_start"], ensure_ascii=True)
            lines.append(f"  {one['doc_id'][:12]}  {one['values'] or KEPT}  {start}")
    return lines


def _counts(fate: str, moves: Sequence[Move]) -> tuple[int, int, int]:
    before = sum(move.num_rows for move in moves if move.before == fate)
    now = sum(move.num_rows for move in moves if move.now == fate)
    return before, now, now - before
