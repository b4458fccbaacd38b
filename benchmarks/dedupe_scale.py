"""What deduplication costs as a corpus grows: each step's time, and the memory of the process.

    python -m benchmarks.dedupe_scale --shared FOLDER [--documents 1000000] [--home FOLDER]

Documents of some 2,000 bytes are put together from sentences of real reviews: every tenth is an
earlier one with some words changed, every hundredth an earlier one as it is, and every 200th is
one of a few templates with another name and number in it. They go through the real steps on a
home on disk, with two workers. `--dask` computes partitions on two processes of a Dask cluster
instead of threads; the digests printed must be the same.
"""

from __future__ import annotations

import argparse
import random
import re
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

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
from store.plan import NodePlan, plan_node
from store.runner import Runner
from store.step import Inputs, Output, SourcePart, Step, uncounted
from store.storage import Storage

PART_DOCUMENTS = 50_000
DOCUMENT_CHARS = 2000
NUM_TEMPLATES = 20
SIZES = pa.schema([DECISIONS.field("doc_id"), pa.field("num_chars", pa.int64())])


@dataclass(frozen=True)
class MadeConfig:
    """How many documents, and where the sentences are that they are made of."""

    num_documents: int
    shared: str = uncounted("")


@cache
def sentences(shared: str) -> list[str]:
    """Return some 150,000 sentences of reviews, the same ones each time."""
    texts = read_texts("reviews", Path(shared), 15_000)
    cleaned = (re.sub(r"<br />", " ", text) for text in texts)
    return [one for text in cleaned for one in re.split(r"(?<=[.!?])\s+", text) if len(one) > 30]


def text_of(number: int, pool: list[str]) -> str:
    """Return document ``number``'s text, whichever others are made."""
    draw = random.Random(number)
    if number % 200 == 199:
        template = text_of(draw.randrange(NUM_TEMPLATES) * 3 + 1, pool)
        return f"{template} {draw.choice(pool).split()[0]} owes {draw.randrange(10**6)}."
    if number % 100 == 99:
        return text_of(draw.randrange(number // 10) * 10 + 1, pool)
    if number % 10 == 9:
        words = text_of(draw.randrange(number // 10) * 10 + 2, pool).split(" ")
        for _ in range(draw.randrange(1, 8)):
            words[draw.randrange(len(words))] = "xx"
        return " ".join(words)
    chosen, size = [], 0
    while size < DOCUMENT_CHARS:
        chosen.append(pool[draw.randrange(len(pool))])
        size += len(chosen[-1]) + 1
    return " ".join(chosen)


def make_documents(inputs: Inputs, config: MadeConfig) -> Output:
    """Write one partition of documents."""
    start, pool = int(inputs.key), sentences(config.shared)
    end = min(start + PART_DOCUMENTS, config.num_documents)
    output = Output(rows=(), facts={"records_framed": end - start})

    def batches() -> Iterator[pa.RecordBatch]:
        for first in range(start, end, 10_000):
            numbers = range(first, min(first + 10_000, end))
            texts = [text_of(number, pool) for number in numbers]
            rows = [
                {
                    "doc_id": doc_id("made", str(number)),
                    "source": "made",
                    "uri": inputs.key,
                    "record_key": str(number),
                    "kind": "text",
                    "text": text,
                    "text_hash": hash_text(text),
                    "labels": [],
                    "num_repairs": 0,
                }
                for number, text in zip(numbers, texts, strict=True)
            ]
            yield pa.RecordBatch.from_pylist(rows, DOCUMENTS)

    output.rows = batches()
    return output


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


def build_graph(num_documents: int, shared: str, near: NearConfig) -> Graph:
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
            Node(MAKE, MadeConfig(num_documents, shared)),
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
    parser.add_argument("--buckets", type=int, default=16)
    parser.add_argument("--home")
    parser.add_argument("--dask", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, executor_of(asked.dask) as executor:
        storage = Storage(asked.home or folder)
        graph = build_graph(asked.documents, asked.shared, NearConfig(num_buckets=asked.buckets))
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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"| {step} | {seconds:.1f} | {rows:,} | {size:,.0f} | {peak:.2f} | {dataset.digest[:8]} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
