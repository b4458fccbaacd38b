"""A run's report, and its model's card: written beside the run's record, from what that holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from catalog.opened import OpenedRun
from catalog.report import report_facts, write_page
from catalog.report.facts import ReportFacts
from catalog.report.model_card import read_sources, write_card
from catalog.report.section_contracts import headline
from catalog.report.tiles import tiles
from data_contracts.errors import RecipeError
from flows.recipe import recipe_from_plain
from store.runs import Run
from store.storage import Storage

PAGE = "report.html"
CARD = "MODEL_CARD.md"


@dataclass(frozen=True)
class Report:
    """A page that was written: its path or URL, and what it says in a few lines of Markdown."""

    place: str
    facts: ReportFacts

    @property
    def headline(self) -> str:
        """The sentence that the page begins with."""
        return headline(self.facts)

    @property
    def summary(self) -> str:
        """Headline, key figures, and where the page lies."""
        rows = [
            f"| {tile.figure} | {_flat(tile.name)} | {_flat(tile.note)} |"
            for tile in tiles(self.facts)
        ]
        local = Path(self.place)
        link = local.as_uri() if local.is_absolute() else self.place
        table = "\n".join(["| | | |", "| --: | :-- | :-- |", *rows])
        return f"{_flat(self.headline)}\n\n{table}\n\n[The report]({link}): `{self.place}`"


def report_name(run: str) -> str:
    """Return the name, within the home, of a run's page."""
    return f"runs/{run}/{PAGE}"


def make_report(storage: Storage, run: Run) -> Report:
    """Write the page of a run, over one that is there, and the card of its model if it has one.

    Raises:
        Damaged: if something that the page tells of cannot be read.
    """
    opened = OpenedRun(storage, run)
    facts = replace(report_facts(opened), rules=_rules(run))
    storage.replace(report_name(run.name), write_page(facts).encode())
    if facts.pretraining is not None or facts.comparison is not None:
        card = write_card(facts, read_sources(opened))
        storage.replace(f"runs/{run.name}/{CARD}", card.encode())
    return Report(storage.place(report_name(run.name)), facts)


def _rules(run: Run) -> dict[str, str]:
    """Return the conditions of a run's rules by reason, those of the dialects it uses too."""
    try:
        return dict(recipe_from_plain(run.recipe).policy.all_rules())
    except RecipeError:  # of a run from before a key or a dialect changed its name
        return {}


def _flat(text: str) -> str:
    """Return a text without what means something in Markdown."""
    return "".join(" " if character in "|<>[]`*\n" else character for character in text)
