"""The page: facts in, one HTML text out, readable without network and without scripts.

Everything that was not written here (texts, names, reasons, recipes) is escaped, and characters
that are not seen are spelt out. The page forbids itself to load or to run anything.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from catalog.opened import OpenedRun
from catalog.report import words
from catalog.report.contents import contents, missing
from catalog.report.facts import ReportFacts, report_facts
from catalog.report.section_contracts import contracts_view, headline
from catalog.report.section_conversations import conversations_view
from catalog.report.section_data import data_view, tokenizer_view
from catalog.report.section_duplicates import duplicates_view
from catalog.report.section_judged import comparison_view, task_view
from catalog.report.section_made import made_view
from catalog.report.section_trained import pretraining_view, samples_view
from catalog.report.tiles import tiles

TEMPLATE, STYLE = "report.html.j2", "report.css"


def write_report(opened: OpenedRun) -> str:
    """Return the report of a run as one HTML page.

    Raises:
        Damaged: if a record or a partition is not what was written.
    """
    return write_page(report_facts(opened))


def write_page(facts: ReportFacts) -> str:
    """Return the page that tells some facts; the same facts give the same page."""
    return _template().render(
        style=Markup(style()),  # noqa: S704 (a file of ours)
        facts=facts,
        run=facts.run,
        headline=headline(facts),
        tiles=tiles(facts),
        contents=contents(facts),
        missing=missing(facts),
        task=task_view(facts.task),
        comparison=comparison_view(facts),
        pretraining=pretraining_view(facts.pretraining),
        samples=samples_view(facts.pretraining),
        conversations=conversations_view(facts.conversations),
        tokenizer=tokenizer_view(facts.tokenizer),
        contracts=contracts_view(facts.contracts),
        data=data_view(facts),
        duplicates=duplicates_view(facts.duplicates),
        made=made_view(facts),
    )


def environment() -> Environment:
    """Return what templates of pages are read with: everything escaped, unseen things spelt out."""
    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    names = ("count", "digits", "duration", "moment", "plural", "score", "share", "short", "size")
    made.filters |= {name: getattr(words, name) for name in names} | {"ticked": ticked}
    return made


def ticked(text: str) -> Markup:
    """Return a text as markup, escaped, with what stands between backticks as code."""
    pieces = words.visible(text).split("`")
    whole = len(pieces) - (len(pieces) % 2 == 0)  # the last backtick of an odd number opens nothing
    parts = [
        Markup("<code>{}</code>").format(piece) if number % 2 else escape(piece)
        for number, piece in enumerate(pieces[:whole])
    ]
    return Markup("").join([*parts, *(escape(f"`{piece}") for piece in pieces[whole:])])


def style() -> str:
    """Return the style sheet that the pages of a home share."""
    return _text(STYLE)


@cache
def _template() -> Any:
    return environment().from_string(_text(TEMPLATE))


def _shown(value: object) -> object:
    """Spell out unseen characters of every text that is printed; markup is our own."""
    return (
        words.visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
    )


def _text(name: str) -> str:
    return files("catalog.report").joinpath(name).read_text(encoding="utf-8")
