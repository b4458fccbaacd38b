"""A removal request, from the recipe to the curated Parquet, the report and the trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_texts import sentence

from catalog.opened import open_run
from catalog.retirements import retirements

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_api")]


def test_a_removed_document_is_nowhere_downstream_and_says_why(millrace, tmp_path):
    folder, home = tmp_path / "texts", str(tmp_path / "home")
    folder.mkdir()
    secret = "The secret of the miller is told in these words alone, and they must go away."
    texts = [secret, *(sentence(number, 30) for number in range(20))]
    lines = [json.dumps({"id": f"r{n}", "text": text}) for n, text in enumerate(texts)]
    (folder / "a.jsonl").write_text("\n".join(lines[:11]) + "\n")
    (folder / "b.jsonl").write_text("\n".join(lines[11:]) + "\n")
    settings = {
        "ingest.path": str(folder),
        "ingest.max_bundle_file_bytes": 1,
        "split.heldout_ratio": 0,
    }
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    first = millrace("run", "my-text", *words, "--home", home, "--run", "first")
    assert first.code == 0, first.err
    (tmp_path / "asked.txt").write_text("r0\n")
    words += ["--set", f"removals.path={tmp_path / 'asked.txt'}"]
    second = millrace("run", "my-text", *words, "--home", home, "--run", "second")
    assert second.code == 0, second.err

    before, now = open_run(home, "first"), open_run(home, "second")
    gone = set(before.documents()["record_key"].to_pylist()) - set(
        now.documents()["record_key"].to_pylist()
    )
    assert gone == {"r0"}
    assert retirements(before, now)["why"].to_pylist() == ["removal.requested"]
    for path in Path(home, "runs", "second").rglob("*"):
        if path.is_file():
            assert b"secret of the miller" not in path.read_bytes(), path
    traced = millrace("trace", "r0", "--home", home, "--run", "second", "--json")
    (document,) = json.loads(traced.out)["documents"]
    assert (document["outcome"], document["reason"]) == ("removed", "removal.requested")
    assert [fate["step"] for fate in document["fates"]] == ["ingest", "remove_requested"]
    assert "secret" not in traced.out
    shown = millrace("trace", "r0", "--home", home, "--run", "second")
    assert "removal.requested" in shown.out
    assert "secret" not in shown.out
    reused = {record.step: record.partitions_computed for record in now.run.steps}
    assert reused["ingest"] == 0
