"""One key in two files: the run goes on, its contract holds, and a trace finds both records."""

from __future__ import annotations

import json
from pathlib import Path

from small_texts import sentence

from catalog.opened import open_run
from catalog.trace import trace
from flows.session import Order, open_session
from store.runs import StepRecord
from store.storage import Storage


def ingest(folder: Path, home: str, run: str) -> StepRecord:
    settings = (f"ingest.path={folder}", "ingest.max_bundle_file_bytes=1", "run.until=ingest")
    with open_session(Order("my-text", home, run, settings)) as session:
        return session.run_step("ingest")


def test_a_key_in_two_files_stops_no_run_and_a_trace_finds_both(tmp_path: Path) -> None:
    folder, home = tmp_path / "texts", str(tmp_path / "home")
    folder.mkdir()
    lines = [json.dumps({"id": f"r{n}", "text": sentence(n, 30)}) for n in range(20)]
    again = json.dumps({"id": "r3", "text": sentence(99, 30)})
    (folder / "a.jsonl").write_text("\n".join(lines[:11]) + "\n")
    (folder / "b.jsonl").write_text("\n".join([*lines[11:], again]) + "\n")

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
