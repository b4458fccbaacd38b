"""Clusters against the choices that were written down."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from similar_run import DROPPED, POLICY_DROPS, TEXTS, named, similar_run

from catalog.clusters import Document, clusters, clusters_of
from catalog.opened import OpenedRun
from catalog.relations import connect
from data_contracts.errors import NotFound


@pytest.fixture(scope="module")
def similar(fake: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> OpenedRun:
    return similar_run(fake, tmp_path_factory.mktemp("similar"))


def test_totals_are_those_of_the_choice(similar: OpenedRun) -> None:
    found = clusters(similar, 10)
    assert found.num_documents == sum(map(len, TEXTS.values())) - len(POLICY_DROPS)
    assert found.reasons == dict(Counter(reason for reason, *_ in DROPPED.values()))
    assert found.num_clusters == len({partner for _, partner, *_ in DROPPED.values()}) == 2


def test_a_cluster_has_its_kept_document_and_what_went_for_it(similar: OpenedRun) -> None:
    largest, other = clusters(similar, 10).largest
    assert largest.kept == Document(named("a"), "p0<i>.txt", "a", len(TEXTS["p0"]["a"]))
    assert (largest.num_members, other.num_members) == (4, 1)
    assert largest.reasons == {
        "duplicate.exact_normalised": 1,
        "duplicate.exact_text": 1,
        "duplicate.near": 2,
    }
    assert (largest.least_jaccard, largest.greatest_jaccard) == (0.75, 1.0)
    assert (other.kept.record_key, other.least_jaccard, other.greatest_jaccard) == ("g", 0.8, 0.8)


def test_the_least_similar_members_come_first(similar: OpenedRun) -> None:
    (largest,) = clusters(similar, 1, num_members=3).largest
    assert [member.document.record_key for member in largest.members[:2]] == ["e", "b"]
    equal = min(("c", "d"), key=named)  # ties by doc_id
    assert largest.members[2].document.record_key == equal
    first = largest.members[0]
    assert (first.reason, first.jaccard, first.containment) == ("duplicate.near", 0.75, 0.8)


def test_limits_bound_what_is_shown_and_not_what_is_counted(similar: OpenedRun) -> None:
    assert clusters(similar, 0).largest == ()
    assert clusters(similar, 0).num_clusters == 2
    assert [c.kept.record_key for c in clusters(similar, 1).largest] == ["a"]


def test_clusters_of_some_documents(similar: OpenedRun) -> None:
    with connect(similar.views) as connection:
        found = clusters_of(connection, similar, [named(key) for key in ("g", "h", "b")])
        assert clusters_of(connection, similar, []) == {}
    assert list(found) == [named("g")]
    assert [m.document.record_key for m in found[named("g")].members] == ["k"]


def test_clusters_of_a_real_choice_are_its_partners(
    finished: object, fake: SimpleNamespace
) -> None:
    assert isinstance(finished, fake.Home)
    opened = OpenedRun(finished.storage, finished.run)
    found = clusters(opened, 3)
    assert found.num_clusters == sum(
        1 for row in opened.table("choose_kept", ["partner_id"]).group_by("partner_id")
        .aggregate([]).to_pylist() if row["partner_id"]
    )  # fmt: skip
    assert found.num_clusters > 0


def test_a_run_that_made_no_choice_is_told_so(fake: SimpleNamespace, tmp_path: Path) -> None:
    opened = similar_run(fake, tmp_path, without=("choose_kept",))
    with pytest.raises(NotFound, match="choose_kept"):
        clusters(opened, 3)
