"""Several sources in one recipe: names, identity of each, what one changed file costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data_contracts.documents import doc_id
from data_contracts.errors import InputError, RecipeError
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.sources import STEP, SourcesConfig
from store.datasets import Dataset
from store.graph import Graph, Node
from store.plan import plan_node
from store.runner import Runner
from store.step import Inputs
from store.storage import Storage


def jsonl(*texts: str, field: str = "text") -> bytes:
    return b"".join(json.dumps({field: text}).encode() + b"\n" for text in texts)


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    for name, data in {
        "web/a.jsonl": jsonl("one", "two"),
        "web/b.jsonl": jsonl("three"),
        "books/a.jsonl": jsonl("one", field="body"),
        "books/c.txt": b"four",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def config_of(root: Path, **books: Any) -> SourcesConfig:
    books = {"text_field": "body", "labels": (("shelf", "old"),), **books}
    shared = {"kind": "files", "max_bundle_file_bytes": 1}
    return SourcesConfig(
        (
            ("web", IngestConfig(path=str(root / "web"), **shared)),
            ("books", IngestConfig(path=str(root / "books"), **shared, **books)),
        )
    )


def run(home: Path, config: SourcesConfig) -> tuple[Dataset, int]:
    """Return the dataset and how many partitions had to be read for it."""
    node = Graph([Node(STEP, config)])["ingest"]
    with Runner(Storage(str(home))) as runner:
        before = plan_node(runner.storage, node, {})
        runner.run(before)
        dataset = plan_node(runner.storage, node, {}).dataset()
        assert dataset is not None
        return dataset, len(before.missing())


def rows_of(config: SourcesConfig) -> list[dict[str, Any]]:
    assert STEP.list_parts is not None
    rows = []
    for part in STEP.list_parts(config):
        for batch in STEP.run(Inputs(part.key, source=part), config).rows:
            rows += batch.to_pylist()
    return rows


def test_sources_are_told_apart_by_name_in_rows_ids_and_partitions(roots: Path) -> None:
    config = config_of(roots)
    rows = {(row["source"], row["record_key"]): row for row in rows_of(config)}
    assert {key: row["text"] for key, row in rows.items()} == {
        ("web", "a.jsonl#1"): "one",
        ("web", "a.jsonl#2"): "two",
        ("web", "b.jsonl#1"): "three",
        ("books", "a.jsonl#1"): "one",
        ("books", "c.txt"): "four",
    }
    assert all(row["doc_id"] == doc_id(*key) for key, row in rows.items())
    assert rows["books", "c.txt"]["labels"] == [("shelf", "old")]
    keys = [part.key for part in STEP.list_parts(config)]  # type: ignore[misc]
    assert keys == ["books/a.jsonl", "books/c.txt", "web/a.jsonl", "web/b.jsonl"]


def test_a_source_alone_is_read_again_when_it_changes(roots: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    first, num_read = run(home, config_of(roots))
    assert num_read == 4
    assert run(home, config_of(roots)) == (first, 0)
    assert run(home, config_of(roots, labels=(("shelf", "new"),)))[1] == 2
    (roots / "web" / "b.jsonl").write_bytes(jsonl("three", "more"))
    changed, num_read = run(home, config_of(roots))
    assert num_read == 1
    assert {p.key for p in changed.parts} == {p.key for p in first.parts}
    (roots / "web" / "a.jsonl").unlink()
    left, num_read = run(home, config_of(roots))
    assert num_read == 0
    assert [p.key for p in left.parts] == ["books/a.jsonl", "books/c.txt", "web/b.jsonl"]


def test_where_a_source_lies_its_terms_and_its_priority_read_nothing_again(
    roots: Path, tmp_path: Path
) -> None:
    first, _ = run(tmp_path / "home", config_of(roots))
    (roots / "books").rename(roots / "elsewhere")
    moved = config_of(roots, priority=7, licence="CC0-1.0", consent="given by the authors")
    books = dict(moved.sources)["books"]
    object.__setattr__(books, "path", str(roots / "elsewhere"))
    assert run(tmp_path / "home", moved) == (first, 0)


def test_rows_do_not_depend_on_the_order_of_sources_or_on_workers(
    roots: Path, tmp_path: Path
) -> None:
    config = config_of(roots)
    turned = SourcesConfig(config.sources[::-1])
    first, _ = run(tmp_path / "home", config)
    node = Graph([Node(STEP, turned)])["ingest"]
    with Runner(Storage(str(tmp_path / "other")), 3) as runner:
        runner.run(plan_node(runner.storage, node, {}))
        second = plan_node(runner.storage, node, {}).dataset()
    assert second is not None
    assert second.digest == first.digest


@pytest.mark.parametrize("name", ["a/b", "a.b", "", "ü", "-a"])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match="a source cannot be called so"):
        SourcesConfig(((name, IngestConfig("files")),))


def test_a_source_that_calls_itself_otherwise_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"sources\.web\.source is 'net'; take it out"):
        SourcesConfig((("web", IngestConfig("files", "net")),))


def test_errors_name_the_source_whose_fault_it_is(tmp_path: Path) -> None:
    config = SourcesConfig((("web", IngestConfig("files", path=str(tmp_path / "no"))),))
    with pytest.raises(InputError, match=r"correct sources\.web\.path"):
        STEP.list_parts(config)  # type: ignore[misc]
