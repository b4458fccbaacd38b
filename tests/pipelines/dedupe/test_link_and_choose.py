"""Edges and choice against brute force: pairs compared one by one, classes by connectedness."""

from collections import defaultdict

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_part import inputs_of

from data_contracts.documents import CHOICES, DECISIONS, EDGES, PAIRS, SIGNATURES
from data_contracts.errors import RecipeError
from pipelines.dedupe.choose_kept import ChoiceConfig, choose_kept
from pipelines.dedupe.link_duplicates import LinkConfig, link_duplicates

# A corpus: each document has a text class and a normalised class; equal text implies equal form.
CORPUS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 3), st.booleans()),
    min_size=1,
    max_size=25,
)


def documents_of(drawn):
    return [
        {
            "doc_id": f"{(i * 7919) % 10007:05d}",
            "text_hash": f"t{normal}-{variant}",
            "normal_hash": f"n{normal}",
            "size": size,
            "keep": keep,
        }
        for i, (normal, variant, size, keep) in enumerate(drawn)
    ]


def signatures(documents):
    rows = [
        {"bucket": 0, **{k: d[k] for k in ("doc_id", "text_hash", "normal_hash")}}
        for d in documents
    ]
    return pa.Table.from_pylist(rows, schema=SIGNATURES)


def edges_of(documents):
    return link_duplicates(inputs_of(signatures=signatures(documents)), LinkConfig()).rows


def connected(documents, relations, edges):
    """Return the classes that edges of these relations connect, by union of sets."""
    classes = {d["doc_id"]: {d["doc_id"]} for d in documents}
    for edge in edges.to_pylist():
        if edge["relation"] in relations:
            merged = classes[edge["left_id"]] | classes[edge["right_id"]]
            for member in merged:
                classes[member] = merged
    return {frozenset(members) for members in classes.values()}


def grouped(documents, key):
    groups = defaultdict(set)
    for d in documents:
        groups[d[key]].add(d["doc_id"])
    return {frozenset(members) for members in groups.values()}


@given(CORPUS)
def test_edges_connect_exactly_the_equal_documents(drawn):
    documents = documents_of(drawn)
    edges = edges_of(documents)
    assert edges.schema.equals(EDGES)
    assert connected(documents, {"exact.text"}, edges) == grouped(documents, "text_hash")
    both = {"exact.text", "exact.normalised"}
    assert connected(documents, both, edges) == grouped(documents, "normal_hash")
    assert len(edges) == len(documents) - len(grouped(documents, "normal_hash"))
    assert all(edge["left_id"] < edge["right_id"] for edge in edges.to_pylist())


@given(CORPUS, st.randoms(use_true_random=False))
def test_edges_do_not_depend_on_order(drawn, random):
    documents = documents_of(drawn)
    shuffled = random.sample(documents, len(documents))
    assert edges_of(documents).equals(edges_of(shuffled))


def choose(documents, prefer=("size desc",), cut=None):
    cut = len(documents) if cut is None else cut
    decisions = [
        pa.Table.from_pylist(
            [
                {"doc_id": d["doc_id"], "keep": d["keep"], "reason": None, "values": None}
                for d in part
            ],
            schema=DECISIONS,
        )
        for part in (documents[:cut], documents[cut:])
    ]
    signals = pa.table(
        {
            "doc_id": [d["doc_id"] for d in documents],
            "size": pa.array([d["size"] for d in documents], pa.int64()),
        }
    )
    given_ = {
        "decisions": decisions,
        "signals": [signals],
        "edges": [edges_of(documents)],
        "pairs": [PAIRS.empty_table()],
    }
    output = choose_kept(inputs_of(**given_), ChoiceConfig(prefer))
    output.rows = pa.Table.from_batches(output.rows, CHOICES)
    return output


@given(CORPUS, st.integers(0, 25))
def test_of_each_class_the_best_allowed_document_stays_and_the_others_name_it(drawn, cut):
    documents = documents_of(drawn)
    output = choose(documents, cut=cut)
    assert output.rows.schema.equals(CHOICES)
    allowed = [d for d in documents if d["keep"]]
    rows = output.rows.to_pylist()
    assert [row["doc_id"] for row in rows] == [d["doc_id"] for d in allowed]
    best = {}
    for d in sorted(allowed, key=lambda d: (-d["size"], d["doc_id"])):
        best.setdefault(d["normal_hash"], d)
    for row, d in zip(rows, allowed, strict=True):
        kept = best[d["normal_hash"]]
        assert row["keep"] == (kept is d)
        if kept is d:
            assert row["reason"] is row["partner_id"] is row["values"] is None
            continue
        same_text = kept["text_hash"] == d["text_hash"]
        reason = "duplicate.exact_text" if same_text else "duplicate.exact_normalised"
        assert (row["partner_id"], row["reason"]) == (kept["doc_id"], reason)
    keys = [row["part_key"] for row in rows]
    assert keys == sorted(keys)


def test_an_unknown_order_is_refused():
    with pytest.raises(RecipeError, match="size upwards"):
        choose(documents_of([(1, 1, 1, True)]), prefer=("size upwards",))


def test_an_empty_bucket_has_no_edges():
    from store.step import Inputs

    inputs = Inputs("bucket-0001", {"signatures": ()}, bucket=1)
    assert len(link_duplicates(inputs, LinkConfig()).rows) == 0
