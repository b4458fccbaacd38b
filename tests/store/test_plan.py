"""`store.plan`: what exists, what is missing, what must wait, and what a partition is made from."""

from dataclasses import dataclass, replace

import pytest
import toy_steps as toy
from toy_steps import Config, run_graph, toy_graph, write_file

from store import plan as plan_module
from store.errors import Damaged
from store.graph import Graph, Node
from store.plan import plan_graph
from store.step import Output, uncounted


def keys(plan):
    return [part.key for part in plan.parts]


def missing(plans):
    return {name: [part.key for part in plan.missing()] for name, plan in plans.items()}


def fingerprints(plans, step):
    return {part.key: part.task.fingerprint for part in plans[step].parts if part.task}


def test_before_the_first_run_only_the_source_is_known(home, corpus):
    plans = plan_graph(home, toy_graph(corpus))
    assert keys(plans["read_lines"]) == ["part-00.txt", "part-01.txt", "part-02.txt"]
    assert [len(plan.parts) for plan in plans.values()] == [3, 3, 3, 3, 4, 1, 3]
    for name, plan in plans.items():
        assert plan.dataset() is None
        assert not plan.is_fresh()
        assert (plan.pending_on is None) == (name == "read_lines")
        assert all((part.task is None) == (name != "read_lines") for part in plan.parts)
    assert plans["measure_lines"].pending_on == "read_lines"
    assert plans["write_lines"].pending_on in ("read_lines", "choose_lines")
    assert not list(home.list(""))  # planning writes nothing


def test_after_a_run_everything_is_fresh_and_known(home, corpus):
    results = run_graph(home, toy_graph(corpus))
    before = list(home.list(""))
    plans = plan_graph(home, toy_graph(corpus))
    assert all(plan.is_fresh() for plan in plans.values())
    assert {n: p.dataset() for n, p in plans.items()} == {n: r.dataset for n, r in results.items()}
    assert keys(plans["measure_lines"]) == keys(plans["write_lines"]) == keys(plans["read_lines"])
    assert keys(plans["pair_lines"]) == [f"bucket-{i:04d}" for i in range(4)]
    assert keys(plans["choose_lines"]) == ["all"]
    assert list(home.list("")) == before


def test_a_new_file_is_one_new_partition_in_each_map_step(home, corpus):
    run_graph(home, toy_graph(corpus))
    write_file(corpus, 3)
    plans = plan_graph(home, toy_graph(corpus))
    assert missing(plans)["read_lines"] == ["part-03.txt"]
    for name in ("measure_lines", "bucket_lines"):
        assert missing(plans)[name] == ["part-03.txt"]
        assert plans[name].pending_on == "read_lines"
        assert [part.is_reused for part in plans[name].parts] == [True, True, True, False]
    for name in ("pair_lines", "choose_lines"):  # they depend on what is not computed yet
        assert all(part.task is None for part in plans[name].parts)


def test_a_removed_file_takes_its_partition_out_and_computes_nothing_aligned(home, corpus):
    run_graph(home, toy_graph(corpus))
    (corpus / "part-01.txt").unlink()
    plans = plan_graph(home, toy_graph(corpus))
    for name in ("read_lines", "measure_lines", "decide_lines", "bucket_lines"):
        assert keys(plans[name]) == ["part-00.txt", "part-02.txt"]
        assert plans[name].is_fresh()


def test_a_bucket_depends_only_on_the_parts_that_have_rows_in_it(home, corpus):
    run_graph(home, toy_graph(corpus, num_buckets=64))
    before = fingerprints(plan_graph(home, toy_graph(corpus, num_buckets=64)), "pair_lines")
    write_file(corpus, 3, num_lines=2)
    run_graph(home, toy_graph(corpus, num_buckets=64))
    plans = plan_graph(home, toy_graph(corpus, num_buckets=64))
    after = fingerprints(plans, "pair_lines")
    (receipt,) = [r for r in plans["bucket_lines"].reused() if r.key == "part-03.txt"]
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {f"bucket-{int(name):04d}" for name in receipt.slices}
    assert 0 < len(changed) < 64


def test_the_order_in_which_files_are_listed_changes_nothing(home, corpus):
    one = plan_graph(home, toy_graph(corpus))
    other = plan_graph(home, toy_graph(corpus, reverse=True))
    assert fingerprints(one, "read_lines") == fingerprints(other, "read_lines")
    assert keys(one["read_lines"]) == keys(other["read_lines"])


@dataclass(frozen=True)
class MoreConfig(Config):
    names: tuple[str, ...] = ()
    threads: int = uncounted(1)


def single(home, step=toy.READ, config=None, folder=None):
    node = Node(step, config or MoreConfig(folder=str(folder)))
    return fingerprints(plan_graph(home, Graph([node])), node.name)


def test_what_a_fingerprint_depends_on(home, corpus, monkeypatch, quick_path):
    plain = MoreConfig(folder=str(corpus))
    base = single(home, config=plain)
    moved = corpus.rename(quick_path / "elsewhere")
    same = [replace(plain, folder=str(moved)), replace(plain, folder=str(moved), threads=8)]
    assert all(single(home, config=config) == base for config in same)

    plain = same[0]
    others = [
        single(home, config=replace(plain, value=1)),
        single(home, config=replace(plain, names=("a",))),
        single(home, replace(toy.READ, version=2), plain),
        single(home, replace(toy.READ, libraries=("pyarrow",)), plain),
        dict.fromkeys(base, ""),
    ]
    monkeypatch.setattr(plan_module, "_library_version", lambda name: "99.0")
    others.append(single(home, replace(toy.READ, libraries=("pyarrow",)), plain))
    for key in base:
        assert len({one[key] for one in [base, *others]}) == len(others) + 1

    (moved / "part-00.txt").write_text("other")
    changed = single(home, config=plain)
    assert {key for key in base if changed[key] != base[key]} == {"part-00.txt"}


def test_a_library_is_named_with_its_installed_version(home, corpus):
    node = Node(replace(toy.READ, libraries=("pyarrow", "numpy")), Config(folder=str(corpus)))
    (plan,) = plan_graph(home, Graph([node])).values()
    import numpy
    import pyarrow

    installed = {"numpy": numpy.__version__, "pyarrow": pyarrow.__version__}
    assert all(part.task.made_from["libraries"] == installed for part in plan.parts)


def test_the_same_rows_under_another_key_are_another_partition(home, corpus):
    (corpus / "part-01.txt").write_text((corpus / "part-00.txt").read_text())
    fingerprint = single(home, folder=corpus)
    assert fingerprint["part-00.txt"] != fingerprint["part-01.txt"]


def test_a_source_without_files_has_a_dataset_without_partitions(home, tmp_path):
    def nothing(inputs, config):
        return Output([])

    whole = toy.step(nothing, "whole", toy.PAIRS, {"lines": "all"}, accounts_for="lines")
    node = Node(toy.READ, Config(folder=str(tmp_path)))
    graph = Graph([node, Node(whole, Config(), {"lines": "read_lines"})])
    results = run_graph(home, graph)
    assert results["read_lines"].dataset.parts == ()
    assert results["nothing"].num_computed == 1
    assert all(plan.is_fresh() for plan in plan_graph(home, graph).values())


def test_a_damaged_receipt_stops_planning(home, corpus):
    results = run_graph(home, toy_graph(corpus))
    part = results["measure_lines"].dataset.parts[0]
    name = part.data_name().replace(".parquet", ".json")
    home.replace(name, home.read(name).replace(b'"num_rows": ', b'"num_rows": 1'))
    with pytest.raises(Damaged, match=f"{name}.*--repair"):
        plan_graph(home, toy_graph(corpus))
