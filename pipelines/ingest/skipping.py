"""What readers pass over on purpose: framed like any record, counted by reason, and no row."""

from __future__ import annotations

from typing import Any


class Skipped(Exception):
    """A record that is passed over on purpose; the message is the reason it is counted under."""


def count_skipped(facts: dict[str, Any], reason: Skipped) -> None:
    """Count a framed record as passed over.

    ``facts["records_skipped"]`` is their number, ``facts["skipped"]`` the numbers by reason.
    """
    skipped = facts.setdefault("skipped", {})
    skipped[str(reason)] = skipped.get(str(reason), 0) + 1
    facts["skipped"] = dict(sorted(skipped.items()))
    facts["records_skipped"] = facts.get("records_skipped", 0) + 1


def num_skipped(facts: dict[str, Any]) -> int:
    """Return how many of the records that were framed are passed over."""
    return int(facts.get("records_skipped", 0))
