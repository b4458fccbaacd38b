from __future__ import annotations

import pytest

from catalog.report.facts import Score
from catalog.report.verdict import judgement

VALUES = {"pretrained": 0.71, "scratch": 0.62, "tfidf": 0.74}


def arm(name: str, metric: str = "accuracy") -> Score:
    return Score(name, None, metric, VALUES[name], 0.5, 0.8, 100, 3, None)


def pair(
    first: str, second: str, verdict: str, metric: str = "accuracy", value: float = 0.09
) -> Score:
    return Score(first, second, metric, value, value - 0.01, value + 0.01, 100, 3, verdict)


ARMS = [arm(name) for name in VALUES]


@pytest.mark.parametrize(
    ("verdict", "beginning"),
    [
        ("better", "Pre-training made the classifier better: "),
        ("equal", "Pre-training made no difference that can be told from chance: "),
        ("worse", "Pre-training made the classifier worse: "),
    ],
)
def test_the_sentence_says_the_verdict_that_was_recorded(verdict: str, beginning: str) -> None:
    told = judgement([*ARMS, pair("pretrained", "scratch", verdict)])
    assert told == (
        f"{beginning}accuracy 0.710 against 0.620 from scratch; the TF-IDF baseline reaches 0.740."
    )


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("better", "is behind the pre-trained model"),
        ("equal", "cannot be told from the pre-trained model"),
        ("worse", "is ahead of the pre-trained model"),
    ],
)
def test_the_baseline_is_told_as_it_was_judged(verdict: str, words: str) -> None:
    scores = [*ARMS, pair("pretrained", "scratch", "better"), pair("pretrained", "tfidf", verdict)]
    assert judgement(scores).endswith(f"; the TF-IDF baseline, at 0.740, {words}.")


def test_measures_that_disagree_are_both_told() -> None:
    scores = [
        *ARMS,
        *(arm(name, "macro_f1") for name in VALUES),
        pair("pretrained", "scratch", "equal"),
        pair("pretrained", "scratch", "better", "macro_f1"),
    ]
    told = judgement(scores)
    assert told.startswith("What pre-training did depends on the measure: ")
    assert "accuracy 0.710 against 0.620 from scratch (equal)" in told
    assert "macro-F1 0.710 against 0.620 from scratch (better)" in told


def test_without_a_comparison_none_is_claimed() -> None:
    told = judgement([arm("pretrained"), arm("tfidf")])
    assert "Pre-training made" not in told
    assert "pre-trained 0.710, TF-IDF 0.740" in told
    assert "no pre-trained model was compared with one from scratch" in told


def test_without_a_baseline_none_is_named() -> None:
    scores = [arm("pretrained"), arm("scratch"), pair("pretrained", "scratch", "better")]
    assert "TF-IDF" not in judgement(scores)


def test_without_scores_nothing_is_said() -> None:
    assert judgement([]) == ""
