"""A removal request, from the recipe to the curated Parquet, the report and the trace."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copyfile

import pyarrow as pa
import pytest
from small_texts import sentence

from catalog.opened import open_run
from catalog.retirements import retirements
from data_contracts.documents import doc_id, hash_text
from data_contracts.open_shards import open_shards
from data_contracts.tokenizer import tokenizer_of
from store.datasets import StoredPart

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


def shard_texts(run, folder):
    """Return the texts of all token shards of a run, decoded."""
    tokenizer = tokenizer_of(run.table("train_tokenizer"))
    for receipt in run.dataset("pack_tokens").parts:
        part = StoredPart(run.storage, receipt, receipt.key)
        place = folder / receipt.fingerprint
        place.mkdir(parents=True)
        for name in receipt.files:
            copyfile(part.file(name, place), place / name)
        for shard in open_shards(place).shards:
            for start, end in zip(shard.offsets, shard.offsets[1:], strict=False):
                yield tokenizer.decode(shard.tokens[start:end])


def test_ids_addresses_and_hashes_of_texts_go_from_every_table_and_token(millrace, tmp_path):
    home, source = str(tmp_path / "home"), tmp_path / "a.jsonl"
    documents = [
        {"id": f"r{n}", "text": sentence(n, 30), "url": f"https://mill.example/{n}"}
        for n in range(60)
    ]
    source.write_text("".join(json.dumps(document) + "\n" for document in documents))
    settings = {
        "run.until": "pack_tokens",
        "contracts.enabled": "false",
        "ingest.path": source,
        "split.heldout_ratio": 0.2,
        "tokenizer.vocab_size": 300,
    }
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    first = millrace("run", "my-text", *words, "--home", home, "--run", "first")
    assert first.code == 0, first.err
    asked = {
        "ids": doc_id("my-text", "r3"),
        "urls": documents[20]["url"],
        "text_hashes": hash_text(documents[40]["text"]),
    }
    words += [
        word for name, value in asked.items() for word in ("--set", f'removals.{name}=["{value}"]')
    ]
    second = millrace("run", "my-text", *words, "--home", home, "--run", "second")
    assert second.code == 0, second.err

    before, now = open_run(home, "first"), open_run(home, "second")
    gone = {"r3", "r20", "r40"}
    assert set(before.documents()["record_key"].to_pylist()) >= gone
    assert set(retirements(before, now)["doc_id"].to_pylist()) == {
        doc_id("my-text", key) for key in gone
    }
    traces = [doc_id("my-text", key) for key in gone] + [documents[3]["text"][8:]]
    traces += [documents[number]["text"][8:] for number in (20, 40)]
    num_tables = 0
    for step in set(now.steps()) - {"ingest"}:
        table = now.table(step)
        for name, column in zip(table.column_names, table.columns, strict=True):
            if pa.types.is_string(column.type):
                held = "\n".join(filter(None, column.to_pylist()))
                assert not any(trace in held for trace in traces), (step, name)
        num_tables += 1
    assert num_tables >= 10
    packed = {run.name: list(shard_texts(run, tmp_path / run.name)) for run in (before, now)}
    assert len(packed["first"]) == len(packed["second"]) + 3
    for trace in traces[3:]:
        assert sum(trace in text for text in packed["first"]) == 1
        assert not any(trace in text for text in packed["second"])
    for key in gone:
        (traced,) = millrace("trace", key, "--home", home, "--run", "second").value["documents"]
        assert (traced["outcome"], traced["reason"]) == ("removed", "removal.requested")
        assert [fate["step"] for fate in traced["fates"]] == ["ingest", "remove_requested"]
