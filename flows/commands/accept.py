"""``millrace accept``: make a run the baseline that later ones are compared with."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import Any

from catalog.contracts.check import read_result
from catalog.contracts.page import write_checks_page
from flows.contracts import PAGE
from flows.person import person
from store.accepted import accept
from store.runs import Run, get_run
from store.storage import Storage


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("run", metavar="RUN", nargs="?", help="name of the run (default: the last)")
    parser.add_argument("--comment", default="", metavar="TEXT", help="why, for those who read it")


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Accept the run; the value is the acceptance and the rules that are broken nevertheless."""
    storage = Storage(options.home)
    storage.check_writable()
    run = get_run(storage, options.run)
    broken = _broken(storage, run)
    acceptance = accept(storage, run, person(), options.comment)
    storage.replace(PAGE, write_checks_page(storage).encode())
    lines = [f"Run {run.name} is the baseline of {run.recipe_name} now, as far as it came."]
    lines += [f"  broken all the same: {sentence}" for sentence in broken]
    return {**asdict(acceptance), "broken": broken}, "\n".join(lines)


def _broken(storage: Storage, run: Run) -> list[str]:
    """Return a sentence for each rule that is broken in a run."""
    found = [read_result(storage, name) for name in run.checks.values()]
    return [
        f"{result.name}: {rule.sentence()}"
        for result in found
        if result is not None
        for rule in result.broken()
    ]
