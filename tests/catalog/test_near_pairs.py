"""Pairs side by side, against measures and choices that were written down."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from similar_run import MEASURED, TEXTS, named, similar_run

from catalog.near_pairs import NearPair, NearPairs, compare_documents, near_pairs
from catalog.opened import OpenedRun
from catalog.text_difference import text_difference
from data_contracts.errors import NotFound, UsageError

ALL = {**TEXTS["p0"], **TEXTS["p1"]}


@pytest.fixture(scope="module")
def similar(fake: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> OpenedRun:
    return similar_run(fake, tmp_path_factory.mktemp("similar"))


def keys(pair: NearPair) -> tuple[str | None, str | None]:
    return pair.left.record_key, pair.right.record_key


def test_of_each_cluster_the_least_similar_pair_is_shown(similar: OpenedRun) -> None:
    found = near_pairs(similar, 5, 5)
    assert [keys(pair) for pair in found.dropped] == [("a", "e"), ("g", "k")]
    first = found.dropped[0]
    assert first.measures == {"jaccard": 0.75, "containment": 0.8}
    assert first.difference == text_difference(ALL["a"], ALL["e"])
    assert [len(near_pairs(similar, n, 5).dropped) for n in (0, 1)] == [0, 1]


def test_pairs_of_which_both_stay_are_kept_apart(similar: OpenedRun) -> None:
    found = near_pairs(similar, 0, 5)
    assert found.num_pairs == len(MEASURED)
    assert found.num_kept_apart == 3  # f and g for i and g; g and j; f and j for i and j
    apart = [set(keys(pair)) for pair in found.kept_apart]
    assert apart[0] == {"f", "g"}  # i went by the policy: f stands for its text
    assert found.kept_apart[0].measures["jaccard"] == 0.97
    assert found.kept_apart[0].measures["odd_slips"] == 3
    assert not {"rule_version", "odd_note", "num_kept_apart"} & set(found.kept_apart[0].measures)
    firsts = [pair.left.doc_id for pair in found.kept_apart]
    assert len(set(firsts)) == len(firsts) >= 2
    assert len(near_pairs(similar, 0, 1).kept_apart) == 1
    assert near_pairs(similar, 0, 1).num_kept_apart == 3


@pytest.mark.parametrize(("least", "number"), [(0.96, 2), (0.98, 0)])
def test_what_the_recipe_asks_says_what_is_similar(
    similar: OpenedRun, least: float, number: int
) -> None:
    recipe = {**similar.run.recipe, "dedupe": {"min_jaccard": least}}
    opened = OpenedRun(similar.storage, replace(similar.run, recipe=recipe))
    assert near_pairs(opened, 1, 5).num_kept_apart == number


def test_a_recipe_that_does_not_ask_leaves_it_open(similar: OpenedRun) -> None:
    opened = OpenedRun(similar.storage, replace(similar.run, recipe={}))
    found = near_pairs(opened, 1, 5)
    assert (found.num_kept_apart, found.kept_apart, len(found.dropped)) == (None, (), 1)


def test_a_run_of_before_there_were_pairs(fake: SimpleNamespace, tmp_path: Path) -> None:
    opened = similar_run(fake, tmp_path, without=("find_candidates", "compare_candidates"))
    assert near_pairs(opened, 3, 3) == NearPairs(None, None, (), ())
    assert compare_documents(opened, "a", "b").measures == {}


def test_two_documents_that_are_asked_for(similar: OpenedRun) -> None:
    pair = compare_documents(similar, "f", named("g")[:12])
    assert keys(pair) == ("f", "g")
    assert pair.measures["jaccard"] == 0.97  # as measured of i, whose words are f's
    assert pair.difference == text_difference(ALL["f"], ALL["g"])
    assert pair.difference.num_changes == 1
    assert compare_documents(similar, "a", "h").measures == {}
    assert compare_documents(similar, "a", "a").difference.num_changes == 0
    assert compare_documents(similar, "a", "d").measures == {}


@pytest.mark.parametrize(
    ("asked", "error"), [("nosuch", NotFound), ("p0<i>.txt", UsageError), ("", UsageError)]
)
def test_a_name_must_name_one_document(
    similar: OpenedRun, asked: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        compare_documents(similar, "a", asked)
