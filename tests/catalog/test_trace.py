from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from similar_run import named, similar_run

from catalog.opened import OpenedRun
from catalog.trace import format_trace, trace
from data_contracts.documents import doc_id
from data_contracts.errors import NotFound, UsageError

RULES = {"length.short": "num_chars < 20"}
KEEPING = ["ingest", "compute_signals", "apply_policy", "compute_signatures"]


def ask(finished: Any, asked: str) -> dict[str, Any]:
    traced = trace(finished.storage, finished.run, asked, RULES)
    json.dumps(traced, allow_nan=False)
    return traced


def only(finished: Any, asked: str) -> dict[str, Any]:
    traced = ask(finished, asked)
    (document,) = traced["documents"]
    assert traced["num_found"] == 1
    return document


def fate(document: dict[str, Any], step: str) -> dict[str, Any]:
    (found,) = [f for f in document["fates"] if f["step"] == step]
    return found


def test_a_kept_document_is_followed_to_the_end(finished: Any) -> None:
    document = only(finished, "p1.txt#8")
    assert document["doc_id"] == doc_id("fake", "p1.txt#8")
    assert {name: document[name] for name in ("source", "uri", "record_key", "partition")} == {
        "source": "fake",
        "uri": "p1.txt",
        "record_key": "p1.txt#8",
        "partition": "p1",
    }
    assert document["text_start"] == "text number 8 stands p1"
    assert document["signals"] == {"num_chars": 23, "num_words": 5}
    steps = [*KEEPING, "choose_kept", "split", "materialize"]
    assert [(f["step"], f["fate"]) for f in document["fates"]] == [(s, "kept") for s in steps]
    assert (document["outcome"], document["reason"], document["curated"]) == ("curated", None, True)
    assert document["split"] in ("train", "heldout")


def test_a_dropped_document_has_the_rule_and_the_values(finished: Any) -> None:
    document = only(finished, "p0.txt#11")
    assert fate(document, "apply_policy") == {
        "step": "apply_policy",
        "fate": "dropped",
        "reason": "length.short",
        "values": {"num_chars": 5},
        "rule": "num_chars < 20",
        "partner": None,
    }
    assert [f["step"] for f in document["fates"]] == KEEPING
    assert (document["outcome"], document["reason"]) == ("dropped", "length.short")
    assert (document["split"], document["curated"]) == (None, False)


def test_a_reason_finds_what_was_dropped_for_it(finished: Any) -> None:
    traced = ask(finished, "length.short")
    opened = OpenedRun(finished.storage, finished.run)
    dropped = opened.decisions("apply_policy").to_pylist()
    ids = {row["doc_id"] for row in dropped if row["reason"] == "length.short"}
    assert (traced["found_by"], traced["num_found"]) == ("reason", len(ids))
    assert len(ids) > 10 == len(traced["documents"])
    assert {document["doc_id"] for document in traced["documents"]} < ids
    assert {document["reason"] for document in traced["documents"]} == {"length.short"}


def test_without_its_rules_a_reason_stands_alone(finished: Any) -> None:
    (document,) = trace(finished.storage, finished.run, "p0.txt#11")["documents"]
    assert fate(document, "apply_policy")["rule"] is None


def test_a_duplicate_names_its_partner(finished: Any) -> None:
    documents = ask(finished, "text number 14 stands everywhere")["documents"]
    (kept,) = [d for d in documents if d["curated"]]
    dropped = [fate(d, "choose_kept") for d in documents if not d["curated"]]
    assert len(dropped) == 2
    for one in dropped:
        assert (one["fate"], one["reason"]) == ("dropped", "duplicate.exact_text")
        assert one["partner"] == {
            "doc_id": kept["doc_id"],
            "uri": kept["uri"],
            "record_key": kept["record_key"],
            "jaccard": 1.0,
            "containment": 1.0,
        }


@pytest.fixture(scope="module")
def similar(fake: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> OpenedRun:
    return similar_run(fake, tmp_path_factory.mktemp("similar"))


def trace_of(similar: OpenedRun, key: str) -> dict[str, Any]:
    traced = trace(similar.storage, similar.run, named(key))
    json.dumps(traced, allow_nan=False)
    return traced


def test_a_near_duplicate_tells_how_near(similar: OpenedRun) -> None:
    traced = trace_of(similar, "b")
    choice = fate(traced["documents"][0], "choose_kept")
    assert choice["partner"] == {
        "doc_id": named("a"),
        "uri": "p0<i>.txt",
        "record_key": "a",
        "jaccard": 0.9,
        "containment": 0.95,
    }
    assert traced["documents"][0]["stands_for"] is None
    said = f"near-duplicate of {named('a')}  p0<i>.txt (a)  (jaccard 0.90, containment 0.95)"
    assert said in format_trace(traced)


@pytest.mark.parametrize(("key", "words"), [("c", "same text as"), ("d", "same words as")])
def test_an_equal_document_says_what_is_equal(similar: OpenedRun, key: str, words: str) -> None:
    assert f"      {words} {named('a')}  p0<i>.txt (a)\n" in format_trace(trace_of(similar, key))


def test_a_kept_document_tells_what_it_stands_for(similar: OpenedRun) -> None:
    traced = trace_of(similar, "a")
    stands_for = traced["documents"][0]["stands_for"]
    assert stands_for["num_members"] == 4
    assert sum(stands_for["reasons"].values()) == 4
    assert [one["document"]["record_key"] for one in stands_for["members"]][:2] == ["e", "b"]
    text = format_trace(traced)
    assert "  stands for  4 other documents: 1 duplicate.exact_normalised, 1 duplicate." in text
    assert f"{named('e')}  p0<i>.txt (e)  jaccard 0.75, containment 0.80" in text
    assert "more" not in text.partition("stands for")[2].partition("signals")[0]
    stands_for["num_members"] += 1000
    assert "              and 1000 more\n" in format_trace(traced)


def test_a_kept_document_that_nothing_repeats_stands_for_itself(similar: OpenedRun) -> None:
    traced = trace_of(similar, "h")
    assert traced["documents"][0]["stands_for"] is None
    assert "stands for" not in format_trace(traced)


ID = doc_id("fake", "p2.txt#17")


@pytest.mark.parametrize(
    ("asked", "found_by"),
    [
        (ID, "doc_id"),
        (ID[:6], "start of doc_id"),
        ("p2.txt#17", "uri, record key or url"),
        ("https://example.org/p2/17", "uri, record key or url"),
        ("text number 17 stands p2", "whole text"),
        ("example.org/p2/17", "part of uri, record key or url"),
        ("ber 17 stands p2", "part of text"),
    ],
)
def test_a_document_is_found_by_what_one_knows(finished: Any, asked: str, found_by: str) -> None:
    traced = ask(finished, asked)
    assert traced["found_by"] == found_by
    assert [document["doc_id"] for document in traced["documents"]] == [ID]


@pytest.mark.parametrize(
    "asked", [ID[:5], "TEXT NUMBER 17 STANDS P2", "number 17 stands p_", "%", "p2_txt#17", "'; --"]
)
def test_asking_is_literal(finished: Any, asked: str) -> None:
    with pytest.raises(NotFound, match="No document or quarantined record of run first"):
        ask(finished, asked)


@pytest.mark.parametrize("asked", ["", "  \n"])
def test_asking_for_nothing_is_refused(finished: Any, asked: str) -> None:
    with pytest.raises(UsageError):
        ask(finished, asked)


def test_a_whole_text_goes_before_a_part_of_others(finished: Any) -> None:
    assert ask(finished, "no 1")["found_by"] == "part of text"
    assert ask(finished, "no 11")["found_by"] == "whole text"


def test_at_most_ten_are_told_of(finished: Any) -> None:
    traced = ask(finished, "number")
    assert traced["num_found"] == 129  # 150 less fifteen short ones and six in capitals
    assert len(traced["documents"]) == 10
    assert "and 119 more documents" in format_trace(traced)
    assert ask(finished, "number")["documents"] == traced["documents"]


@pytest.mark.parametrize("asked", ["not UTF-8", "broken", "café", "\udcff broken"])
def test_quarantined_records_are_found(finished: Any, asked: str) -> None:
    traced = ask(finished, asked)
    assert (traced["documents"], traced["found_by"]) == ([], "quarantined record")
    assert traced["num_quarantined"] == 3
    first = traced["quarantined"][0]
    assert first == {
        "doc_id": None,
        "step": "ingest",
        "source": "fake",
        "uri": "p0.txt",
        "position": 4711,
        "unit": "byte",
        "error": "not UTF-8: byte 0xff",
        "partition": "p0",
        "raw_start": "café \\xff broken",
    }


def test_raw_bytes_are_found_at_whole_bytes_only(finished: Any) -> None:
    raw, shifted = b"caf\xc3", "\x16\x6c"  # 61 66 c3 holds 16 6c, one nibble later
    assert shifted.encode().hex() in raw.hex()
    with pytest.raises(NotFound):
        ask(finished, shifted)


def test_a_quarantined_record_with_an_id_is_found_by_it(finished: Any) -> None:
    traced = ask(finished, doc_id("fake", "p1-bad")[:8])
    assert [row["uri"] for row in traced["quarantined"]] == ["p1.txt"]


def test_a_uri_finds_documents_and_quarantined_records(finished: Any) -> None:
    traced = ask(finished, "p1.txt")
    assert (traced["num_found"], traced["num_quarantined"]) == (50, 1)


def test_outcomes_agree_with_the_decisions(finished: Any) -> None:
    opened = OpenedRun(finished.storage, finished.run)
    expected: dict[str, str] = {}
    for step in ("apply_policy", "choose_kept"):
        rows = opened.decisions(step).to_pylist()
        expected |= {row["doc_id"]: row["reason"] for row in rows if not row["keep"]}
    asked = [doc_id("fake", f"p0.txt#{number}") for number in range(0, 50, 4)]
    reasons = {key: only(finished, key)["reason"] for key in asked}
    assert reasons == {key: expected.get(key) for key in asked}
    assert len(set(reasons.values())) >= 3


def test_the_text_is_for_reading(finished: Any) -> None:
    text = format_trace(ask(finished, "p0.txt#11"))
    lines = text.splitlines()
    assert lines[0] == "run first: 1 document found by uri, record key or url"
    starts = ["  ingest ", "  apply_policy ", "  read from ", "  text ", "  signals "]
    stands = [next(i for i, line in enumerate(lines) if line.startswith(s)) for s in starts]
    assert stands == sorted(stands)
    assert lines[-1] == "  signals     num_chars=5, num_words=2"
    assert "apply_policy       dropped  length.short" in text
    assert "rule      num_chars < 20" in text
    assert "values    num_chars = 5" in text
    assert "(no id)  quarantined by ingest" in format_trace(ask(finished, "broken"))


def test_many_signals_stand_on_short_lines_of_a_document_alone(finished: Any) -> None:
    traced = ask(finished, "p0.txt#11")
    signals = {f"share_of_something_{i}": -i / 7e9 for i in range(40)}
    traced["documents"][0]["signals"] = signals
    _, found, listed = format_trace(traced).partition("  signals     ")
    lines = f"{found}{listed}".splitlines()
    assert len(lines) > 10
    assert max(map(len, lines)) <= 100
    told = [pair.split("=") for pair in " ".join(listed.split()).split(", ")]
    assert {name: float(value) for name, value in told} == pytest.approx(signals, rel=1e-3)
    traced["num_found"] = 2
    assert "share_of_something" not in format_trace(traced)
    assert "and 1 more document:" in format_trace(traced)


def test_what_a_terminal_obeys_is_escaped(fake: SimpleNamespace, finished: Any) -> None:
    traced = ask(finished, "p0.txt#11")
    traced["documents"][0]["uri"] = "evil\x1b[2J\x9b\n\u202e.txt"
    text = format_trace(traced)
    assert r"evil\x1b[2J\x9b\n\u202e.txt" in text
    assert all(character.isprintable() or character == "\n" for character in text)


def test_an_unfinished_run_is_traced_as_far_as_it_went(
    fake: SimpleNamespace, tmp_path: Path
) -> None:
    graph = fake.Graph(list(fake.build_graph())[:3])
    run = fake.run_graph(tmp_path, graph, "short")
    (document,) = trace(fake.Storage(str(tmp_path)), run, "p1.txt#8")["documents"]
    assert (document["outcome"], document["curated"]) == ("kept", False)
    assert [f["step"] for f in document["fates"]] == KEEPING[:3]
