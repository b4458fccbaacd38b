from __future__ import annotations

import io
from pathlib import Path

import pytest

from data_contracts.errors import RecipeError, UsageError
from flows import standard_input
from flows.recipe import load_recipe
from flows.standard_input import read_standard_input
from pipelines.ingest.ingest import STEP
from store.step import Inputs

SETTINGS = ["ingest.path=-", "ingest.format=jsonl"]


def give(patch: pytest.MonkeyPatch, data: bytes) -> None:
    patch.setattr(standard_input.sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_what_comes_in_is_kept_by_its_content_and_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = []
    for data in (b'{"text": "one"}\n', b'{"text": "one"}\n', b'{"text": "two"}\n'):
        give(monkeypatch, data)
        settings = read_standard_input("my-text", SETTINGS, str(tmp_path / "home"))
        config = load_recipe("my-text", settings).ingest
        paths.append(config.path)
        (part,) = STEP.list_parts(config)
        (batch,) = STEP.run(Inputs(part.key, source=part), config).rows
        (row,) = batch.to_pylist()
        assert (row["uri"], row["record_key"]) == ("stdin", "stdin#1")
        assert row["text"].encode() in data
    assert paths[0] == paths[1] != paths[2]
    assert len(list((tmp_path / "home" / "inputs").iterdir())) == 2


def test_a_recipe_that_reads_files_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, b"unread")
    assert read_standard_input("my-text", ["ingest.path=texts"], "home") == ["ingest.path=texts"]
    assert read_standard_input("quickstart", [], "home") == []
    assert standard_input.sys.stdin.buffer.read() == b"unread"


@pytest.mark.parametrize(
    ("settings", "home", "error", "said"),
    [
        (SETTINGS[:1], "home", RecipeError, "say what comes in, such as ingest.format=jsonl"),
        (SETTINGS, "memory://home", UsageError, "is a bucket"),
    ],
)
def test_what_cannot_be_is_refused(
    settings: list[str], home: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        read_standard_input("my-text", settings, home)


def test_one_source_alone_can_be_standard_input(tmp_path: Path) -> None:
    recipe = tmp_path / "two.toml"
    table = '[sources.{}]\nkind = "files"\npath = "-"\nformat = "jsonl"\n'
    recipe.write_text(table.format("a") + table.format("b"))
    with pytest.raises(RecipeError, match=r"sources\.a\.path and sources\.b\.path are both '-'"):
        read_standard_input(str(recipe), [], str(tmp_path))
