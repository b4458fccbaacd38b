"""``millrace duplicates``: what is told of a run and of two documents, and its wrong uses."""

from __future__ import annotations

import json
import re

import pytest
from small_texts import sentence

STORY = " ".join(sentence(number) for number in range(12))
TEXTS = {
    "story": STORY,
    "copy": STORY,
    "slip": STORY.replace("patience", "patiense", 1),
    "odd": "\x1b[31m" + " ".join(sentence(number) for number in range(40, 52)),
}


@pytest.fixture(scope="module")
def home(prefect_api, tmp_path_factory):
    """A home with one run over four texts."""
    from flows.cli import main

    folder = tmp_path_factory.mktemp("repeats")
    lines = [json.dumps({"id": key, "text": text}) for key, text in TEXTS.items()]
    (folder / "texts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    home = str(folder / "home")
    settings = [f"ingest.path={folder}", "dedupe.verify=jaccard", "run.until=choose_kept"]
    settings += ["contracts.enabled=false"]
    words = ["run", "my-text", "--home", home, "--run", "first"]
    assert main([*words, *(word for one in settings for word in ("--set", one))]) == 0
    return home


def test_clusters_and_pairs_are_told(millrace, home):
    value = millrace("duplicates", "--home", home).value
    assert value["run"] == "first"
    assert value["clusters"]["num_documents"] == 4
    assert sum(value["clusters"]["reasons"].values()) == 2
    (cluster,) = value["clusters"]["largest"]
    assert cluster["num_members"] == 2
    (pair,) = value["near"]["dropped"]
    assert pair["difference"]["num_changes"] == 1
    text = millrace("duplicates", "first", "--home", home, as_json=False).out
    assert "2 of the 4 documents that came to the choice were dropped" in text
    assert "1 document stays in their place, one for 2 of them." in " ".join(text.split())
    assert "Dropped as near-duplicates" in text
    assert {"[-patience", "[-patiense"} & {word.rstrip(".-]") for word in text.split()}


def test_no_more_is_told_than_asked_for(millrace, home):
    value = millrace("duplicates", "--limit", "0", "--home", home).value
    assert value["clusters"]["largest"] == value["near"]["dropped"] == []
    assert value["clusters"]["num_clusters"] == 1
    assert (
        "Dropped as"
        not in millrace("duplicates", "--limit", "0", "--home", home, as_json=False).out
    )


def test_two_documents_side_by_side(millrace, home):
    asked = ("duplicates", "--pair", "story", "slip", "--home", home)
    pair = millrace(*asked).value["pair"]
    assert (pair["left"]["record_key"], pair["right"]["record_key"]) == ("story", "slip")
    assert pair["measures"]["jaccard"] > 0.7
    text = millrace(*asked, as_json=False).out
    assert re.search(r"\[-patience\.?-\] \{\+patiense\.?\+\}", " ".join(text.split()))
    equal = millrace("duplicates", "--pair", "story", "copy", "--home", home, as_json=False).out
    assert "No word differs" in equal
    assert "Not measured as a pair." in equal


def test_what_a_terminal_obeys_is_escaped(millrace, home):
    text = millrace("duplicates", "--pair", "story", "odd", "--home", home, as_json=False).out
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--limit", "-1"], 2, "give 0 or more"),
        (["--limit", "x"], 2, "invalid int"),
        (["--pair", "story"], 2, "expected 2 arguments"),
        (["--pair", "story", "nosuch"], 2, "No document of run first"),
        (["--pair", "story", "texts.jsonl"], 2, "names 4 documents"),
        (["nosuch"], 2, "There is no run 'nosuch'"),
    ],
)
def test_each_wrong_use_ends_in_one_sentence(millrace, home, words, code, said):
    answer = millrace("duplicates", *words, "--home", home, as_json=False)
    assert answer.code == code
    assert said in answer.err
    assert answer.err.count("\n") == 1
