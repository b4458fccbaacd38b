"""``millrace signals``: what can be asked of a document, and where each measure is from."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from data_contracts.errors import NotFound
from flows.commands.context import as_table
from pipelines.signals.registry import FAMILIES, signal_names
from store.hints import nearest


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="signals or families to show (default: all)"
    )


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """List signals with family, unit and meaning; those of a family not measured always are marked.

    Raises:
        NotFound: if a name is neither a signal nor a family; the nearest one is given.
    """
    families = [family.name for family in FAMILIES]
    for name in options.names:
        if name not in (*families, *signal_names()):
            known = [*families, *signal_names()]
            raise NotFound(f"There is no signal or family {name!r}; {nearest(name, known)}")
    signals = [
        {
            "name": field.name,
            "family": family.name,
            "measured": "always" if family.always else "where a rule asks",
            "type": str(field.type),
            "unit": (field.metadata.get(b"unit") or b"").decode(),
            "description": field.metadata[b"description"].decode(),
        }
        for family in FAMILIES
        for field in family.fields
        if not options.names or field.name in options.names or family.name in options.names
    ]
    rows = [(s["name"], s["family"], s["measured"], s["unit"], s["description"]) for s in signals]
    header = ("signal", "family", "measured", "unit", "meaning")
    return {"signals": signals}, as_table(rows, header)
