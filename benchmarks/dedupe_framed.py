"""Pairs of texts that are not duplicates, between the menus and notes of web pages.

What tells the two apart is a small part of them, or what they share is: a rule that looks past the
frames of pages must not look past these. ``detail`` tells which way of differing a pair has.
"""

from __future__ import annotations

import numpy as np

from benchmarks.dedupe_facts import one_of
from benchmarks.dedupe_material import paragraphs
from benchmarks.dedupe_negatives import NEGATIVES, first_paragraphs, piece_of, unlike
from benchmarks.dedupe_positives import framed
from benchmarks.dedupe_sources import Maker, Pair, Sources


def framed_negatives(kind: str) -> Maker:
    """Return what puts two texts of another kind of negatives into frames, as positives are."""

    def make(sources: Sources, rng: np.random.Generator) -> Pair | None:
        pair = one_of(NEGATIVES[kind], rng)(sources, rng)
        if pair is None:
            return None
        found = framed(pair.left, pair.right, sources, rng)
        return found and Pair("framed", kind, *found[1:])

    return make


def shared_passage(sources: Sources, rng: np.random.Generator) -> Pair | None:
    """Put one passage of a third text at one end of two articles, or into the midst of both."""
    passage = piece_of(sources.text(rng), int(rng.integers(40, 300)), rng)
    texts = [first_paragraphs(sources.text(rng), int(rng.integers(60, 400))) for _ in range(2)]
    if not (unlike(*texts) and unlike(texts[0], passage) and unlike(texts[1], passage)):
        return None
    where = rng.integers(3)
    left, right = (_with_passage(text, passage, int(where)) for text in texts)
    if rng.random() < 0.5:
        return Pair("passage", "plain", left, right)
    found = framed(left, right, sources, rng)
    return found and Pair("passage", "framed", *found[1:])


def _with_passage(text: str, passage: str, where: int) -> str:
    """Return a text with a passage before it, behind it or between its paragraphs."""
    parts = paragraphs(text)
    at = (0, len(parts), (len(parts) + 1) // 2)[where]
    return "\n\n".join([*parts[:at], passage, *parts[at:]])


FRAMED_NEGATIVES: dict[str, tuple[Maker, ...]] = {
    "framed": (
        framed_negatives("template"),
        framed_negatives("revision"),
        framed_negatives("table"),
    ),
    "passage": (shared_passage,),
}
