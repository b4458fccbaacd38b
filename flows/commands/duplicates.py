"""``millrace duplicates``: which documents repeat which, and how similar ones differ."""

from __future__ import annotations

import textwrap
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from catalog import open_run
from catalog.clusters import Cluster, Document
from catalog.near_pairs import NearPair, compare_documents
from catalog.report.facts import DuplicateFacts
from catalog.report.read_duplicates import read_duplicates
from catalog.report.section_duplicates import (
    measures_in_words,
    place,
    reasons_in_words,
    sentences,
)
from catalog.text_difference import difference_lines
from catalog.trace_text import REPEATS, printable, similarity
from data_contracts.errors import NotFound, UsageError
from flows.commands.context import existing_home

_LEGEND = "[-words of the first alone-] {+words of the second alone+}"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("run", metavar="RUN", nargs="?", help="name of a run (default: the latest)")
    parser.add_argument(
        "--limit",
        type=int,
        default=3,
        metavar="N",
        help="show so many clusters, and pairs of each kind (default: 3)",
    )
    parser.add_argument(
        "--pair",
        nargs=2,
        metavar=("ID", "ID"),
        help="show two documents side by side, by id, start of it, record key or URI",
    )


def execute(options: Namespace) -> tuple[dict[str, Any], str]:
    """Tell what was dropped for what, or how two documents differ.

    Raises:
        NotFound: if the run made no choice among duplicates, or has no such document.
        UsageError: if the limit is negative, or an id names several documents.
    """
    if options.limit < 0:
        raise UsageError(f"--limit is {options.limit}; give 0 or more.")
    opened = open_run(existing_home(options).url, options.run)
    if options.pair:
        pair = compare_documents(opened, *options.pair)
        return {"run": opened.name, "pair": asdict(pair)}, _told(
            _pair_lines(pair, "first", "second")
        )
    limit = options.limit
    found = read_duplicates(opened, limit, limit, limit)
    if found is None:
        raise NotFound(
            f"Run {opened.name} has made no choice among duplicates yet; `millrace status` shows "
            f"how far it came."
        )
    return {"run": opened.name, **asdict(found)}, _told(_lines(opened.name, found))


def _told(lines: Iterator[str]) -> str:
    return "\n".join(map(printable, lines))


def _lines(run: str, found: DuplicateFacts) -> Iterator[str]:
    yield f"run {run}"
    for sentence in sentences(found):
        yield from textwrap.wrap(sentence, 98, break_on_hyphens=False)
    for cluster in found.clusters.largest:
        yield from ("", *_cluster_lines(cluster))
    if found.near.dropped:
        yield from ("", "Dropped as near-duplicates: of each cluster the least similar")
    for pair in found.near.dropped:
        yield from ("", *_pair_lines(pair, "kept", "dropped"))
    if found.near.kept_apart:
        yield from ("", "Kept apart, though similar")
    for pair in found.near.kept_apart:
        yield from ("", *_pair_lines(pair, "kept", "kept"))
    for key in found.capped.largest if found.capped else ():
        yield ""
        yield (
            f"{key.num_texts:,} texts share a key; {key.num_left_out:,} were not compared by it, "
            f"one of them {place(key.example)}"
        )


def _cluster_lines(cluster: Cluster) -> Iterator[str]:
    yield f"{_named(cluster.kept)}, stands for {reasons_in_words(cluster.reasons)}"
    for member in cluster.members:
        repeats = REPEATS.get(member.reason, member.reason).rpartition(" ")[0]
        yield f"  {_named(member.document)}  {repeats}  {similarity(asdict(member))}"
    left_out = cluster.num_members - len(cluster.members)
    if left_out:
        yield f"  and {left_out:,} more"


def _pair_lines(pair: NearPair, left: str, right: str) -> Iterator[str]:
    yield f"{left:<8} {_named(pair.left)}"
    yield f"{right:<8} {_named(pair.right)}"
    yield measures_in_words(pair.measures) or "Not measured as a pair."
    if pair.difference.num_changes:
        yield _LEGEND
    else:
        yield "No word differs in what is compared."
    yield from difference_lines(pair.difference)


def _named(document: Document) -> str:
    size = "" if document.num_chars is None else f", {document.num_chars:,} characters"
    return f"{document.doc_id[:12]}  {place(document)}{size}"
