"""A rule's tally: how much was checked, how much is broken, and up to ten of the broken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from data_contracts.results import MAX_SAMPLES

_SHOWN_CHARS = 120


@dataclass(frozen=True)
class Tally:
    """What was found of one rule in one partition, or in all. ``problem``: it could not be asked.

    ``kept`` is False where the rule is broken though no row can be counted (a mean, a schema).
    """

    num_checked: int = 0
    num_broken: int = 0
    kept: bool = True
    samples: tuple[str, ...] = ()
    observed: str | None = None
    problem: str | None = None

    def plain(self) -> dict[str, Any]:
        """Return plain values, from which `tally_from_plain` makes the tally again."""
        return asdict(self)


def tally_from_plain(value: dict[str, Any]) -> Tally:
    """Make a tally out of its plain values."""
    return Tally(**{**value, "samples": tuple(value["samples"])})


def total(tallies: Iterable[Tally]) -> Tally:
    """Add up the tallies of partitions, in order."""
    found = list(tallies)
    return Tally(
        num_checked=sum(tally.num_checked for tally in found),
        num_broken=sum(tally.num_broken for tally in found),
        kept=all(tally.kept for tally in found),
        samples=tuple(sample for tally in found for sample in tally.samples)[:MAX_SAMPLES],
        observed=next((tally.observed for tally in found if tally.observed is not None), None),
        problem=next((tally.problem for tally in found if tally.problem is not None), None),
    )


def shown(value: Any) -> str:
    """Return a value as a message shows it: short, on one line, unseen characters spelt out."""
    text = repr(value) if isinstance(value, str) else str(value)
    flat = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return flat if len(flat) <= _SHOWN_CHARS else flat[: _SHOWN_CHARS - 1] + "…"


def shown_row(row: dict[str, Any]) -> str:
    """Return a row as a message shows it: ``doc_id='a1', num_words=0``."""
    return ", ".join(f"{name}={shown(value)}" for name, value in row.items())
