"""The duplicates' part of the report: clusters, pairs to look at, what the search left out."""

from __future__ import annotations

from catalog.capped_keys import read_capped
from catalog.clusters import CHOICE, clusters
from catalog.near_pairs import near_pairs
from catalog.opened import OpenedRun
from catalog.report.facts import DuplicateFacts
from catalog.report.read_run import has

MAX_CLUSTERS = 8
MAX_DROPPED, MAX_APART = 3, 2  # pairs side by side
MAX_KEYS = 5


def read_duplicates(
    opened: OpenedRun,
    num_clusters: int = MAX_CLUSTERS,
    num_dropped: int = MAX_DROPPED,
    num_apart: int = MAX_APART,
) -> DuplicateFacts | None:
    """Return what the choice among duplicates came to, or None if there was none.

    Raises:
        Damaged: if a partition cannot be read.
    """
    if not has(opened, CHOICE):
        return None
    settings = opened.run.recipe.get("dedupe")
    return DuplicateFacts(
        clusters=clusters(opened, num_clusters),
        near=near_pairs(opened, num_dropped, num_apart),
        capped=read_capped(opened, MAX_KEYS),
        settings=settings if isinstance(settings, dict) else {},
    )
