from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.documents import DOCUMENTS, doc_id, hash_text
from pipelines.ingest import batches, rows
from pipelines.ingest.batches import build_batches
from pipelines.ingest.rows import Item, Origin, Record, RecordBlock, Unreadable


def record(key: str, text: str, **more: Any) -> Record:
    return Record(Origin("a.jsonl", 7, "byte"), key, text, text.encode("utf-8", "replace"), **more)


def build(items: list[Item], errors: str = "quarantine") -> tuple[list[dict], list[dict]]:
    quarantined: list[dict[str, Any]] = []
    built = list(build_batches(iter(items), "mine", errors, quarantined))
    return pa.Table.from_batches(built, DOCUMENTS).to_pylist(), quarantined


def test_a_record_becomes_a_row_with_everything_known_about_it() -> None:
    time = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
    given_ = record(
        "k",
        "a\r\nb",
        url="u",
        published_at=time,
        labels={"b": "2", "a": "1"},
        num_repairs=3,
        meta="{}",
    )
    (row,), quarantined = build([given_])
    assert quarantined == []
    assert row == {
        "doc_id": doc_id("mine", "k"),
        "source": "mine",
        "uri": "a.jsonl",
        "record_key": "k",
        "kind": "text",
        "text": "a\nb",
        "text_hash": hash_text("a\nb"),
        "url": "u",
        "published_at": time,
        "labels": [("a", "1"), ("b", "2")],
        "num_repairs": 4,
        "meta": "{}",
    }


def test_what_fails_is_quarantined_with_its_reason_and_place() -> None:
    items = [
        record("empty", " \0\r\n\t"),
        record("bad", "lone \ud800 surrogate"),
        record("marks", "a" + "\u0301\u0316" * 1000),
        Unreadable(Origin("a.jsonl", 9, "byte"), "not JSON", b"x" * 5000),
        record("id \udfff", "text"),
    ]
    kept, quarantined = build(items)
    assert kept == []
    errors = [row["error"] for row in quarantined]
    assert errors[0] == "empty text"
    assert "1 lone surrogates" in errors[1]
    assert "cannot be normalised" in errors[2]
    assert errors[3] == "not JSON"
    assert "the id holds a lone surrogate" in errors[4]
    assert quarantined[0]["doc_id"] == doc_id("mine", "empty")
    assert quarantined[3] == {
        "doc_id": None,
        "source": "mine",
        "uri": "a.jsonl",
        "position": 9,
        "unit": "byte",
        "error": "not JSON",
        "raw": b"x" * rows.RAW_BYTES,
    }


def test_lone_surrogates_are_repaired_if_the_recipe_says_so() -> None:
    (row,), _ = build([record("bad", "lone \ud800 surrogate")], "repair")
    assert (row["text"], row["num_repairs"]) == ("lone \ufffd surrogate", 1)


def test_the_second_record_of_a_key_is_quarantined_even_if_the_first_was() -> None:
    items = [record("k", "one"), record("k", "two"), record("e", ""), record("e", "three")]
    kept, quarantined = build(items)
    assert [row["text"] for row in kept] == ["one"]
    assert [row["doc_id"] for row in quarantined] == [None, doc_id("mine", "e"), None]
    assert "came before" in quarantined[0]["error"]


def test_batches_are_bounded_in_rows_and_bytes() -> None:
    many = (record(str(number), "x") for number in range(2 * batches.BATCH_ROWS + 1))
    sizes = [batch.num_rows for batch in build_batches(many, "mine", "quarantine", [])]
    assert sizes == [batches.BATCH_ROWS, batches.BATCH_ROWS, 1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "BATCH_BYTES", 100)
        big = (record(str(number), "é" * 16) for number in range(7))
        assert [b.num_rows for b in build_batches(big, "mine", "quarantine", [])] == [3, 3, 1]


ITEMS = st.lists(
    st.builds(record, st.sampled_from("abcdef"), st.text(max_size=5))
    | st.builds(lambda at: Unreadable(Origin("f", at, "byte"), "bad", b""), st.integers(0, 99))
)


@given(ITEMS, st.sampled_from(["quarantine", "repair"]))
def test_every_item_comes_out_once(items: list[Item], errors: str) -> None:
    kept, quarantined = build(items, errors)
    assert len(kept) + len(quarantined) == len(items)
    ids = [row["doc_id"] for row in kept + quarantined if row["doc_id"]]
    assert len(ids) == len(set(ids))


def block_of(keys: list[str]) -> RecordBlock:
    lines = [f'{{"text": "text of {key}"}}\n'.encode() for key in keys]
    ends = np.cumsum([len(line) for line in lines])
    return RecordBlock(
        uri="a.jsonl",
        data=b"".join(lines),
        offset=100,
        starts=[0, *ends[:-1].tolist()],
        ends=(ends - 1).tolist(),
        keys=keys,
        texts=pa.array([f"text of {key}" for key in keys]),
        urls=[f"https://mill.example/{key}" if key > "b" else None for key in keys],
        times=[None] * len(keys),
        labels=[{"b": "2", "a": key} for key in keys],
        metas=["{}"] * len(keys),
    )


@pytest.mark.parametrize("repeated", [[], ["b"], ["a", "d"]])
def test_a_block_becomes_the_rows_of_its_records(
    repeated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_MIN_BLOCK_ROWS", 2)
    ids = [doc_id("mine", key) for key in repeated]
    for keys in (["a", "b", "c"], ["a", "b", "a"], ["b", "b", "b"]):
        found = []
        for items in ([block_of(keys)], list(block_of(keys).records())):
            quarantined: list[dict[str, Any]] = []
            given_ = [record("first", "x"), *items, record("c", "y"), block_of(["e", "f"])]
            built = list(build_batches(iter(given_), "mine", "quarantine", quarantined, ids))
            found.append((pa.Table.from_batches(built, DOCUMENTS).to_pylist(), quarantined))
        assert found[0] == found[1]
        rows_, quarantined = found[0]
        assert len(rows_) + len(quarantined) == 7
        place = {row["position"] for row in quarantined if row["raw"].startswith(b"{")}
        assert place <= {100, 122, 144}
