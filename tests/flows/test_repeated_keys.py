"""One key in two files: the run goes on, its contract holds, and a trace finds both records."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_texts import sentence

from catalog.opened import open_run
from catalog.trace import trace
from flows.approval import Decision, sources_to_go_on_with, write_decision
from flows.session import Order, open_session
from store.runs import StepRecord, get_run, save_run
from store.storage import Storage


def order_of(folder: Path, home: str, run: str) -> Order:
    settings = (f"ingest.path={folder}", "ingest.max_bundle_file_bytes=1", "run.until=ingest")
    return Order("my-text", home, run, settings)


def ingest(folder: Path, home: str, run: str) -> StepRecord:
    with open_session(order_of(folder, home, run)) as session:
        return session.run_step("ingest")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files of together twenty keys, one of which stands in both."""
    folder = tmp_path / "texts"
    folder.mkdir()
    lines = [json.dumps({"id": f"r{n}", "text": sentence(n, 30)}) for n in range(20)]
    again = json.dumps({"id": "r3", "text": sentence(99, 30)})
    (folder / "a.jsonl").write_text("\n".join(lines[:11]) + "\n")
    (folder / "b.jsonl").write_text("\n".join([*lines[11:], again]) + "\n")
    return folder


def test_a_key_in_two_files_stops_no_run_and_a_trace_finds_both(
    folder: Path, tmp_path: Path
) -> None:
    home = str(tmp_path / "home")
    first = ingest(folder, home, "first")
    assert (first.rows_in, first.rows_kept, first.rows_quarantined) == (21, 20, 1)
    assert first.partitions_computed == 3  # of two, one read anew
    opened = open_run(home, "first")
    found = trace(Storage(home), opened.run, "ingest.duplicate_key")
    (record,) = found["quarantined"]
    assert (record["uri"], "'r3'" in record["error"]) == ("b.jsonl", True)
    (document,) = trace(Storage(home), opened.run, "r3")["documents"]
    assert document["uri"] == "a.jsonl"

    second = ingest(folder, home, "second")
    assert (second.partitions_computed, second.dataset) == (0, first.dataset)


@pytest.mark.parametrize("is_read_meanwhile", [False, True])
def test_what_was_approved_is_gone_on_with_whatever_arrived(
    folder: Path, tmp_path: Path, is_read_meanwhile: bool
) -> None:
    storage = Storage(str(tmp_path / "home"))
    asked = ingest(folder, storage.url, "asks")
    assert asked.dataset is not None
    save_run(storage, replace(get_run(storage, "asks"), state="waiting"))
    decision = Decision("asks", "ingest", asked.dataset, True, "me", "2026-01-01T00:00:00+00:00")
    write_decision(storage, "asks", decision)
    repeated = [json.dumps({"id": key, "text": sentence(7, 30)}) for key in ("r15", "new")]
    (folder / "a0.jsonl").write_text("\n".join(repeated) + "\n")
    if is_read_meanwhile:
        assert ingest(folder, storage.url, "other").rows_quarantined == 2
    plan = sources_to_go_on_with(order_of(folder, storage.url, "asks"))["ingest"]
    dataset = plan.dataset()
    assert dataset is not None
    assert dataset.fingerprint == asked.dataset

    (folder / "b.jsonl").write_text(repeated[0] + "\n")
    assert sources_to_go_on_with(order_of(folder, storage.url, "asks")) == {}
