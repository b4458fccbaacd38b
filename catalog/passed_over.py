"""What a source holds that became no row on purpose: records passed over, files of no format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from store.datasets import Dataset

IGNORED_FILES, IGNORED_MEMBERS = "files of no format", "members of archives, of no format"


def passed_over(dataset: Dataset) -> dict[str, int]:
    """Count what all partitions of a source passed over, by reason, the most frequent first.

    Receipts from before anything was passed over say nothing of it, which is none.
    """
    found: Counter[str] = Counter()
    for part in dataset.parts:
        found.update(part.facts.get("skipped", {}))
        found[IGNORED_FILES] += part.facts.get("num_files_ignored", 0)
        found[IGNORED_MEMBERS] += part.facts.get("num_members_ignored", 0)
    counted = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return {reason: number for reason, number in counted if number}


def told_of(counted: Mapping[str, int]) -> str:
    """Return one line on what was passed over, "" if nothing was."""
    told = ", ".join(f"{number:,} {reason}" for reason, number in counted.items())
    return f"Passed over on purpose: {told}" if told else ""
