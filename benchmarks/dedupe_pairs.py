"""Recall of candidates on planted pairs, by their true similarity.

A pair is a real text and an edited one. Its similarity is that of the sets of five-word runs of
their normalised forms, counted here in plain Python, apart from the kernels. How often the two
share a band key is held against what banding promises: the mean of ``1 - (1 - s**rows)**bands``.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from math import sqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from benchmarks.corpora import read_texts
from benchmarks.dedupe_facts import one_of
from benchmarks.dedupe_material import MAX_WORDS, MIN_WORDS, read_pages
from pipelines.kernels.decoded import text_batch
from pipelines.kernels.minhash import Banding, band_keys
from pipelines.kernels.overlap import find_overlaps
from pipelines.kernels.shingles import NUM_WORDS, text_shingles, unique_shingles

NUM_BINS, BIN_WIDTH = 10, 0.05  # of similarity, from 0.5 to 1
CORPORA = ("encyclopedia", "reviews", "posts", "proposals", "pages")
TOLERANCE = 3.0  # standard errors
MAX_ROUNDS = 60


class Planted(NamedTuple):
    """A text, an edited one, the way of editing and their similarity."""

    kind: str
    left: str
    right: str
    jaccard: float


def edit_words(
    words: list[str], other: list[str], jaccard: float, rng: np.random.Generator
) -> list[str]:
    """Replace words one by one, each by one of another text, drop some and put some.

    With a share ``p`` of the words edited anywhere, ``(1 - p)**5`` of the runs of five stay, and of
    two texts that keep a share ``f`` of their runs the similarity is ``f / (2 - f)``.
    """
    edited_share = 1 - (2 * jaccard / (1 + jaccard)) ** (1 / NUM_WORDS)
    num = max(1, round(len(words) * edited_share))
    edited = list(words)
    for place in sorted(rng.choice(len(words), min(num, len(words)), replace=False).tolist())[::-1]:
        way = rng.random()
        new = one_of(other, rng)
        edited[place : place + (way < 0.8)] = [] if way < 0.1 else [new]
    return edited


def edit_blocks(
    words: list[str], other: list[str], jaccard: float, rng: np.random.Generator
) -> list[str]:
    """Replace one to three blocks of neighbouring words by blocks of another text."""
    num_blocks = int(rng.integers(1, 4))
    changed = len(words) * (1 - jaccard) / (1 + jaccard) - (NUM_WORDS - 1) * num_blocks
    size = max(1, round(changed / num_blocks))
    edited = list(words)
    for place in sorted(rng.integers(0, len(words), num_blocks).tolist())[::-1]:
        start = int(rng.integers(0, max(1, len(other) - size)))
        edited[place : place + size] = other[start : start + size]
    return edited


def append(
    words: list[str], other: list[str], jaccard: float, rng: np.random.Generator
) -> list[str]:
    """Put the beginning of another text behind it, as sites do with what stands on each page."""
    return words + other[: max(1, round(len(words) * (1 / jaccard - 1)))]


def quote(
    words: list[str], other: list[str], jaccard: float, rng: np.random.Generator
) -> list[str]:
    """Put it somewhere into another text."""
    more = max(1, round(len(words) * (1 / jaccard - 1)))
    place = int(rng.integers(0, more + 1))
    return other[:place] + words + other[place:more]


Edit = Callable[[list[str], list[str], float, np.random.Generator], list[str]]
EDITS: dict[str, Edit] = {
    "word edits": edit_words,
    "block edits": edit_blocks,
    "appended": append,
    "quoted": quote,
}


def plant(
    texts: Sequence[str], frames: Sequence[str], in_bin: int, rng: np.random.Generator
) -> list[Planted]:
    """Return at least ``in_bin`` pairs of each bin of similarity, as many of each way of editing.

    Texts are taken in a random order, each once as long as there are some.
    """
    share = -(-in_bin // len(EDITS))
    filled: Counter[tuple[str, int]] = Counter()
    drawn = _drawn(texts, rng)
    planted: list[Planted] = []
    for _ in range(MAX_ROUNDS):
        open_bins = [
            (kind, place)
            for kind in EDITS
            for place in range(NUM_BINS)
            for _ in range(share - filled[kind, place])
        ]
        if not open_bins:
            return planted
        for kind, place in open_bins:
            pair = _pair(kind, place, drawn, frames, rng)
            landed = bin_of(pair.jaccard)
            if landed is not None and filled[kind, landed] < share:
                filled[kind, landed] += 1
                planted.append(pair)
    raise RuntimeError(f"bins stay open after {MAX_ROUNDS} rounds: {sorted(set(open_bins))}")


def _pair(
    kind: str, place: int, drawn: Iterator[str], frames: Sequence[str], rng: np.random.Generator
) -> Planted:
    """Return an edited text whose similarity is meant to lie in a bin."""
    text = next(drawn)
    other = one_of(frames, rng) if kind == "appended" else next(drawn)
    wanted = 0.5 + BIN_WIDTH * (place + rng.random())
    right = " ".join(EDITS[kind](text.split(), _long(other.split()), wanted, rng))
    return Planted(kind, text, right, jaccard_of(text, right))


def _long(words: list[str]) -> list[str]:
    """Return words over and over, so that there are enough to take from."""
    return words * (1 + 2 * MAX_WORDS // len(words))


def _drawn(texts: Sequence[str], rng: np.random.Generator) -> Iterator[str]:
    while True:
        yield from (texts[place] for place in rng.permutation(len(texts)).tolist())


def bin_of(jaccard: float) -> int | None:
    """Return the bin of a similarity, None below the first and for 1, as of equal texts."""
    if not 0.5 <= jaccard < 1:
        return None
    return int((jaccard - 0.5) / BIN_WIDTH + 1e-9)


def jaccard_of(left: str, right: str) -> float:
    """Return the share of the runs of five words of two texts that both have, in plain Python."""
    one, two = (runs_of(text) for text in (left, right))
    return len(one & two) / max(1, len(one | two))


def runs_of(text: str) -> set[tuple[str, ...]]:
    """Return the runs of five words of a text's normalised form."""
    words = [word for word in text.translate(_FORMS).split(" ") if word]
    return {tuple(words[place : place + NUM_WORDS]) for place in range(len(words) - NUM_WORDS + 1)}


class _Forms(dict[int, str]):
    """What the normalised form has for a character: a space for what divides words."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if category == "Cf":
            self[code] = ""
        elif character.isspace() or category.startswith("P"):
            self[code] = " "
        else:
            folded = (character.casefold(), character.lower(), character)
            self[code] = next(form for form in folded if len(form) == 1)
        return self[code]


_FORMS = _Forms()


class Measured(NamedTuple):
    """What was found of planted pairs: the similarity, by hand and by kernel, and who was found."""

    jaccard: np.ndarray
    by_kernel: np.ndarray
    found: dict[Banding, np.ndarray]


def measure(planted: Sequence[Planted], bandings: Sequence[Banding]) -> Measured:
    """Return for each pair whether its texts share a band key, for some bandings."""
    texts = pa.array([t for pair in planted for t in (pair.left, pair.right)], pa.large_string())
    shingles = text_shingles(text_batch(texts).codes)
    left = np.arange(0, len(texts), 2)
    overlaps = find_overlaps(unique_shingles(shingles), left, left + 1)
    found = {}
    for banding in bandings:
        keys = band_keys(shingles, banding)
        found[banding] = (keys[::2] == keys[1::2]).any(axis=1)
    return Measured(np.array([pair.jaccard for pair in planted]), overlaps.jaccard, found)


class Recall(NamedTuple):
    """How many of some pairs share a key, and what banding promises of them."""

    num_pairs: int
    recall: float
    expected: float
    standard_error: float

    @property
    def errors(self) -> float:
        """How many standard errors lie between the two."""
        return abs(self.recall - self.expected) / max(self.standard_error, 1e-12)


def recall_of(measured: Measured, banding: Banding, rows: np.ndarray) -> Recall:
    """Return the recall of the pairs in ``rows``, bool."""
    odds = np.array([banding.candidate_odds(jaccard) for jaccard in measured.jaccard[rows]])
    error = sqrt(float((odds * (1 - odds)).sum())) / len(odds)
    return Recall(len(odds), measured.found[banding][rows].mean(), odds.mean(), error)


def read_bases(folder: Path) -> tuple[list[str], list[str]]:
    """Return texts of 60 to 2,000 words to edit, and the frames of web pages to append."""
    texts = {t: None for name in CORPORA for t in read_texts(name, folder)}
    frames = [page.around("") for page in read_pages(folder) if page.frame_words >= MIN_WORDS]
    return [t for t in texts if MIN_WORDS <= len(t.split()) <= MAX_WORDS], frames


def print_recall(folder: Path, in_bin: int, seed: int, bandings: dict[str, Banding]) -> None:
    """Print recall by bin and by way of editing, beside what banding promises."""
    texts, frames = read_bases(folder)
    planted = plant(texts, frames, in_bin, np.random.default_rng(seed))
    measured = measure(planted, list(bandings.values()))
    differ = int((measured.jaccard != measured.by_kernel).sum())
    print(
        f"\n{len(planted):,} pairs; similarity by kernel and by Python sets differs in {differ}\n"
    )
    bins = np.array([bin_of(jaccard) for jaccard in measured.jaccard])
    groups = {f"{0.5 + BIN_WIDTH * place:.2f} to {0.5 + BIN_WIDTH * (place + 1):.2f}":
              bins == place for place in range(NUM_BINS)}  # fmt: skip
    groups |= {kind: np.array([pair.kind == kind for pair in planted]) for kind in EDITS}
    titles = [f"{name} {what}" for name in bandings for what in ("recall", "expected", "errors")]
    print(f"| true Jaccard, or way | pairs | {' | '.join(titles)} |")
    print("| --- |" + " --: |" * (1 + len(titles)))
    for name, rows in groups.items():
        cells = [f"{int(rows.sum()):,}"]
        for banding in bandings.values():
            recall = recall_of(measured, banding, rows)
            mark = "" if recall.errors <= TOLERANCE else " **!**"
            cells += [
                f"{recall.recall:.4f}",
                f"{recall.expected:.4f}",
                f"{recall.errors:.1f}{mark}",
            ]
        print(f"| {name} | {' | '.join(cells)} |")
