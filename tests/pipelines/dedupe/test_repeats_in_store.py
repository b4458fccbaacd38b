"""From documents to documents without repeats through a real home: what is taken and redone."""

from dataclasses import dataclass

from corpus_steps import documents_of

from catalog.conservation import prove_step
from data_contracts.documents import DOCUMENTS
from pipelines.dedupe import (
    choose_lines,
    count_lines,
    find_repeated_lines,
    find_repeats,
    find_shared_spans,
    sample_spans,
)
from pipelines.dedupe.choose_lines import ChooseLinesConfig
from pipelines.dedupe.count_lines import CountLinesConfig
from pipelines.dedupe.drop_repeats import DropConfig, drop_step
from pipelines.dedupe.find_repeated_lines import RepeatedLinesConfig
from pipelines.dedupe.span_config import SpansConfig
from store.datasets import StoredPart
from store.graph import Graph, Node
from store.plan import plan_node
from store.runner import Runner
from store.step import Output, SourcePart, Step, uncounted
from store.storage import Storage

NOTICE = "All rights are reserved.\n"
SPAN = "This sentence of some length stands in two of the documents. "
TEXTS = [
    [f"{NOTICE}One.", f"{NOTICE}Two. {SPAN}"],
    [f"{NOTICE}Three: {SPAN}", ""],
    ["Four is a text of its own, and so long that it has spans.", f"Five {SPAN}"],
]
USE = DropConfig(("lines", "spans"))
SPANS = SpansConfig(min_span_bytes=32, num_buckets=2)


@dataclass(frozen=True)
class CorpusConfig:
    """How many of the partitions there are."""

    num_parts: int = uncounted(2)


def read(inputs, config):
    number = int(inputs.key)
    rows = [{"doc_id": f"{number}{at}", "text": text} for at, text in enumerate(TEXTS[number])]
    return Output(documents_of(rows), facts={"records_framed": len(rows)})


def list_parts(config):
    return [SourcePart(str(number), ()) for number in range(config.num_parts)]


READ = Step("read", 1, "source", read, CorpusConfig, DOCUMENTS, list_parts=list_parts)


def graph_of(num_parts):
    return Graph(
        [
            Node(READ, CorpusConfig(num_parts)),
            Node(count_lines.STEP, CountLinesConfig(num_buckets=2), {"documents": "read"}),
            Node(
                find_repeated_lines.STEP,
                RepeatedLinesConfig(min_documents=3, num_buckets=2),
                {"lines": "count_lines"},
            ),
            Node(
                choose_lines.STEP,
                ChooseLinesConfig(),
                {"lines": "count_lines", "repeated": "find_repeated_lines"},
            ),
            Node(sample_spans.STEP, SPANS, {"documents": "read"}),
            Node(find_shared_spans.STEP, SPANS, {"fingerprints": "sample_spans"}),
            Node(find_repeats.STEP, SPANS, {"documents": "read", "shared": "find_shared_spans"}),
            Node(
                drop_step(USE),
                USE,
                {"documents": "read", "lines": "choose_lines", "spans": "find_repeats"},
            ),
        ]
    )


def run(storage, num_parts):
    """Run all steps; return the results, and the texts that are left, by partition."""
    plans, results = {}, {}
    with Runner(storage) as runner:
        for node in graph_of(num_parts):
            plan = plan_node(storage, node, plans)
            results[node.name] = runner.run(plan)
            plans[node.name] = plan.completed(results[node.name].dataset)
            read_from = {name: results[of].dataset for name, of in node.inputs.items()}
            prove_step(storage, node, results[node.name].dataset, read_from)
    receipts = results["drop_repeats"].dataset.parts
    tables = [StoredPart(storage, receipt, receipt.key).table(["text"]) for receipt in receipts]
    return results, [table["text"].to_pylist() for table in tables]


def test_repeats_are_taken_and_only_what_changes_is_made_anew(tmp_path):
    storage = Storage(str(tmp_path / "home"))
    results, texts = run(storage, 2)
    assert texts == [["One.", f"Two. {SPAN}"], ["Three:", ""]]
    assert all(result.num_computed for result in results.values())
    results, _ = run(storage, 2)
    assert not any(result.num_computed for result in results.values())
    results, texts = run(storage, 3)
    assert texts == [["One.", f"Two. {SPAN}"], ["Three:", ""], [TEXTS[2][0], "Five"]]
    assert results["find_repeats"].num_computed == 1
    assert results["drop_repeats"].num_computed == 1, "partitions of which nothing more is taken"
