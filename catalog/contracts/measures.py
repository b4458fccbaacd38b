"""Millrace's own measures, which a contract names under ``engine: millrace``.

A measure of a partition gives a tally that adds up. A measure of a dataset gives one value per
label, and the contract's limit holds of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from catalog.contracts.declared_values import values_unlike_declared
from catalog.contracts.drift import drift
from catalog.contracts.drop_rate import drop_rate
from catalog.contracts.measured import Skipped, Value
from catalog.contracts.part_measures import (
    shards_unlike_rows,
    token_ids_outside,
    tokenizers_broken,
    unclean_texts,
)
from catalog.contracts.subject import BASELINE, CheckedPart
from catalog.contracts.tally import Tally

PART_MEASURES: dict[str, Callable[[CheckedPart, Mapping[str, Any]], Tally]] = {
    "unclean_texts": unclean_texts,
    "token_ids_outside": token_ids_outside,
    "shards_unlike_rows": shards_unlike_rows,
    "tokenizers_broken": tokenizers_broken,
    "values_unlike_declared": values_unlike_declared,
}
OF_FILES = frozenset({"token_ids_outside", "shards_unlike_rows"})
MEASURES: dict[str, Callable[..., list[Value] | Skipped]] = {
    "drop_rate": drop_rate,
    "drift": drift,
}


def views_needed(measure: str, arguments: Mapping[str, Any]) -> frozenset[str]:
    """Return the views besides the dataset's own that a measure reads."""
    if measure == "drift":
        return frozenset({BASELINE})
    by = arguments.get("by", ["source"])
    if measure == "drop_rate" and "source" in (by if isinstance(by, list) else [by]):
        return frozenset({"documents"})
    return frozenset()
