"""Deduplication by the real steps on a home: workers, nights and withdrawals change no row."""

import json
import random

import pytest
from near_steps import random_texts

from pipelines import apply_policy, compute_signals
from pipelines.dedupe import (
    choose_kept,
    compare_candidates,
    compute_signatures,
    find_candidates,
    link_duplicates,
    sign_bands,
)
from pipelines.dedupe.near_config import NearConfig
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.ingest import STEP as INGEST
from pipelines.signals.family import SignalsConfig
from pipelines.signals.registry import with_asked
from store.graph import Graph, Node
from store.plan import plan_node
from store.runner import Runner
from store.storage import Storage

NUM_FILES = 4


def graph_of(texts, near=None):
    near = near or NearConfig(num_bands=20, num_rows=2, num_buckets=4)
    signals = with_asked(SignalsConfig(), {"num_chars", "num_words"})
    documents, signatures = {"documents": "ingest"}, {"signatures": "compute_signatures"}
    chosen = {
        "decisions": "apply_policy",
        "signals": "compute_signals",
        "edges": "link_duplicates",
        "pairs": "compare_candidates",
    }
    compared = {"candidates": "find_candidates", **signatures, **documents}
    policy = apply_policy.PolicyConfig(rules=(("length.too_short", "num_words < 4"),))
    choice = choose_kept.ChoiceConfig(verify="jaccard", min_jaccard=0.6)
    return Graph(
        [
            Node(INGEST, IngestConfig("files", "texts", str(texts), max_bundle_file_bytes=1)),
            Node(compute_signals.STEP, signals, documents),
            Node(apply_policy.STEP, policy, {"signals": "compute_signals"}),
            Node(compute_signatures.STEP, compute_signatures.SignaturesConfig(2), documents),
            Node(link_duplicates.STEP, link_duplicates.LinkConfig(2), signatures),
            Node(sign_bands.STEP, near.bands(), {**documents, **signatures}),
            Node(find_candidates.STEP, near.candidates(), {"bands": "sign_bands"}),
            Node(compare_candidates.STEP, compare_candidates.CompareConfig(), compared),
            Node(choose_kept.STEP, choice, chosen),
        ]
    )


def run(home, graph, workers=1, executor=None):
    """Run all steps; return their datasets by name."""
    plans = {}
    with Runner(Storage(str(home)), workers, executor) as runner:
        for node in graph:
            runner.run(plan_node(runner.storage, node, plans))
            plans[node.name] = plan_node(runner.storage, node, plans)
    return {name: plan.dataset() for name, plan in plans.items()}


def digests(datasets):
    return {name: dataset.digest for name, dataset in datasets.items()}


@pytest.fixture(scope="module")
def files():
    """Four files of texts, families of near-duplicates among them, across the files."""
    texts = list(random_texts(3, num_families=40).items())
    random.Random(1).shuffle(texts)
    return {
        f"file-{number}.jsonl": "".join(
            json.dumps({"id": one, "text": text}) + "\n" for one, text in texts[number::NUM_FILES]
        )
        for number in range(NUM_FILES)
    }


def write(folder, files, names=None):
    folder.mkdir(exist_ok=True)
    for name in names if names is not None else files:
        (folder / name).write_text(files[name])
    return folder


def facts_of(datasets):
    (part,) = datasets["compare_candidates"].parts
    return part.facts["pairs_measured_before"], part.num_rows


def test_night_after_night_is_one_run_of_all(tmp_path, files):
    at_once = run(tmp_path / "once", graph_of(write(tmp_path / "all", files)))
    reasons = at_once["choose_kept"].reasons()
    assert reasons["duplicate.near"] > 10
    assert reasons["duplicate.exact_text"] > 0

    measured = []
    for number in (2, 0, 3, 1):
        write(tmp_path / "nightly", files, [f"file-{number}.jsonl"])
        night = run(tmp_path / "nights", graph_of(tmp_path / "nightly"))
        measured.append(facts_of(night))
    assert digests(night) == digests(at_once)
    assert measured[0][0] == 0
    assert all(known > 0 for known, _ in measured[1:])
    assert all(known < pairs for known, pairs in measured)

    (tmp_path / "nightly" / "file-3.jsonl").unlink()  # a batch is withdrawn
    without = run(tmp_path / "nights", graph_of(tmp_path / "nightly"))
    others = [name for name in files if name != "file-3.jsonl"]
    alone = run(tmp_path / "alone", graph_of(write(tmp_path / "others", files, others)))
    assert digests(without) == digests(alone)
    known, pairs = facts_of(without)
    assert pairs > known > pairs / 2  # some texts now stand for others that are gone


def test_other_bands_take_nothing_over_that_is_theirs(tmp_path, files):
    texts = write(tmp_path / "texts", files)
    run(tmp_path / "home", graph_of(texts))
    other = graph_of(texts, NearConfig(preset="high-recall", num_buckets=4))
    again = run(tmp_path / "home", other)
    assert digests(again) == digests(run(tmp_path / "new", other))


@pytest.mark.slow
def test_threads_and_dask_processes_write_the_same(tmp_path, files):
    import distributed

    graph = graph_of(write(tmp_path / "texts", files))
    alone = digests(run(tmp_path / "one", graph))
    assert digests(run(tmp_path / "two", graph, workers=2)) == alone
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        executor = client.get_executor()
        assert digests(run(tmp_path / "dask", graph, workers=2, executor=executor)) == alone
        told = client.run(lambda: __import__("sys").modules.get("pipelines.dedupe.sign_bands"))
        assert len(told) == 2
        assert all(told.values())
