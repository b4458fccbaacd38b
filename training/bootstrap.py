"""How sure a score is, and a difference of two: bootstrap intervals over documents and seeds.

Stands between `training.evaluate` and the step that writes scores. A score varies because other
documents could have been in the test set, and because another seed would have trained another
model; an interval over documents alone says nothing of the second (Bouthillier et al. 2021,
*Accounting for Variance in Machine Learning Benchmarks*). So each resample draws both:

- G - 1 of the G groups of documents, with replacement, each with all of its documents. Documents
  of one group (of one module, by one author) are alike, so another test set would be one of
  other groups; draws of single documents leave out how groups differ (Davison & Hinkley 1997,
  *Bootstrap Methods and their Application*, section 3.8; Cameron, Gelbach & Miller 2008,
  *Bootstrap-Based Improvements for Inference with Clustered Errors*). All arms and seeds get the
  same groups, which keeps the correlation of arms on a document: differences are paired (Efron &
  Tibshirani 1993, chapter 8; Dror et al. 2018, *The Hitchhiker's Guide to Testing Statistical
  Significance in NLP*). Where documents are independent, each is a group.
- S - 1 of an arm's S seeds, with replacement, for each arm by itself. An arm with one seed keeps
  it: what it would vary by cannot be known.

One less is drawn than there are, because with S draws the variance of their mean would be too small
by (S - 1) / S, a third of it for three seeds; with S - 1 it is unbiased (Rao & Wu 1988, *Resampling
Inference with Complex Survey Data*). This is a deviation from the first two sources, which draw G
groups; it matters only where G is small.

Drawing two crossed factors apart is known to err on the wide side where neither dominates (Owen
2007, *The Pigeonhole Bootstrap*). In simulations a 95% interval of three seeds holds the truth 99%
of the time if seeds hardly differ, 94% if they differ as much as samples of documents do, and 89%
if far more: the spread of three seeds is a rough guess. So is that of few groups: with one seed and
groups of ten documents that correlate by 0.3, it holds the truth 94% of the time for 50 groups, 91%
for ten, 87% for five; 90% for 60 groups of which one holds two fifths of all documents. Had single
documents been drawn, it would be 70% for the 50 groups.

Shapes: N documents, G groups, S seeds, C classes, K numbers that are counted in each group, R
resamples (or as many of them as are made at once).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.evaluate import METRICS, Floats, Integers, accuracy_of, macro_f1_of

CONFIDENCE = 0.95

Verdict = Literal["better", "equal", "worse"]

_BLOCK_NUMBERS = 1 << 21  # groups drawn, or numbers summed, at once: 16 MiB


@dataclass(frozen=True)
class Resampled:
    """A score, or a difference of scores: as measured, and in each resample, [R]."""

    value: float
    draws_R: Floats

    def __sub__(self, other: Resampled) -> Resampled:
        """Return the paired difference; both must come from one call of `resample_scores`."""
        return Resampled(self.value - other.value, self.draws_R - other.draws_R)

    def interval(self) -> tuple[float, float]:
        """Return the bounds of the 95% percentile interval."""
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(self.draws_R, [tail, 1 - tail])
        return float(low), float(high)


def verdict(low: float, high: float) -> Verdict:
    """Say what the interval of a difference means: equal, if 0 lies in it."""
    if low > 0:
        return "better"
    return "worse" if high < 0 else "equal"


def resample_scores(
    labels_N: Integers,
    groups_N: Integers,
    arms: Mapping[str, Integers],
    num_classes: int,
    num_resamples: int,
    seed: int,
) -> dict[str, dict[str, Resampled]]:
    """Return, for each arm and metric, the mean score over the arm's seeds and its resamples.

    ``arms`` maps names to predictions [S, N] of the documents that ``labels_N`` are of; documents
    with the same number in ``groups_N`` are drawn together. What an arm gets depends on the order
    of the groups' numbers, the seed and its own name, never on other arms.

    Raises:
        ValueError: if there are fewer than two groups, there is no seed, or predictions or groups
            do not fit the labels.
    """
    _check_shapes(labels_N, arms)
    num_groups, groups_N = _numbered(groups_N, labels_N)
    counts = {
        name: _Counts.of(labels_N, groups_N, predicted_SN, num_classes)
        for name, predicted_SN in arms.items()
    }
    widest = max((of_arm.counts_GK.shape[1] for of_arm in counts.values()), default=1)
    at_once = max(1, _BLOCK_NUMBERS // max(num_groups, widest))
    draws: dict[str, list[dict[str, Floats]]] = {name: [] for name in arms}
    for draws_RG in group_draws(num_groups, num_resamples, seed, at_once):
        for name in arms:
            draws[name].append(counts[name].scores(draws_RG))
    return {
        name: _resampled(
            counts[name].scores(np.ones((1, num_groups))),
            draws[name],
            seed_draws(name, counts[name].num_seeds, num_resamples, seed),
        )
        for name in arms
    }


def _check_shapes(labels_N: Integers, arms: Mapping[str, Integers]) -> None:
    for name, predicted_SN in arms.items():
        fits = predicted_SN.ndim == 2 and predicted_SN.shape[1:] == labels_N.shape
        if not fits or not predicted_SN.size:
            raise ValueError(f"{name}: {predicted_SN.shape} predictions, {labels_N.shape} labels")


def _resampled(
    measured: Mapping[str, Floats], blocks: Sequence[Mapping[str, Floats]], seeds_RS: Integers
) -> dict[str, Resampled]:
    """Return each metric of an arm: as measured, and the mean over the drawn seeds [R, S - 1]."""
    found = {}
    for metric in METRICS:
        scores_RS = np.concatenate([block[metric] for block in blocks])
        drawn_R = np.take_along_axis(scores_RS, seeds_RS, axis=1).mean(axis=1)
        found[metric] = Resampled(float(measured[metric].mean()), drawn_R)
    return found


def _numbered(groups_N: Integers, labels_N: Integers) -> tuple[int, Integers]:
    """Return how many groups there are, and their numbers [N], from 0 and without gaps."""
    if groups_N.shape != labels_N.shape:
        raise ValueError(f"{groups_N.shape} groups, {labels_N.shape} labels")
    numbers, dense_N = np.unique(groups_N, return_inverse=True)
    if len(numbers) < 2:
        raise ValueError("all documents are of one group: how groups differ cannot be known")
    return len(numbers), dense_N


def group_draws(num_groups: int, num_resamples: int, seed: int, at_once: int) -> Iterator[Floats]:
    """Yield how often each group stands in each resample, [R, G], ``at_once`` resamples at a time.

    The rows are multinomial, G - 1 draws of G groups, and the same whatever ``at_once`` is.
    """
    draw = np.random.default_rng([seed, 0])
    for first in range(0, num_resamples, at_once):
        rows = min(at_once, num_resamples - first)
        drawn_RD = draw.integers(0, num_groups, (rows, num_groups - 1))
        drawn_RD += num_groups * np.arange(rows)[:, None]
        counts = np.bincount(drawn_RD.ravel(), minlength=rows * num_groups)
        yield counts.reshape(rows, num_groups).astype(np.float64)


def seed_draws(arm: str, num_seeds: int, num_resamples: int, seed: int) -> NDArray[np.int64]:
    """Return which seeds of an arm each resample takes: S - 1 numbers below S, or the only one."""
    draw = np.random.default_rng([seed, 1, *arm.encode()])
    return draw.integers(0, num_seeds, (num_resamples, max(1, num_seeds - 1)))


@dataclass(frozen=True)
class _Counts:
    """What is counted in each group, [G, K], K = (1 + 2S) C.

    Documents by their label; for each seed documents by its prediction; for each seed those where
    the two are the same. Sums of them over groups are exact in float64, in whatever order.
    """

    counts_GK: Floats
    num_seeds: int
    num_classes: int

    @classmethod
    def of(
        cls, labels_N: Integers, groups_N: Integers, predicted_SN: Integers, num_classes: int
    ) -> _Counts:
        for classes in (labels_N, predicted_SN):
            if classes.size and not 0 <= classes.min() <= classes.max() < num_classes:
                raise ValueError(f"a class is outside of the {num_classes} classes")
        shape = (int(groups_N.max()) + 1, num_classes)

        def count(classes_N: Integers, counted_N: NDArray[np.bool_] | None = None) -> Floats:
            cells_N = groups_N.astype(np.int64) * num_classes + classes_N
            sums = np.bincount(cells_N, counted_N, minlength=shape[0] * shape[1])
            return sums.reshape(shape).astype(np.float64)

        columns = [count(labels_N), *(count(predicted_N) for predicted_N in predicted_SN)]
        columns += [count(labels_N, predicted_N == labels_N) for predicted_N in predicted_SN]
        return cls(np.concatenate(columns, axis=1), len(predicted_SN), num_classes)

    def scores(self, draws_RG: Floats) -> dict[str, Floats]:
        """Return each metric [R, S] of groups that stand so often in each resample."""
        sums = (draws_RG @ self.counts_GK).reshape(len(draws_RG), -1, self.num_classes)
        labelled_R1C, predicted_RSC = sums[:, :1], sums[:, 1 : 1 + self.num_seeds]
        hits_RSC = sums[:, 1 + self.num_seeds :]
        return {
            "accuracy": accuracy_of(hits_RSC, labelled_R1C),
            "macro_f1": macro_f1_of(hits_RSC, predicted_RSC, labelled_R1C),
        }
