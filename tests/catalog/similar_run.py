"""A run whose documents repeat each other in every way; measures and choice are written down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from pyarrow import csv

from catalog.opened import OpenedRun
from data_contracts.documents import (
    CANDIDATES,
    CHOICES,
    DECISIONS,
    DOCUMENTS,
    PAIRS,
    SIGNATURES,
    doc_id,
    hash_text,
)
from store.graph import Graph, Node
from store.step import Inputs, Output, Step
from store.storage import Storage

HOSTILE = '<script>alert("x")</script> \u202e<del>'
MILL = "The mill by the river grinds wheat and rye for the whole valley since the great flood"
BELL = "The bell of the parish rings seven times at noon when the market closes its gates"

# Documents by partition: key -> text, the normalised form being its small letters without edges.
TEXTS = {
    "p0": {
        "a": f"{MILL}.",
        "b": f"{MILL.replace('wheat', 'barley')}.",
        "c": f"{MILL}.",
        "d": f"{MILL}.".upper(),
        "e": f"{HOSTILE} {MILL.replace('wheat', 'oats').replace('rye', HOSTILE)}",
    },
    "p1": {
        "f": f"{BELL} of 1901.",
        "g": f"{BELL} of 1902.",
        "h": "Nothing is like this one, and it stays.",
        "i": f"  {BELL} of 1901." + " " * 500,
        "j": f"{BELL} of 1903.",
        "k": f"{BELL} of old.",
    },
}
POLICY_DROPS = ("i",)
# Dropped -> reason, the kept one, jaccard, containment.
DROPPED = {
    "b": ("duplicate.near", "a", 0.9, 0.95),
    "c": ("duplicate.exact_text", "a", 1.0, 1.0),
    "d": ("duplicate.exact_normalised", "a", 1.0, 1.0),
    "e": ("duplicate.near", "a", 0.75, 0.8),
    "k": ("duplicate.near", "g", 0.8, 0.85),
}
# Measured pairs -> jaccard, slips. Of i's text f is kept; b and g are not alike enough.
MEASURED = {
    ("a", "b"): (0.9, 1),
    ("a", "e"): (0.75, 0),
    ("b", "g"): (0.2, 0),
    ("b", "e"): (0.74, 0),
    ("g", "i"): (0.97, 3),
    ("g", "j"): (0.96, 0),
    ("i", "j"): (0.95, 0),
    ("g", "k"): (0.8, 0),
}
MEASURES = pa.schema([*PAIRS, pa.field("odd_slips", pa.int32()), pa.field("odd_note", pa.string())])


@dataclass(frozen=True)
class Nothing:
    """No choices."""


def named(key: str) -> str:
    """The doc_id of a document."""
    return doc_id("fake", key)


def normal_hash(text: str) -> str:
    return hash_text(text.strip().lower())


def ingest(inputs: Inputs, config: Any) -> Output:
    rows = [
        {
            "doc_id": named(key),
            "source": "fake",
            "uri": f"{inputs.key}<i>.txt",
            "record_key": key,
            "kind": "text",
            "text": text,
            "text_hash": hash_text(text),
            "labels": [],
            "num_repairs": 0,
        }
        for key, text in TEXTS[inputs.key].items()
    ]
    table = pa.Table.from_pylist(rows, schema=DOCUMENTS)
    return Output(table, facts={"records_framed": len(rows)})


def apply_policy(inputs: Inputs, config: Any) -> Output:
    dropped = {named(key) for key in POLICY_DROPS}
    rows = [
        {"doc_id": one, "keep": one not in dropped, "reason": "odd" if one in dropped else None}
        for one in inputs.one("documents").table(["doc_id"])["doc_id"].to_pylist()
    ]
    return Output(pa.Table.from_pylist(rows, schema=DECISIONS))


def compute_signatures(inputs: Inputs, config: Any) -> Output:
    rows = [
        {**row, "bucket": 0, "normal_hash": normal_hash(row.pop("text"))}
        for row in inputs.one("documents").table(["doc_id", "text_hash", "text"]).to_pylist()
    ]
    return Output(pa.Table.from_pylist(rows, schema=SIGNATURES), slice_by="bucket")


def find_candidates(inputs: Inputs, config: Any) -> Output:
    """Two keys leave texts out, one of them text h alone."""
    texts = {**TEXTS["p0"], **TEXTS["p1"]}
    keys = {key: int(normal_hash(text)[:16], 16) for key, text in texts.items()}
    listed = [(keys["h"], 7, 900), (keys["a"], 2**64 - 1, 1200), (keys["h"], 2**64 - 1, 1200)]
    columns = zip(*listed, strict=True)
    types = [pa.uint64(), pa.uint64(), pa.int64()]
    names = ["text_key", "band_key", "num_texts"]
    arrays = [pa.array(values, type_) for values, type_ in zip(columns, types, strict=True)]
    assert inputs.scratch is not None
    csv.write_csv(pa.table(arrays, names), inputs.scratch / "capped.csv")
    files = {"capped.csv": inputs.scratch / "capped.csv"}
    return Output(CANDIDATES.empty_table(), facts={"near.bucket_capped": 2}, files=files)


def compare_candidates(inputs: Inputs, config: Any) -> Output:
    rows = []
    for (one, other), (jaccard, slips) in MEASURED.items():
        left, right = sorted((named(one), named(other)))
        rows.append(
            {
                "left_id": left,
                "right_id": right,
                "left_hash": "l",
                "right_hash": "r",
                "jaccard": jaccard,
                "containment": jaccard + 0.01,
                "rule_version": 1,
                "odd_slips": slips,
                "odd_note": "no number",
            }
        )
    rows = [{**{field.name: 0 for field in PAIRS}, **row} for row in rows]
    return Output(pa.Table.from_pylist(rows, schema=MEASURES))


def choose_kept(inputs: Inputs, config: Any) -> Output:
    rows = []
    for part in inputs.parts["decisions"]:
        kept = [row["doc_id"] for row in part.table().to_pylist() if row["keep"]]
        keys = {named(key): key for key in TEXTS[part.key]}
        for one in kept:
            row = dict.fromkeys(CHOICES.names)
            row |= {"part_key": part.key, "doc_id": one, "keep": keys[one] not in DROPPED}
            if keys[one] in DROPPED:
                reason, partner, jaccard, containment = DROPPED[keys[one]]
                row |= {"reason": reason, "partner_id": named(partner)}
                row |= {"jaccard": jaccard, "containment": containment}
            rows.append(row)
    return Output(pa.Table.from_pylist(rows, schema=CHOICES), slice_by="part_key")


def nodes(fake: SimpleNamespace) -> list[Node]:
    """The steps in running order."""
    aligned: dict[str, Any] = {"documents": "aligned"}
    every: dict[str, Any] = {"signatures": "all"}

    def whole(name: str, run: Any, schema: pa.Schema) -> Step:
        return Step(name, 1, "whole", run, Nothing, schema, every, emits="model")

    def over(name: str, run: Any, schema: pa.Schema) -> Step:
        return Step(name, 1, "map", run, Nothing, schema, aligned, accounts_for="documents")

    decided: dict[str, Any] = {"decisions": "all"}
    choice = Step(
        "choose_kept", 1, "whole", choose_kept, Nothing, CHOICES, decided, accounts_for="decisions"
    )
    documents, signatures = {"documents": "ingest"}, {"signatures": "compute_signatures"}
    parts = fake.FakeFiles(tuple((key, 0) for key in TEXTS))
    return [
        Node(replace(fake.INGEST, run=ingest), parts),
        Node(fake.COMPUTE_SIGNALS, fake.Nothing(), documents),
        Node(over("apply_policy", apply_policy, DECISIONS), Nothing(), documents),
        Node(over("compute_signatures", compute_signatures, SIGNATURES), Nothing(), documents),
        Node(whole("find_candidates", find_candidates, CANDIDATES), Nothing(), signatures),
        Node(whole("compare_candidates", compare_candidates, MEASURES), Nothing(), signatures),
        Node(choice, Nothing(), {"decisions": "apply_policy"}),
    ]


def similar_run(fake: SimpleNamespace, home: Path, without: tuple[str, ...] = ()) -> OpenedRun:
    """Make the run in a home, without some of its steps if it is to be of an earlier time."""
    graph = Graph([node for node in nodes(fake) if node.name not in without])
    run = fake.run_graph(home, graph, "similar")
    recipe = {**run.recipe, "dedupe": {"min_jaccard": 0.7, "verify": "strict"}}
    return OpenedRun(Storage(str(home)), replace(run, recipe=recipe))
