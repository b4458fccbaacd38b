"""A small home made by the real runner: every kind of step, three partitions, bad records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from data_contracts.documents import DOCUMENTS, SIGNATURES, doc_id, hash_text
from pipelines import apply_policy, materialize, split
from pipelines.dedupe import (
    choose_kept,
    compare_candidates,
    find_candidates,
    link_duplicates,
    sign_bands,
)
from pipelines.dedupe.near_config import NearConfig
from store.datasets import Dataset, Receipt, part_name, sealed
from store.graph import Graph, Node
from store.identity import digest_file
from store.plan import NodePlan, plan_graph, plan_node
from store.runner import Runner
from store.runs import Run, StepRecord, begin_run, save_run
from store.step import Inputs, Output, SourceFile, SourcePart, Step, uncounted
from store.storage import Storage
from store.writer import write_rows

NUM_BUCKETS = 8
PART_ROWS = 50
RULES = (("length.short", "num_chars < 20"),)


@dataclass(frozen=True)
class FakeFiles:
    """The source: partition names, each with the edition of its file."""

    parts: tuple[tuple[str, int], ...] = uncounted((("p0", 0), ("p1", 0), ("p2", 0)))


@dataclass(frozen=True)
class Nothing:
    """No choices."""


def list_parts(config: FakeFiles) -> list[SourcePart]:
    files = {key: SourceFile(f"{key}.txt", 1, f"digest-{key}-{n}") for key, n in config.parts}
    return [SourcePart(key, (file,)) for key, file in files.items()]


def text_of(key: str, number: int, edition: int) -> str:
    """Every seventh text is the same in all partitions; some differ in case; some are short."""
    where = key if number % 7 else "everywhere"
    text = f"text number {number % 40} stands {where}"
    if number % 11 == 0:
        text = f"no {number % 40}"
    if number % 5 == 0:
        text = text.upper() if number >= 40 else text
    return f"{text} again" if edition and number == 3 else text


def ingest(inputs: Inputs, config: FakeFiles) -> Output:
    edition = dict(config.parts)[inputs.key]
    rows = []
    for number in range(PART_ROWS):
        key = f"{inputs.key}.txt#{number}"
        text = text_of(inputs.key, number, edition)
        rows.append(
            {
                "doc_id": doc_id("fake", key),
                "source": "fake",
                "uri": f"{inputs.key}.txt",
                "record_key": key,
                "kind": "text",
                "text": text,
                "text_hash": hash_text(text),
                "url": f"https://example.org/{inputs.key}/{number}",
                "labels": [("kind", "fake")],
                "num_repairs": 0,
            }
        )
    bad = {
        "doc_id": None if inputs.key == "p0" else doc_id("fake", f"{inputs.key}-bad"),
        "source": "fake",
        "uri": f"{inputs.key}.txt",
        "position": 4711,
        "unit": "byte",
        "error": "not UTF-8: byte 0xff",
        "raw": b"caf\xc3\xa9 \xff broken",
    }
    table = pa.Table.from_pylist(rows, schema=DOCUMENTS)
    facts = {"records_framed": PART_ROWS + 3, "records_skipped": 2, "skipped": {"fake.blank": 2}}
    return Output(table, [bad], facts=facts)


SIGNALS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("num_chars", pa.int64()),
        pa.field("num_words", pa.int64()),
    ]
)


def compute_signals(inputs: Inputs, config: Nothing) -> Output:
    table = inputs.one("documents").table(["doc_id", "text"])
    texts = table["text"].to_pylist()
    columns = [
        table["doc_id"].combine_chunks(),
        pa.array([len(text) for text in texts]),
        pa.array([len(text.split()) for text in texts]),
    ]
    return Output(pa.table(columns, schema=SIGNALS))


def compute_signatures(inputs: Inputs, config: Nothing) -> Output:
    rows = []
    for row in inputs.one("documents").table(["doc_id", "text", "text_hash"]).to_pylist():
        normal = hash_text(row["text"].lower())
        bucket = int(normal[:8], 16) % NUM_BUCKETS
        rows.append((bucket, row["doc_id"], row["text_hash"], normal))
    columns = list(zip(*sorted(rows), strict=True))
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SIGNATURES, strict=True)]
    return Output(pa.table(arrays, schema=SIGNATURES), slice_by="bucket")


DOCS: Mapping[str, Any] = {"documents": "aligned"}
INGEST = Step("ingest", 1, "source", ingest, FakeFiles, DOCUMENTS, list_parts=list_parts)
COMPUTE_SIGNALS = Step(
    "compute_signals", 1, "map", compute_signals, Nothing, SIGNALS, DOCS, accounts_for="documents"
)
COMPUTE_SIGNATURES = Step(
    "compute_signatures",
    1,
    "map",
    compute_signatures,
    Nothing,
    SIGNATURES,
    DOCS,
    accounts_for="documents",
)


def build_graph(
    files: FakeFiles | None = None,
    rules: tuple[tuple[str, str], ...] = RULES,
    steps: Mapping[str, Step] | None = None,
) -> Graph:
    """Return the graph; ``steps`` replaces some of its steps by others of the same name."""
    signals = {"signals": "compute_signals"}
    signatures, documents = {"signatures": "compute_signatures"}, {"documents": "ingest"}
    compared = {"candidates": "find_candidates", **signatures, **documents}
    linked = {"edges": "link_duplicates", "pairs": "compare_candidates"}
    choices = {"decisions": "apply_policy", **linked, **signals}
    near = NearConfig(num_buckets=2)
    curated = {"documents": "ingest", "splits": "split", **signals}
    nodes = [
        (INGEST, files or FakeFiles(), {}),
        (COMPUTE_SIGNALS, Nothing(), {"documents": "ingest"}),
        (apply_policy.STEP, apply_policy.PolicyConfig(rules=rules), signals),
        (COMPUTE_SIGNATURES, Nothing(), {"documents": "ingest"}),
        (link_duplicates.STEP, link_duplicates.LinkConfig(NUM_BUCKETS), signatures),
        (sign_bands.STEP, near.bands(), {**documents, **signatures}),
        (find_candidates.STEP, near.candidates(), {"bands": "sign_bands"}),
        (compare_candidates.STEP, compare_candidates.CompareConfig(), compared),
        (choose_kept.STEP, choose_kept.ChoiceConfig(), choices),
        (
            split.STEP,
            split.SplitConfig(0.2),
            {"signatures": "compute_signatures", "choices": "choose_kept"},
        ),
        (materialize.STEP, materialize.MaterializeConfig(), curated),
    ]
    steps = steps or {}
    return Graph([Node(steps.get(step.name, step), config, wires) for step, config, wires in nodes])


def record_of(plan: NodePlan, num_computed: int) -> StepRecord:
    dataset = plan.dataset()
    assert dataset is not None
    rows = dataset.rows
    counts = (rows.num_in, rows.kept, rows.dropped, rows.quarantined, rows.retired)
    sizes = (len(plan.parts), num_computed, 0.5, dataset.size_bytes, dataset.fingerprint)
    return StepRecord(plan.node.name, "fresh", "computed", *counts, *sizes)


def run_graph(home: Path | str, graph: Graph, name: str, recipe: str = "fake") -> Run:
    """Run a graph with the real runner and write the run's record, as a flow would."""
    storage = Storage(str(home))
    run = begin_run(storage, recipe, {"policy": {"rules": dict(RULES)}}, name)
    plans: dict[str, NodePlan] = {}
    with Runner(storage, 2) as runner:
        for node in graph:
            result = runner.run(plan_node(storage, node, plans))
            plans[node.name] = plan_node(storage, node, plans)
            run = run.with_step(record_of(plans[node.name], result.num_computed))
    run = replace(run, state="done", finished_at=run.started_at)
    save_run(storage, run)
    return run


@dataclass(frozen=True)
class Home:
    """A home with a finished run, and what it was made with."""

    storage: Storage
    graph: Graph
    run: Run

    def datasets(self) -> dict[str, Dataset]:
        plans = plan_graph(self.storage, self.graph)
        found = {name: plan.dataset() for name, plan in plans.items()}
        return {name: dataset for name, dataset in found.items() if dataset is not None}

    def inputs_of(self, step: str) -> dict[str, Dataset]:
        datasets = self.datasets()
        return {name: datasets[wired] for name, wired in self.graph[step].inputs.items()}


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with one finished run, "first"; tests only read it, or copy it."""
    folder = tmp_path_factory.mktemp("catalog") / "home"
    graph = build_graph()
    run = run_graph(folder, graph, "first")
    return Home(Storage(str(folder)), graph, run)


def rewrite(
    storage: Storage, part: Receipt, table: pa.Table, slice_by: str | None = None
) -> Receipt:
    """Put other rows where a partition lies, with a receipt that fits them in every respect."""
    with storage.scratch() as folder:
        path = folder / "rows.parquet"
        written = write_rows(table, table.schema, path, slice_by)
        dropped = written.num_rows - written.num_kept
        changed = replace(
            part,
            digest=written.digest,
            num_rows=written.num_rows,
            num_kept=written.num_kept,
            size_bytes=path.stat().st_size,
            file_digest=digest_file(path),
            rows=replace(part.rows, kept=written.num_kept, dropped=dropped),
            reasons=written.reasons,
            slices=written.slices,
        )
        storage.publish(part.data_name(), path)
    storage.replace_json(part_name(part.step, part.fingerprint, ".json"), sealed(asdict(changed)))
    return changed


@pytest.fixture(scope="session")
def fake() -> SimpleNamespace:
    """What tests build homes with."""
    return SimpleNamespace(**globals())
