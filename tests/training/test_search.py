"""The search: order of the grid, the first of equals, diverged is worst, edges."""

from __future__ import annotations

from training.search import TrialScore, at_edges, choose, grid


def test_the_grid_has_every_pair_in_order() -> None:
    trials = grid((1e-3, 2.5e-4), (2, 6))
    assert [str(trial) for trial in trials] == [
        "lr 1e-3, 2 epochs",
        "lr 1e-3, 6 epochs",
        "lr 2.5e-4, 2 epochs",
        "lr 2.5e-4, 6 epochs",
    ]
    assert [trial.number for trial in trials] == [1, 2, 3, 4]


def test_the_first_of_the_best_is_chosen_and_never_a_diverged_one() -> None:
    trials = grid((1e-3, 2e-3), (2, 6))
    scores = [
        TrialScore(trials[0], 9, diverged="step 3"),
        TrialScore(trials[1], 9, accuracy=0.0, macro_f1=0.5),
        TrialScore(trials[2], 9, accuracy=0.2, macro_f1=0.5),
        TrialScore(trials[3], 9, accuracy=0.2, macro_f1=0.1),
    ]
    assert choose(scores, "macro_f1") == scores[1]
    assert choose(scores, "accuracy") == scores[2]
    assert choose(scores[:2], "accuracy") == scores[1]
    assert choose(scores[:1], "accuracy") is None


def test_edges_are_named_where_the_grid_has_any() -> None:
    trials = grid((1.0, 3.0, 2.0), (4,))
    assert [at_edges(trial, trials) for trial in trials] == [
        ["lowest learning_rate"],
        ["highest learning_rate"],
        [],
    ]
    trials = grid((1.0,), (2, 4))
    assert at_edges(trials[1], trials) == ["highest epochs"]
