"""`store.accepted`: which datasets later runs are compared with, step by step."""

from dataclasses import replace

import pytest
from toy_steps import age, record_run, run_graph, toy_graph, write_file

from store.accepted import (
    accept,
    accepted_name,
    accepted_runs,
    baseline_of,
    baselines,
    find_acceptance,
    record_acceptance,
)
from store.errors import Damaged, UsageError
from store.gc import collect_garbage
from store.runs import begin_run, find_run, save_run


@pytest.fixture
def nights(home, corpus):
    """Three finished runs of one recipe, a file more in each; returns their datasets by step."""
    datasets = []
    for number, name in enumerate(("one", "two", "three"), start=1):
        write_file(corpus, 10 + number)
        made = run_graph(home, toy_graph(corpus))
        record_run(home, name, made, started_at=f"2024-01-0{number}T00:00:00+00:00")
        run = find_run(home, name)
        datasets.append({record.step: record.dataset for record in run.steps})
    return datasets


def test_the_baseline_is_what_was_accepted_last_not_what_ran_last(home, nights):
    recipe = find_run(home, "one").recipe_name
    assert baseline_of(home, recipe) == {}
    accept(home, find_run(home, "one"), "ann", "looked at it")
    assert baseline_of(home, recipe) == nights[0]
    accept(home, find_run(home, "three"), "checks")
    assert baseline_of(home, recipe) == nights[2]
    accept(home, find_run(home, "two"), "ann")  # a person goes back
    assert baseline_of(home, recipe) == nights[1]
    assert [one.run for one in accepted_runs(home)] == ["two", "three", "one"]
    assert baseline_of(home, "another recipe") == {}


def test_a_run_that_was_stopped_half_way_is_accepted_as_far_as_it_came(home, nights):
    accept(home, find_run(home, "one"), "ann")
    run = find_run(home, "two")
    first = run.steps[0]
    save_run(home, replace(run, steps=(first,), state="failed"))
    accept(home, find_run(home, "two"), "ann")
    baseline = baseline_of(home, run.recipe_name)
    assert baseline == {**nights[0], first.step: first.dataset}
    assert first.dataset != nights[0][first.step]
    assert [one.run for one in baselines(home)] == ["two", "one"]
    accept(home, find_run(home, "three"), "ann")
    assert [one.run for one in baselines(home)] == ["three"]


def test_what_was_collected_is_no_baseline(home, nights):
    accept(home, find_run(home, "one"), "ann")
    run = find_run(home, "one")
    home.delete(f"datasets/{run.steps[0].step}/{run.steps[0].dataset}.json")
    assert set(baseline_of(home, run.recipe_name)) == {s.step for s in run.steps[1:]}


def test_garbage_collection_spares_the_baseline(home, nights):
    accept(home, find_run(home, "one"), "ann")
    age(home)
    collect_garbage(home, delete=True, keep_runs=1)
    assert find_run(home, "one") is not None
    assert find_run(home, "two") is None
    assert baseline_of(home, find_run(home, "one").recipe_name) == nights[0]


def test_a_run_at_work_or_without_output_is_refused(home):
    run = begin_run(home, "toy", {}, "at-work")
    with pytest.raises(UsageError, match="still at work"):
        accept(home, run, "ann")
    with pytest.raises(UsageError, match="no output"):
        record_acceptance(home, replace(run, state="failed"), "ann")
    assert find_acceptance(home, "at-work") is None


def test_a_damaged_acceptance_is_named(home, nights):
    accept(home, find_run(home, "one"), "ann")
    home.replace_json(accepted_name("one"), {"run": "one", "colour": "blue"})
    with pytest.raises(Damaged, match=r"runs/one/accepted\.json"):
        list(accepted_runs(home))
