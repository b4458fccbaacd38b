"""Keys in two partitions of a source: what is set aside, whatever order they arrive in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.relations import ask_rows, connect, quarantined_of
from data_contracts.documents import doc_id
from pipelines.ingest import repeated_keys
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.ingest import STEP
from pipelines.ingest.repeated_keys import REASON, SETTING, set_aside_repeated
from store.datasets import Dataset, StoredPart
from store.gc import collect_garbage
from store.graph import Node
from store.plan import plan_node
from store.runner import Runner
from store.runs import StepRecord, begin_run, save_run
from store.step import SourcePart
from store.storage import Storage
from store.verify import verify


class Held:
    """A partition that holds ids."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.key, self.num_rows = "held", len(keys)
        self.ids = [doc_id("s", key) for key in keys]

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        half = len(self.ids) // 2
        pieces = [pa.array(self.ids[:half], pa.string()), pa.array(self.ids[half:], pa.string())]
        return pa.table({"doc_id": pa.chunked_array(pieces)})

    def file(self, name: str, folder: Path) -> Path:
        raise NotImplementedError


KEYS = st.lists(st.sampled_from("abcdefghijklmnop"), unique=True, max_size=6)


def test_the_first_partition_keeps_a_key_and_each_later_one_sets_it_aside() -> None:
    num_aside = 0

    @given(st.lists(KEYS, max_size=5))
    def check(partitions: list[list[str]]) -> None:
        nonlocal num_aside
        parts = [SourcePart(f"p{n}", (), {"libraries": {}}) for n in range(len(partitions))]
        settled = set_aside_repeated(parts, [Held(keys) for keys in partitions])
        seen: set[str] = set()
        for part, before, keys in zip(settled, parts, partitions, strict=True):
            again = sorted(doc_id("s", key) for key in keys if key in seen)
            seen.update(keys)
            assert part.settings.get(SETTING, []) == again
            assert (part is before) == (not again)
            assert "libraries" in part.settings
            num_aside += len(again)

    check()
    assert num_aside > 0


def test_a_source_that_stands_there_twice_is_left_to_the_contract(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repeated_keys, "MAX_REPEATED", 3)
    parts = [SourcePart(name, ()) for name in ("p0", "p1")]
    assert set_aside_repeated(parts, [Held("abc"), Held("abc")]) != parts
    assert set_aside_repeated(parts, [Held("abcd"), Held("abcd")]) == parts


def ingest(folder: Path, home: Path) -> tuple[Dataset, Storage]:
    """Run the step as a run does, on files that are partitions of their own."""
    storage = Storage(str(home))
    config = IngestConfig("files", path=str(folder), max_bundle_file_bytes=1)
    plan = plan_node(storage, Node(STEP, config, {}), {})
    with Runner(storage) as runner:
        dataset = runner.run(plan).dataset
    assert plan_node(storage, plan.node, {}).dataset() == dataset  # which needs nothing more
    return dataset, storage


def write(folder: Path, name: str, *keys: str) -> None:
    folder.mkdir(exist_ok=True)
    lines = [json.dumps({"id": key, "text": f"{key} of {name}"}) for key in keys]
    (folder / name).write_text("\n".join(lines) + "\n")


def texts_of(dataset: Dataset, storage: Storage) -> list[str]:
    parts = [StoredPart(storage, receipt, receipt.key) for receipt in dataset.parts]
    return [text for part in parts for text in part.table(["text"])["text"].to_pylist()]


def quarantined_errors(storage: Storage, dataset: Dataset) -> list[str]:
    with connect({"quarantined": quarantined_of(storage, [dataset])}) as connection:
        rows = ask_rows(connection, "SELECT error, doc_id FROM quarantined")
    assert all(row["doc_id"] is None for row in rows)
    return [row["error"].partition(":")[0] for row in rows]


def test_the_rest_goes_on_and_nothing_disappears(tmp_path: Path) -> None:
    write(tmp_path / "in", "a.jsonl", "x", "y")
    write(tmp_path / "in", "b.jsonl", "y", "z", "y")
    write(tmp_path / "in", "c.jsonl", "w")
    dataset, storage = ingest(tmp_path / "in", tmp_path / "home")
    assert texts_of(dataset, storage) == [
        "x of a.jsonl", "y of a.jsonl", "z of b.jsonl", "w of c.jsonl",
    ]  # fmt: skip
    assert [part.rows.quarantined for part in dataset.parts] == [0, 2, 0]
    assert [part.facts["records_framed"] for part in dataset.parts] == [2, 3, 1]
    assert quarantined_errors(storage, dataset) == [REASON, REASON]


def test_the_order_of_arrival_decides_nothing(tmp_path: Path) -> None:
    write(tmp_path / "in", "b.jsonl", "y", "z")
    late, _ = ingest(tmp_path / "in", tmp_path / "home")
    assert [part.rows.quarantined for part in late.parts] == [0]
    write(tmp_path / "in", "a.jsonl", "x", "y")
    late, _ = ingest(tmp_path / "in", tmp_path / "home")
    at_once, _ = ingest(tmp_path / "in", tmp_path / "other")
    assert late.fingerprint == at_once.fingerprint
    assert [part.digest for part in late.parts] == [part.digest for part in at_once.parts]
    assert [part.rows.quarantined for part in late.parts] == [0, 1]
    (tmp_path / "in" / "a.jsonl").unlink()  # then the other is the first again
    alone, storage = ingest(tmp_path / "in", tmp_path / "home")
    assert texts_of(alone, storage) == ["y of b.jsonl", "z of b.jsonl"]


def test_after_garbage_is_collected_nothing_has_to_be_read_again(tmp_path: Path) -> None:
    write(tmp_path / "in", "a.jsonl", "x", "y")
    write(tmp_path / "in", "b.jsonl", "y", "z")
    write(tmp_path / "in", "gone.jsonl", "w")
    ingest(tmp_path / "in", tmp_path / "home")
    (tmp_path / "in" / "gone.jsonl").unlink()
    for _ in range(2):  # what a first run finds, a second one knows already
        dataset, storage = ingest(tmp_path / "in", tmp_path / "home")
    run = begin_run(storage, "mine", {}, "mine-1")
    record = StepRecord("ingest", "fresh", "", 0, 0, 0, 0, 0, 0, 0, 0.0, 0, dataset.fingerprint)
    save_run(storage, replace(run, state="done", steps=(record,)))
    report = collect_garbage(storage, delete=True, min_age_seconds=-10)
    assert report.num_deleted > 0
    config = IngestConfig("files", path=str(tmp_path / "in"), max_bundle_file_bytes=1)
    plan = plan_node(storage, Node(STEP, config, {}), {})
    assert plan.is_fresh()
    assert plan.dataset() == dataset
    assert not verify(storage).is_damaged()
