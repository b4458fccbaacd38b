from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from memory_part import inputs_of

from data_contracts.documents import DOCUMENTS, doc_id, hash_text
from data_contracts.errors import InputError, RecipeError
from pipelines.remove_requested import REASON, STEP, RemovalsConfig, with_digest
from store.identity import counted_fields


def document(number: int) -> dict[str, Any]:
    text = f"text {number}"
    return {
        "doc_id": doc_id("web", f"k{number}"),
        "source": "web",
        "uri": "a.jsonl",
        "record_key": f"k{number}",
        "kind": "text",
        "text": text,
        "text_hash": hash_text(text),
        "url": f"https://mill.example/{number}" if number % 2 else None,
        "labels": [],
        "num_repairs": 0,
    }


DOCUMENTS_OF = pa.Table.from_pylist([document(number) for number in range(10)], schema=DOCUMENTS)


def remove(**config: Any) -> tuple[list[str], list[dict[str, Any]]]:
    output = STEP.run(inputs_of(documents=DOCUMENTS_OF), with_digest(RemovalsConfig(**config)))
    assert isinstance(output.rows, pa.Table)
    assert output.rows.num_rows + len(output.quarantined) == len(DOCUMENTS_OF)
    assert output.facts == {"documents_removed": len(output.quarantined)}
    return output.rows["record_key"].to_pylist(), output.quarantined


@pytest.mark.parametrize(
    ("config", "gone"),
    [
        ({"ids": ("k3",)}, {3}),
        ({"ids": (doc_id("web", "k4"), "unknown")}, {4}),
        ({"urls": ("https://mill.example/5", "https://mill.example/6")}, {5}),
        ({"text_hashes": (hash_text("text 0"),)}, {0}),
        ({"ids": ("k1",), "urls": ("https://mill.example/1",), "text_hashes": ("k2",)}, {1}),
    ],
)
def test_what_is_requested_goes_and_is_named_without_its_text(
    config: dict[str, Any], gone: set[int]
) -> None:
    kept, removed = remove(**config)
    assert kept == [f"k{number}" for number in range(10) if number not in gone]
    assert [row["doc_id"] for row in removed] == [doc_id("web", f"k{n}") for n in sorted(gone)]
    assert {row["error"] for row in removed} == {REASON}
    assert all(row["raw"] is None for row in removed)


FILES = {
    "list.txt": f"\ufeff# asked in May\nk3\n\n{hash_text('text 0')}\r\nhttps://mill.example/5\n",
    "list.jsonl": '{"id": "k3"}\n\n{"url": "https://mill.example/5"}\n'
    + json.dumps({"text_hash": hash_text("text 0"), "id": None}),
    "list.csv": f"id,text_hash,url\nk3,,\n,{hash_text('text 0')},\n,,https://mill.example/5\n",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_requests_is_read_in_each_form(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(FILES[name], newline="")
    kept, removed = remove(path=str(tmp_path / name))
    assert len(removed) == 3
    assert {"k0", "k3", "k5"}.isdisjoint(kept)


def test_what_is_requested_counts_and_not_where_or_in_which_order(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("id\nb\na\n")
    of_file = with_digest(RemovalsConfig(path=str(tmp_path / "list.csv")))
    inline = with_digest(RemovalsConfig(ids=("a", "b", "a")))
    assert counted_fields(of_file) == counted_fields(inline)
    assert counted_fields(inline) != counted_fields(with_digest(RemovalsConfig(ids=("a",))))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", '{"id": "x"}\n{"id": ', "line 2 holds no JSON"),
        ("a.jsonl", '"x"', "line 1 holds no object"),
        ("a.jsonl", '{"name": "x"}', "line 1 holds none of id, url, text_hash"),
        ("a.csv", "name\nx\n", "line 2 holds none of"),
        ("a.txt", None, "cannot be read"),
    ],
)
def test_a_request_that_is_not_understood_stops_the_run(
    tmp_path: Path, name: str, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=said):
        with_digest(RemovalsConfig(path=str(tmp_path / name)))


def test_a_list_that_changes_while_the_run_goes_on_stops_it(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("k1")
    config = with_digest(RemovalsConfig(path=str(tmp_path / "list.txt")))
    (tmp_path / "list.txt").write_text("k2")
    with pytest.raises(RecipeError, match="changed while the run went on"):
        STEP.run(inputs_of(documents=DOCUMENTS_OF), config)


def test_lists_that_are_plain_json_survive_a_record() -> None:
    config = RemovalsConfig(ids=("a",))
    assert json.loads(json.dumps(counted_fields(config))) == {"digest": ""}
