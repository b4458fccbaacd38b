"""A recipe that takes repeated lines and spans out of texts, from files to curated Parquet."""

from __future__ import annotations

import json

import pytest
from small_texts import sentence

from catalog.opened import open_run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_api")]

MENU = "Home and garden, weather and maps, help and contact"
NOTICE = " ".join(sentence(number) for number in range(500, 508))


@pytest.fixture
def folder(tmp_path):
    """Pages of one site under one menu; in two of them stands the same long notice."""
    folder = tmp_path / "pages"
    folder.mkdir()
    pages = []
    for number in range(12):
        own = " ".join(sentence(one) for one in range(number * 10, number * 10 + 6))
        notice = NOTICE if number in (3, 7) else ""
        text = "\n".join(filter(None, (MENU, own, notice)))
        pages.append({"id": str(number), "url": f"https://mill.example/{number}", "text": text})
    for number in range(3):
        lines = (json.dumps(page) for page in pages[number::3])
        (folder / f"pages-{number}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize("use", [["lines"], ["lines", "spans"]])
def test_menus_and_second_copies_are_taken_out(millrace, folder, tmp_path, use):
    home = str(tmp_path / "home")
    settings = {
        "ingest.path": str(folder),
        "ingest.max_bundle_file_bytes": 1,
        "repeats.use": json.dumps(use),
        "repeats.min_documents": 5,
        "split.heldout_ratio": 0,
        "contracts.enabled": "false",
    }
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    answer = millrace("run", "my-text", *words, "--home", home, "--run", "first")
    assert answer.code == 0, answer.err
    run = open_run(home, "first")
    texts = dict(zip(*run.documents(["record_key", "text"]).to_pydict().values(), strict=True))
    assert len(texts) == 12
    assert not any(MENU in text for text in texts.values())
    copies = [key for key, text in texts.items() if NOTICE in text]
    assert len(copies) == (1 if "spans" in use else 2)
    taken = run.table("drop_repeats")
    assert sum(taken["num_repeated_lines"].to_pylist()) == 12
    if "spans" in use:
        assert sum(taken["num_repeated_spans"].to_pylist()) >= 1
    read = run.table("ingest", ["text"])["text"].to_pylist()
    assert all(MENU in text for text in read)

    again = millrace("run", "my-text", *words, "--home", home, "--run", "again")
    assert again.code == 0
    assert sum(step.partitions_computed for step in open_run(home, "again").run.steps) == 0


def test_a_repeat_that_cannot_be_is_one_sentence(millrace, folder, tmp_path):
    home = str(tmp_path / "home")
    wrong = ["--set", f"ingest.path={folder}", "--set", 'repeats.use=["words"]']
    answer = millrace("run", "my-text", *wrong, "--home", home)
    assert answer.code == 2
    assert "lines, spans" in answer.err
