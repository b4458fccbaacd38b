"""Bootstrap intervals: against plain loops, against the truth in simulations, and what is drawn."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from training.bootstrap import group_draws, resample_scores, seed_draws, verdict
from training.evaluate import accuracy, macro_f1


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Keep small products on one core: threads of a busy machine would wait for each other."""
    with threadpool_limits(1):
        yield


def arm(draw: np.random.Generator, labels: np.ndarray, num_seeds: int, share: float) -> np.ndarray:
    """Return predictions [S, N] that know about such a share of the labels."""
    shape = (num_seeds, len(labels))
    return np.where(draw.random(shape) < share, labels, draw.integers(0, 4, shape))


def alone(labels: np.ndarray) -> np.ndarray:
    """Return groups of one document each."""
    return np.arange(len(labels))


def test_each_resample_scores_as_if_its_documents_were_the_test_set() -> None:
    draw = np.random.default_rng(0)
    labels = draw.choice(4, 60, p=[0.6, 0.3, 0.08, 0.02])  # the last is absent from many resamples
    groups = draw.choice([3, 5, 8, 13, 21, 34, 40, 41, 50, 90], 60)  # numbers may leave gaps
    names = sorted(set(groups.tolist()))
    arms = {"a": arm(draw, labels, 3, 0.6), "b": arm(draw, labels, 1, 0.4)}
    found = resample_scores(labels, groups, arms, 4, 50, seed=7)
    (draws_RG,) = group_draws(len(names), 50, 7, 50)
    absent = 0
    for name, predicted_SN in arms.items():
        seeds_RS = seed_draws(name, len(predicted_SN), 50, 7)
        for number, draws_G in enumerate(draws_RG.astype(int)):
            times = zip(names, draws_G, strict=True)
            chosen = np.concatenate(
                [np.flatnonzero(groups == g) for g, n in times for _ in range(n)]
            )
            absent += len(set(labels[chosen])) < 4
            picked = [predicted_SN[seed, chosen] for seed in seeds_RS[number]]
            f1 = np.mean([macro_f1(labels[chosen], row, 4) for row in picked])
            right = np.mean([accuracy(labels[chosen], row) for row in picked])
            assert found[name]["macro_f1"].draws_R[number] == pytest.approx(f1)
            assert found[name]["accuracy"].draws_R[number] == pytest.approx(right)
        f1 = np.mean([macro_f1(labels, row, 4) for row in predicted_SN])
        assert found[name]["macro_f1"].value == pytest.approx(f1)
    assert 10 < absent < 100


def test_one_group_less_and_one_seed_less_is_drawn_than_there_are() -> None:
    (draws_RG,) = group_draws(20, 1000, 0, 1000)
    assert draws_RG.sum(axis=1).tolist() == [19] * 1000
    assert len(np.unique(draws_RG, axis=0)) == 1000
    assert draws_RG.mean(axis=0) == pytest.approx(np.full(20, 0.95), abs=0.15)
    assert draws_RG.var(axis=0) == pytest.approx(np.full(20, 19 * 0.05 * 0.95), rel=0.25)
    for num_seeds, num_drawn in ((1, 1), (2, 1), (3, 2), (5, 4)):
        seeds_RS = seed_draws("a", num_seeds, 200, 0)
        assert seeds_RS.shape == (200, num_drawn)
        assert set(seeds_RS.ravel().tolist()) == set(range(num_seeds))


def test_draws_do_not_depend_on_how_many_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = list(group_draws(20, 100, 0, 3))
    assert [len(block) for block in blocks] == [3] * 33 + [1]
    (at_once,) = group_draws(20, 100, 0, 1000)
    assert np.concatenate(blocks).tobytes() == at_once.tobytes()
    draw = np.random.default_rng(0)
    labels, groups = draw.integers(0, 4, 60), draw.integers(0, 9, 60)
    arms = {"a": arm(draw, labels, 3, 0.6)}
    before = resample_scores(labels, groups, arms, 4, 100, 0)["a"]["macro_f1"].draws_R
    monkeypatch.setattr("training.bootstrap._BLOCK_NUMBERS", 90)  # 28 numbers a group: 3 rows
    after = resample_scores(labels, groups, arms, 4, 100, 0)["a"]["macro_f1"].draws_R
    assert before.tobytes() == after.tobytes()


def distance(some: np.ndarray, others: np.ndarray) -> float:
    """Return the largest difference of two empirical distributions (Kolmogorov and Smirnov)."""
    both = np.concatenate([some, others])
    shares = [np.searchsorted(np.sort(x), both, "right") / len(x) for x in (some, others)]
    return float(np.abs(shares[0] - shares[1]).max())


def test_single_documents_as_groups_are_drawn_as_documents_are() -> None:
    """Against loops that draw documents: the same distribution of a difference."""
    draw = np.random.default_rng(5)
    labels = draw.choice(4, 300, p=[0.5, 0.3, 0.15, 0.05])
    arms = {"a": arm(draw, labels, 1, 0.7), "b": arm(draw, labels, 1, 0.6)}
    drawn = []
    for _ in range(2000):
        chosen = draw.integers(0, 300, 300)
        of_a, of_b = (macro_f1(labels[chosen], arms[name][0, chosen], 4) for name in "ab")
        drawn.append(of_a - of_b)
    right = {name: (arms[name][0] == labels).astype(int) for name in "ab"}
    alike = np.argsort(np.argsort(right["a"] - right["b"], kind="stable")) // 4
    distances = []
    for groups in (alone(labels), alike):
        found = resample_scores(labels, groups, arms, 4, 2000, 0)
        difference = found["a"]["macro_f1"] - found["b"]["macro_f1"]
        distances.append(distance(difference.draws_R, np.array(drawn)))
    unlikely = 1.63 * math.sqrt(2 / 2000)  # equal distributions differ by more in 1% of cases
    assert distances[0] < unlikely < distances[1] / 2


def test_the_variance_is_that_of_a_ratio_over_groups() -> None:
    """Against the textbook variance of a ratio of sums over clusters of unequal sizes."""
    draw = np.random.default_rng(0)
    sizes_G = draw.integers(5, 16, 60)
    groups = np.repeat(np.arange(60), sizes_G)
    right = draw.random(len(groups)) < draw.beta(2, 1, 60)[groups]
    labels = np.zeros(len(groups), np.int64)
    score = resample_scores(labels, groups, {"a": 1 - right[None].astype(int)}, 2, 20_000, 0)["a"]
    hits_G = np.bincount(groups, right)
    rest_G = hits_G - sizes_G * right.mean()
    expected = (rest_G**2).sum() / sizes_G.sum() ** 2 * 60 / 59
    independent = right.var() / len(right)
    assert score["accuracy"].draws_R.var() == pytest.approx(expected, rel=0.05)
    assert expected > 2 * independent


def test_the_variance_between_seeds_is_that_of_their_mean() -> None:
    labels = np.zeros(1000, np.int64)
    right = np.array([500, 560, 620])  # of 1,000: seeds differ far more than documents do
    predicted = (np.arange(1000) >= right[:, None]).astype(np.int64)
    draws = resample_scores(labels, alone(labels), {"a": predicted}, 2, 20_000, 0)["a"][
        "accuracy"
    ].draws_R
    between_seeds = (right / 1000).var(ddof=1) / 3
    documents = 0.56 * 0.44 / 1000
    assert between_seeds > 4 * documents / 1.1
    assert draws.var() == pytest.approx(between_seeds + documents, rel=0.06)


def test_one_seed_varies_as_a_share_of_documents_does() -> None:
    labels = np.zeros(400, np.int64)
    predicted = (np.arange(400) >= 300).astype(np.int64)[None]
    score = resample_scores(labels, alone(labels), {"a": predicted}, 2, 20_000, 0)["a"]["accuracy"]
    half = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert score.value == 0.75
    assert score.interval() == pytest.approx((0.75 - half, 0.75 + half), abs=0.004)


def test_arms_are_paired_on_documents() -> None:
    draw = np.random.default_rng(3)
    labels = draw.integers(0, 3, 300)
    worse = arm(draw, labels, 1, 0.6)
    better = worse.copy()
    wrong = np.flatnonzero(worse[0] != labels)[:12]
    better[0, wrong] = labels[wrong]  # alike but for 12 documents
    found = resample_scores(labels, alone(labels), {"better": better, "worse": worse}, 4, 2000, 0)
    apart = [found[name]["accuracy"].interval() for name in ("better", "worse")]
    assert apart[0][0] < apart[1][1], "each by itself they overlap"
    difference = found["better"]["accuracy"] - found["worse"]["accuracy"]
    assert difference.value == pytest.approx(0.04)
    assert difference.draws_R.min() >= 0
    assert verdict(*difference.interval()) == "better"


@pytest.mark.parametrize(("share", "expected"), [(0.95, "better"), (0.7, "equal"), (0.3, "worse")])
@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_verdicts(share: float, expected: str, metric: str) -> None:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 4, 500)
    arms = {"a": arm(draw, labels, 3, share), "b": arm(draw, labels, 1, 0.7)}
    found = resample_scores(labels, alone(labels), arms, 4, 1000, 0)
    difference = found["a"][metric] - found["b"][metric]
    assert verdict(*difference.interval()) == expected


def test_a_bound_at_zero_is_equal() -> None:
    assert [verdict(0.0, 0.1), verdict(-0.1, 0.0), verdict(0.0, 0.0)] == ["equal"] * 3


def test_equal_inputs_give_equal_draws_whatever_other_arms_there_are() -> None:
    draw = np.random.default_rng(1)
    labels = draw.integers(0, 4, 60)
    arms = {"a": arm(draw, labels, 3, 0.6), "b": arm(draw, labels, 3, 0.5)}
    groups = draw.integers(0, 20, 60)
    both = resample_scores(labels, groups, arms, 4, 200, 5)
    single = resample_scores(labels, groups, {"b": arms["b"]}, 4, 200, 5)
    other = resample_scores(labels, groups, arms, 4, 200, 6)
    for metric in ("accuracy", "macro_f1"):
        assert both["b"][metric].draws_R.tobytes() == single["b"][metric].draws_R.tobytes()
        assert both["b"][metric].draws_R.tobytes() != other["b"][metric].draws_R.tobytes()


def coverage(num_seeds: int, seed_deviation: float, num_trials: int) -> float:
    """Return how often the interval of a difference holds the true one.

    A document is right where skill + its ease + the seed's luck + noise is above zero. The two arms
    have skills 0.6 and 0.4 and the same documents; all else is normal, so the truth is known.
    """
    draw = np.random.default_rng(2)
    num_documents, held = 300, 0
    spread = math.sqrt(2) * math.sqrt(1 + seed_deviation**2 + 0.3**2)
    truth = (math.erf(0.6 / spread) - math.erf(0.4 / spread)) / 2
    labels = np.zeros(num_documents, np.int64)
    for trial in range(num_trials):
        ease_N = draw.normal(0, 1, num_documents)
        arms = {}
        for name, skill in (("a", 0.6), ("b", 0.4)):
            luck_S1 = draw.normal(0, seed_deviation, (num_seeds, 1))
            noise_SN = draw.normal(0, 0.3, (num_seeds, num_documents))
            arms[name] = (skill + ease_N + luck_S1 + noise_SN <= 0).astype(np.int64)
        found = resample_scores(labels, alone(labels), arms, 2, 200, trial)
        low, high = (found["a"]["accuracy"] - found["b"]["accuracy"]).interval()
        held += low <= truth <= high
    return held / num_trials


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    assert 0.92 <= coverage(num_seeds=1, seed_deviation=0.0, num_trials=300) <= 0.98
    assert 0.92 <= coverage(num_seeds=5, seed_deviation=0.1, num_trials=300) <= 0.98
    # one seed says nothing of how seeds differ: that is why there are several
    assert coverage(num_seeds=1, seed_deviation=0.1, num_trials=100) < 0.7


def grouped_coverage(num_groups: int, num_trials: int, by_group: bool) -> np.ndarray:
    """Return how often intervals of an accuracy, a macro-F1 and a difference hold the truth, [3].

    Groups are of ten documents. The chance to be right is drawn for each group and arm, from a beta
    distribution of mean 0.7, such that two documents of a group are right with correlation 0.3. The
    two classes are equally frequent and confused with each other, so macro-F1 is 0.7 too.
    """
    draw = np.random.default_rng(4)
    groups = np.repeat(np.arange(num_groups), 10)
    units = groups if by_group else alone(groups)
    total = 1 / 0.3 - 1  # of a beta-binomial's parameters a and b, its correlation is 1/(a + b + 1)
    held = np.zeros(3)
    for trial in range(num_trials):
        labels = draw.integers(0, 2, len(groups))
        arms = {}
        for name in "ab":
            chances_N = draw.beta(0.7 * total, 0.3 * total, num_groups)[groups]
            arms[name] = np.where(draw.random(len(groups)) < chances_N, labels, 1 - labels)[None]
        found = resample_scores(labels, units, arms, 2, 200, trial)
        difference = found["a"]["accuracy"] - found["b"]["accuracy"]
        scores = (found["a"]["accuracy"], found["a"]["macro_f1"], difference)
        for at, (score, truth) in enumerate(zip(scores, (0.7, 0.7, 0.0), strict=True)):
            low, high = score.interval()
            held[at] += low <= truth <= high
    return held / num_trials


def test_intervals_of_alike_documents_hold_the_truth_if_groups_are_drawn() -> None:
    by_group = grouped_coverage(num_groups=50, num_trials=1000, by_group=True)
    assert all((by_group > 0.91) & (by_group < 0.97)), by_group
    by_document = grouped_coverage(num_groups=50, num_trials=60, by_group=False)
    assert all(by_document < 0.85), by_document


def test_few_groups_cover_less() -> None:
    """What the module's docstring says of ten and of five groups."""
    ten = grouped_coverage(num_groups=10, num_trials=400, by_group=True)
    five = grouped_coverage(num_groups=5, num_trials=400, by_group=True)
    assert all((ten > 0.86) & (ten < 0.95)), ten
    assert all((five > 0.80) & (five < 0.92)), five


def test_a_thousand_documents_of_seven_models_take_about_a_second() -> None:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 20, 1000)
    arms = {
        name: draw.integers(0, 20, (size, 1000))
        for name, size in zip("abc", (3, 3, 1), strict=True)
    }
    started = time.perf_counter()
    resample_scores(labels, alone(labels), arms, 20, 2000, 0)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("predicted", "groups", "message"),
    [
        (np.zeros((1, 0)), [0, 1, 2], r"\(1, 0\) predictions, \(3,\) labels"),
        (np.zeros((1, 4)), [0, 1, 2], r"\(1, 4\) predictions, \(3,\) labels"),
        (np.zeros((0, 3)), [0, 1, 2], r"\(0, 3\) predictions, \(3,\) labels"),
        (np.zeros(3), [0, 1, 2], r"\(3,\) predictions, \(3,\) labels"),
        (np.full((1, 3), 7), [0, 1, 2], "outside of the 2"),
        (np.full((1, 3), -1), [0, 1, 2], "outside of the 2"),
        (np.zeros((1, 3)), [0, 1], r"\(2,\) groups, \(3,\) labels"),
        (np.zeros((1, 3)), [4, 4, 4], "all documents are of one group"),
    ],
)
def test_what_does_not_fit_is_refused(
    predicted: np.ndarray, groups: list[int], message: str
) -> None:
    labels, arms = np.zeros(3, np.int64), {"a": predicted.astype(np.int64)}
    with pytest.raises(ValueError, match=message):
        resample_scores(labels, np.array(groups), arms, 2, 10, 0)


def test_no_document_is_refused() -> None:
    nothing = np.zeros(0, np.int64)
    with pytest.raises(ValueError, match=r"\(1, 0\) predictions, \(0,\) labels"):
        resample_scores(nothing, nothing, {"a": nothing[None]}, 2, 10, 0)
