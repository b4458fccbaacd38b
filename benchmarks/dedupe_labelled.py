"""Precision and recall on labelled pairs whose label is not their similarity.

Texts that say something else are *negatives* (`benchmarks.dedupe_negatives`), texts of which one is
enough are *positives* (`benchmarks.dedupe_positives`): what a rule joins of the former is lost by
mistake, what it does not join of the latter stays twice. Every pair is judged, whether or not bands
would have proposed it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from math import sqrt
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.dedupe_framed import FRAMED_NEGATIVES
from benchmarks.dedupe_material import near_articles, num_words
from benchmarks.dedupe_negatives import NEGATIVES as PLAIN_NEGATIVES
from benchmarks.dedupe_negatives import natural_templates
from benchmarks.dedupe_positives import POSITIVES
from benchmarks.dedupe_sources import Pair, Sources, make_pairs
from pipelines.dedupe.measures import compare_texts
from pipelines.dedupe.verify import VerifyConfig, condition
from pipelines.kernels.decoded import text_batch
from pipelines.kernels.minhash import FINEWEB, Banding, band_keys, has_signature
from pipelines.kernels.overlap import Overlaps, find_overlaps
from pipelines.kernels.shingles import text_shingles, unique_shingles

NEGATIVES = {**PLAIN_NEGATIVES, **FRAMED_NEGATIVES}
HARD = 0.7  # Jaccard similarity from which the usual rule takes texts for one
_Z = 1.96  # of 95 %


RULES = (
    VerifyConfig("jaccard", 0.7),
    VerifyConfig("jaccard", 0.8),
    VerifyConfig("strict", 0.7),
    VerifyConfig("strict", 0.5),
)


def name_of(rule: VerifyConfig) -> str:
    """Return what tables call a rule."""
    return f"{rule.verify} {rule.min_jaccard}"


def decide(pairs: Sequence[Pair], rule: VerifyConfig) -> np.ndarray:
    """Return for each pair whether a rule takes it for near-duplicates, bool."""
    lefts, rights = (pa.array([pair[side] for pair in pairs], pa.string()) for side in (2, 3))
    measured = compare_texts(lefts, rights)
    number = pa.array(range(len(pairs)), pa.int64())
    with duckdb.connect() as connection:
        connection.register("measured", measured.append_column("pair_number", number))
        answers = connection.execute(
            f"SELECT coalesce({condition(rule)}, false) FROM measured ORDER BY pair_number"
        ).fetchall()
    return np.array([answer[0] for answer in answers], dtype=bool)


def overlaps_of(pairs: Sequence[Pair]) -> Overlaps:
    """Compare the texts of pairs by their shingles."""
    texts = pa.array([text for pair in pairs for text in pair[2:]], pa.large_string())
    sets = unique_shingles(text_shingles(text_batch(texts).codes))
    left = np.arange(0, len(texts), 2)
    return find_overlaps(sets, left, left + 1)


def make_labelled(sources: Sources, each: int, seed: int) -> dict[str, list[Pair]]:
    """Return so many pairs of each kind, and besides those the natural ones of a template."""
    pairs = {}
    for kind, makers in [*NEGATIVES.items(), *POSITIVES.items()]:
        rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
        share = -(-each // len(makers))
        pairs[kind] = [p for maker in makers for p in make_pairs(maker, sources, share, rng)]
    pairs["template"] += natural_templates(sources.articles)
    return pairs


def wilson(num: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    if of == 0:
        return 0.0, 1.0
    share, extra = num / of, _Z**2 / of
    middle = (share + extra / 2) / (1 + extra)
    half = _Z * sqrt(share * (1 - share) / of + extra / (4 * of)) / (1 + extra)
    return middle - half, middle + half


def shown(num: int, of: int) -> str:
    """Return a share with its interval, as tables show it."""
    low, high = wilson(num, of)
    return f"{num / max(of, 1):.1%} ({low:.1%} to {high:.1%})"


def print_labelled(pairs: dict[str, list[Pair]], rules: Sequence[VerifyConfig]) -> None:
    """Print what rules join of each kind and way of differing, then their precision and recall."""
    found = {kind: [decide(of_kind, rule) for rule in rules] for kind, of_kind in pairs.items()}
    jaccard = {kind: overlaps_of(of_kind).jaccard for kind, of_kind in pairs.items()}
    heading = ("kind", "way", "pairs", "words, median", f"Jaccard ≥ {HARD}",
               *(f"joined by {name_of(rule)}" for rule in rules))  # fmt: skip
    for label, makers in (
        ("Negatives: none is to be joined.", NEGATIVES),
        ("Positives: all are to be joined.", POSITIVES),
    ):
        print(f"\n{label}\n")
        print(f"| {' | '.join(heading)} |")
        print("| --- | --- |" + " --: |" * (len(heading) - 2))
        for kind in makers:
            ways = sorted({pair.detail for pair in pairs[kind]})
            for way in [None, *ways] if len(ways) > 1 else [None]:
                rows = np.array([way in (None, pair.detail) for pair in pairs[kind]])
                _print_row(kind, way or "all", pairs[kind], rows, jaccard[kind], found[kind])
    _print_rules(pairs, rules, found, jaccard)


def _print_rules(
    pairs: dict[str, list[Pair]],
    rules: Sequence[VerifyConfig],
    found: dict[str, list[np.ndarray]],
    jaccard: dict[str, np.ndarray],
) -> None:
    """Print precision and recall of rules over all pairs, and what they join of hard negatives."""
    print("\n| rule | precision | recall | wrongly joined of hard negatives |")
    print("| --- | --: | --: | --: |")
    hard = {kind: jaccard[kind] >= HARD for kind in NEGATIVES}
    num_hard = sum(int(hard[kind].sum()) for kind in NEGATIVES)
    num_positives = sum(len(pairs[kind]) for kind in POSITIVES)
    for number, rule in enumerate(rules):
        wrong = sum(int(found[kind][number].sum()) for kind in NEGATIVES)
        wrong_hard = sum(int(found[kind][number][hard[kind]].sum()) for kind in NEGATIVES)
        right = sum(int(found[kind][number].sum()) for kind in POSITIVES)
        cells = (shown(right, right + wrong), shown(right, num_positives),
                 f"{wrong_hard:,} of {num_hard:,}: {shown(wrong_hard, num_hard)}")  # fmt: skip
        print(f"| {name_of(rule)} | {' | '.join(cells)} |")


def _print_row(
    kind: str,
    way: str,
    pairs: Sequence[Pair],
    rows: np.ndarray,
    jaccard: np.ndarray,
    found: Iterable[np.ndarray],
) -> None:
    words = [num_words(pair.left) for pair, yes in zip(pairs, rows, strict=True) if yes]
    total = int(rows.sum())
    cells = [kind, way, f"{total:,}", f"{np.median(words):,.0f}",
             f"{int((jaccard[rows] >= HARD).sum()):,}",
             *(f"{int(each[rows].sum()):,}: {shown(int(each[rows].sum()), total)}"
               for each in found)]  # fmt: skip
    print(f"| {' | '.join(cells)} |")


def print_articles(folder: Path, rules: Sequence[VerifyConfig], banding: Banding = FINEWEB) -> None:
    """Print what is found of the planted pairs of `near-dup-articles`, candidates and verified."""
    ids, texts, truth = near_articles(folder)
    candidates = sorted(candidate_pairs(texts, banding))
    pairs = [Pair("articles", "", texts[one], texts[two]) for one, two in candidates]
    names = [tuple(sorted((ids[one], ids[two]))) for one, two in candidates]
    print(f"\n{len(texts):,} articles, {len(truth)} planted pairs, {len(pairs)} candidates\n")
    print("| rule | pairs | precision | recall |\n| --- | --: | --: | --: |")
    for rule in rules:
        joined = {name for name, yes in zip(names, decide(pairs, rule), strict=True) if yes}
        right = len(joined & truth)
        print(f"| {name_of(rule)} | {len(joined)} | {shown(right, len(joined))} "
              f"| {shown(right, len(truth))} |")  # fmt: skip


def candidate_pairs(texts: Sequence[str], banding: Banding) -> set[tuple[int, int]]:
    """Return the pairs of texts, by place, that share a band key."""
    shingles = text_shingles(text_batch(pa.array(texts, pa.large_string())).codes)
    keys = band_keys(shingles, banding)
    pairs: set[tuple[int, int]] = set()
    signed = np.flatnonzero(has_signature(shingles))
    for column in keys.T:
        holders: dict[int, list[int]] = {}
        for place in signed.tolist():
            earlier = holders.setdefault(int(column[place]), [])
            pairs.update((other, place) for other in earlier)
            earlier.append(place)
    return pairs
