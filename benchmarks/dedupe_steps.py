"""The steps from files of texts to the choice among duplicates, on a home of their own.

    .venv/bin/python -m benchmarks.dedupe_steps TEXTS ANSWERS CACHE strict|jaccard

TEXTS has the columns ``id`` and ``text``. The real steps of the store run with one worker on one
core: ingest, signals (the sizes that every run needs), no rule of a policy, signatures, bands,
candidates, pairs, choice. The ids of the kept texts are written. Printed as JSON are the seconds of
processor time of each step and in all, the seconds by the clock, and the peak of memory in MiB. A
run on a few texts comes first, so that compiling is not counted; CACHE is where compiled kernels
lie. The last argument is the rule by which pairs are near-duplicates.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts.documents import doc_id
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
from pipelines.kernels.cache import use_cache_dir
from pipelines.signals.family import SignalsConfig
from pipelines.signals.registry import NEEDED
from store.datasets import StoredPart
from store.graph import Graph, Node
from store.peak_memory import peak_bytes
from store.plan import NodePlan, plan_node
from store.runner import Runner
from store.storage import Storage

SOURCE = "texts"
WARM_UP = 20  # texts


def graph_of(folder: Path, choice: choose_kept.ChoiceConfig) -> Graph:
    """Return the steps that come to the choice among the documents of a folder."""
    documents, signatures = {"documents": "ingest"}, {"signatures": "compute_signatures"}
    signals, near = {"signals": "compute_signals"}, NearConfig()
    buckets = compute_signatures.SignaturesConfig()
    chosen = {
        "decisions": "apply_policy",
        **signals,
        "edges": "link_duplicates",
        "pairs": "compare_candidates",
    }
    compared = {"candidates": "find_candidates", **signatures, **documents}
    return Graph(
        [
            Node(INGEST, IngestConfig("files", SOURCE, str(folder))),
            Node(compute_signals.STEP, SignalsConfig(families=NEEDED), documents),
            Node(apply_policy.STEP, apply_policy.PolicyConfig(), signals),
            Node(compute_signatures.STEP, buckets, documents),
            Node(link_duplicates.STEP, link_duplicates.LinkConfig(buckets.num_buckets), signatures),
            Node(sign_bands.STEP, near.bands(), {**documents, **signatures}),
            Node(find_candidates.STEP, near.candidates(), {"bands": "sign_bands"}),
            Node(compare_candidates.STEP, compare_candidates.CompareConfig(), compared),
            Node(choose_kept.STEP, choice, chosen),
        ]
    )


def run_steps(
    texts: pa.Table, folder: Path, choice: choose_kept.ChoiceConfig
) -> tuple[list[str], dict[str, float]]:
    """Run the steps on a new home; return the ids that are kept, and each step's processor time."""
    source = folder / "texts"
    source.mkdir(parents=True)
    with (source / "texts.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in texts.to_pylist())
    seconds = {}
    plans: dict[str, NodePlan] = {}
    with Runner(Storage(str(folder / "home"))) as runner:
        for node in graph_of(source, choice):
            started = time.process_time()
            runner.run(plan_node(runner.storage, node, plans))
            plans[node.name] = plan_node(runner.storage, node, plans)
            seconds[node.name] = time.process_time() - started
        chosen = plans["choose_kept"].dataset()
        assert chosen is not None
        tables = [
            StoredPart(runner.storage, receipt, receipt.key).table() for receipt in chosen.parts
        ]
    rows = pa.concat_tables(tables)
    kept = set(rows.filter(rows["keep"])["doc_id"].to_pylist())
    return [one for one in texts["id"].to_pylist() if doc_id(SOURCE, one) in kept], seconds


def _doubled(texts: pa.Table) -> pa.Table:
    """Return some texts, and each again with more behind it, so that there is what to compare."""
    longer = pc.binary_join_element_wise(texts["text"], "with more words behind it", " ")
    ids = pc.binary_join_element_wise(texts["id"], "again", "-")
    return pa.concat_tables([texts, pa.table({"id": ids, "text": longer})])


def main(source: Path, target: Path, cache: Path, verify: str) -> dict[str, object]:
    """Write what is kept; return what it took."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    use_cache_dir(cache)
    texts = pq.read_table(source, columns=["id", "text"])
    choice = choose_kept.ChoiceConfig(verify=verify)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        run_steps(_doubled(texts.slice(0, WARM_UP)), Path(folder, "warm"), choice)
        started = time.perf_counter()
        kept, steps = run_steps(texts, Path(folder, "whole"), choice)
        seconds = time.perf_counter() - started
    pq.write_table(pa.table({"id": kept}), target)
    peak = peak_bytes() / 2**20
    spent = sum(steps.values())
    return {"seconds": seconds, "stages": steps, "cpu_seconds": spent, "peak_mib": peak}


if __name__ == "__main__":
    given, answers, kernels = map(Path, sys.argv[1:4])
    print(json.dumps(main(given, answers, kernels, sys.argv[4])))
