"""What deduplication costs as a corpus grows: each step's time, and the memory of the process.

    python -m benchmarks.dedupe_scale --shared FOLDER [--documents 1000000] [--sentences 18]

Documents of some 2,000 bytes (18 sentences) are put together from sentences of real reviews: every
tenth is an earlier one with some words changed, every hundredth an earlier one as it is, and every
200th is one of a few templates with another name and number in it. They go through the real steps
on a home on disk, with two workers. `--dask` computes partitions on two processes of a Dask cluster
instead of threads; the digests printed must be the same.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.corpora import read_texts
from data_contracts.documents import DECISIONS, DOCUMENTS, doc_id, hash_text
from pipelines.dedupe import (
    choose_kept,
    compare_candidates,
    compute_signatures,
    find_candidates,
    link_duplicates,
    sign_bands,
)
from pipelines.dedupe.near_config import NearConfig
from store.datasets import Dataset
from store.graph import Graph, Node
from store.peak_memory import peak_bytes
from store.plan import NodePlan, plan_node
from store.runner import Runner
from store.step import Inputs, Output, SourcePart, Step, uncounted
from store.storage import Storage

PART_DOCUMENTS = 50_000
NUM_TEMPLATES = 20
SIZES = pa.schema([DECISIONS.field("doc_id"), pa.field("num_chars", pa.int64())])


@dataclass(frozen=True)
class MadeConfig:
    """How many documents, and where the sentences are that they are made of."""

    num_documents: int
    num_sentences: int  # of a document; of some 115 bytes each
    shared: str = uncounted("")


@cache
def sentences(shared: str) -> pa.Array:
    """Return some 150,000 sentences of reviews, the same ones each time."""
    texts = read_texts("reviews", Path(shared), 15_000)
    cleaned = (re.sub(r"<br />", " ", text) for text in texts)
    found = [one for text in cleaned for one in re.split(r"(?<=[.!?])\s+", text) if len(one) > 30]
    return pa.array(found)


def mixed(numbers: np.ndarray, salt: int) -> np.ndarray:
    """Return numbers that look drawn, a function of each number alone (splitmix64's finish)."""
    with np.errstate(over="ignore"):
        z = (numbers.astype(np.uint64) + np.uint64(salt)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def models_of(numbers: np.ndarray) -> np.ndarray:
    """Return the number of the document whose sentences each document has: mostly its own."""
    earlier = mixed(numbers, 1) % np.maximum(numbers // 10, 1).astype(np.uint64)
    earlier = earlier.astype(np.int64) * 10 + 1
    models = np.where(numbers % 10 == 9, earlier, numbers)
    template = (mixed(numbers, 2) % np.uint64(NUM_TEMPLATES)).astype(np.int64) * 10 + 1
    return np.where(numbers % 200 == 199, template, models)


def texts_of(numbers: np.ndarray, size: int, pool: pa.Array) -> list[str]:
    """Return the documents' texts, each whichever others are made."""
    models = models_of(numbers)
    drawn = mixed(np.repeat(models, size) * 64 + np.tile(np.arange(size), len(models)), 3)
    chosen = pool.take(pa.array((drawn % np.uint64(len(pool))).astype(np.int64)))
    offsets = pa.array(np.arange(0, len(chosen) + 1, size, dtype=np.int32))
    texts = pc.binary_join(pa.ListArray.from_arrays(offsets, chosen), " ").to_pylist()
    for place, number in enumerate(numbers.tolist()):
        if number % 200 == 199:
            texts[place] += f" {pool[number % len(pool)].as_py().split()[0]} owes {number}."
        elif number % 10 == 9 and number % 100 != 99:
            texts[place] = with_words_changed(texts[place], number)
    return texts


def with_words_changed(text: str, number: int) -> str:
    """Return a text in which one to seven of its words are another."""
    draw, words = random.Random(number), text.split(" ")
    for _ in range(draw.randrange(1, 8)):
        words[draw.randrange(len(words))] = "xx"
    return " ".join(words)


def make_documents(inputs: Inputs, config: MadeConfig) -> Output:
    """Write one partition of documents."""
    start, pool = int(inputs.key), sentences(config.shared)
    end = min(start + PART_DOCUMENTS, config.num_documents)
    runs = (np.arange(first, min(first + 10_000, end)) for first in range(start, end, 10_000))
    batches = (
        documents_of(run, inputs.key, texts_of(run, config.num_sentences, pool)) for run in runs
    )
    return Output(rows=batches, facts={"records_framed": end - start})


def documents_of(numbers: np.ndarray, key: str, texts: list[str]) -> pa.RecordBatch:
    """Return documents as rows."""
    keys = [str(number) for number in numbers.tolist()]
    size = len(texts)
    columns = {
        "doc_id": [doc_id("made", key) for key in keys],
        "source": ["made"] * size,
        "uri": [key] * size,
        "record_key": keys,
        "kind": ["text"] * size,
        "text": texts,
        "text_hash": [hash_text(text) for text in texts],
        "labels": [[]] * size,
        "num_repairs": [0] * size,
    }
    return pa.RecordBatch.from_arrays(
        [pa.array(columns.get(f.name, [None] * size), f.type) for f in DOCUMENTS], schema=DOCUMENTS
    )


def list_parts(config: MadeConfig) -> list[SourcePart]:
    """Return the partitions; they are of no file."""
    return [
        SourcePart(f"{start:09d}", ()) for start in range(0, config.num_documents, PART_DOCUMENTS)
    ]


@dataclass(frozen=True)
class NoConfig:
    """Nothing is asked."""


def measure_sizes(inputs: Inputs, config: NoConfig) -> Output:
    """Measure what the choice asks for."""
    rows = inputs.one("documents").table(["doc_id", "text"])
    sizes = pc.utf8_length(rows["text"]).cast(pa.int64())
    return Output(pa.table([rows["doc_id"], sizes], schema=SIZES))


def keep_all(inputs: Inputs, config: NoConfig) -> Output:
    """Decide to keep every document."""
    ids = inputs.one("signals").table(["doc_id"])["doc_id"]
    nothing = pa.nulls(len(ids), pa.string())
    return Output(pa.table([ids, pa.array([True] * len(ids)), nothing, nothing], schema=DECISIONS))


MAKE = Step(
    "make_documents", 1, "source", make_documents, MadeConfig, DOCUMENTS, list_parts=list_parts
)
MEASURE = Step(
    "measure_sizes", 1, "map", measure_sizes, NoConfig, SIZES, {"documents": "aligned"},
    accounts_for="documents",
)  # fmt: skip
DECIDE = Step(
    "keep_all", 1, "map", keep_all, NoConfig, DECISIONS, {"signals": "aligned"},
    accounts_for="signals",
)  # fmt: skip


def build_graph(made: MadeConfig, near: NearConfig) -> Graph:
    """Return the steps from made documents to choices."""
    documents, signatures = {"documents": "make_documents"}, {"signatures": "compute_signatures"}
    buckets = near.num_buckets
    compared = {"candidates": "find_candidates", **signatures, **documents}
    chosen = {
        "decisions": "keep_all",
        "signals": "measure_sizes",
        "edges": "link_duplicates",
        "pairs": "compare_candidates",
    }
    return Graph(
        [
            Node(MAKE, made),
            Node(MEASURE, NoConfig(), documents),
            Node(DECIDE, NoConfig(), {"signals": "measure_sizes"}),
            Node(compute_signatures.STEP, compute_signatures.SignaturesConfig(buckets), documents),
            Node(link_duplicates.STEP, link_duplicates.LinkConfig(buckets), signatures),
            Node(sign_bands.STEP, near.bands(), {**documents, **signatures}),
            Node(find_candidates.STEP, near.candidates(), {"bands": "sign_bands"}),
            Node(compare_candidates.STEP, compare_candidates.CompareConfig(), compared),
            Node(choose_kept.STEP, choose_kept.ChoiceConfig(), chosen),
        ]
    )


@contextmanager
def executor_of(dask: bool) -> Iterator[Executor | None]:
    """Yield an executor on two processes of a Dask cluster, or none."""
    if not dask:
        yield None
        return
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor()


def main() -> None:
    """Run the steps, and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", required=True)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--sentences", type=int, default=18)
    parser.add_argument("--buckets", type=int, default=16)
    parser.add_argument("--home")
    parser.add_argument("--dask", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, executor_of(asked.dask) as executor:
        storage = Storage(asked.home or folder)
        made = MadeConfig(asked.documents, asked.sentences, asked.shared)
        graph = build_graph(made, NearConfig(num_buckets=asked.buckets))
        print(f"{asked.documents:,} documents, {asked.buckets} buckets, 2 workers\n")
        print("| step | seconds | rows | MB written | peak RSS GiB | digest |")
        print("|---|---|---|---|---|---|")
        plans: dict[str, NodePlan] = {}
        with Runner(storage, 2, executor) as runner:
            for node in graph:
                started = time.perf_counter()
                result = runner.run(plan_node(storage, node, plans))
                plans[node.name] = plan_node(storage, node, plans)
                print_row(node.name, time.perf_counter() - started, result.dataset)


def print_row(step: str, seconds: float, dataset: Dataset) -> None:
    """Print what a step came to."""
    rows = sum(part.num_rows for part in dataset.parts)
    size = dataset.size_bytes / 1e6
    peak = peak_bytes() / 2**30
    print(
        f"| {step} | {seconds:.1f} | {rows:,} | {size:,.0f} | {peak:.2f} | {dataset.digest[:8]} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
