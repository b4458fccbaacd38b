"""Estimates: before and after a step has ever run, and the room that they ask for."""

import pytest
from toy_steps import run_graph, toy_graph

from store.errors import DiskFull
from store.estimate import check_room, estimate_graph, step_rates
from store.plan import plan_graph
from store.storage import Storage


def costs(home, graph):
    return estimate_graph(home, plan_graph(home, graph), workers=1)


def test_a_run_that_would_not_fit_is_refused_before_it_begins(home, corpus, monkeypatch):
    monkeypatch.setattr(Storage, "free_bytes", lambda self: 10)
    with pytest.raises(DiskFull, match=r"estimated to write .* MB free; make room"):
        check_room(home, costs(home, toy_graph(corpus)).values())
    assert not list(home.list(""))


def test_a_bucket_has_room(home, corpus, monkeypatch):
    monkeypatch.setattr(Storage, "free_bytes", lambda self: None)
    check_room(home, costs(home, toy_graph(corpus)).values())


def test_rates_are_measured_from_receipts(home, corpus):
    graph = toy_graph(corpus)
    before = costs(home, graph)
    assert all(cost.size_bytes > 0 for cost in before.values())
    first = graph.names()[0]
    assert not step_rates(home, first).is_measured
    run_graph(home, graph)
    assert step_rates(home, first).is_measured
    assert {cost.size_bytes for cost in costs(home, graph).values()} == {0}
    wider = toy_graph(corpus, min_chars=9)
    assert sum(cost.size_bytes for cost in costs(home, wider).values()) > 0
