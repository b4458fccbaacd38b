from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from catalog.opened import OpenedRun, open_run
from catalog.what_if import KEPT, MAX_EXAMPLES, what_if
from data_contracts.errors import NotFound
from flows.cli import main
from pipelines.apply_policy import policy_sql

NEW = (("length.medium", "num_chars < 24"), ("length.long", "num_chars >= 31"))


@pytest.fixture(scope="module")
def home(fake: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one run, whose rule drops what has fewer than 20 characters."""
    folder: Path = tmp_path_factory.mktemp("whatif")
    fake.run_graph(folder, fake.build_graph(), "first")
    return folder


@pytest.fixture
def run(home: Path) -> OpenedRun:
    return open_run(str(home), "first")


def decided(num_chars: int) -> str:
    if num_chars < 24:
        return "length.medium"
    return "length.long" if num_chars >= 31 else KEPT


def test_moves_are_those_of_plain_python(run: OpenedRun) -> None:
    signals = run.table("compute_signals").to_pylist()
    lengths = {row["doc_id"]: row["num_chars"] for row in signals}
    expected = Counter(
        ("length.short" if size < 20 else KEPT, decided(size)) for size in lengths.values()
    )
    moves = what_if(run, policy_sql(NEW), ["num_chars"])
    assert {(move.before, move.now): move.num_rows for move in moves} == expected
    assert len(expected) > 3
    for move in moves:
        shown = 0 if move.before == move.now else min(MAX_EXAMPLES, move.num_rows)
        assert len(move.examples) == shown
        for one in move.examples:
            assert decided(lengths[one["doc_id"]]) == move.now
            if move.now != KEPT:
                assert json.loads(one["values"]) == {"num_chars": lengths[one["doc_id"]]}


def test_the_same_rules_move_nothing(run: OpenedRun, fake: SimpleNamespace) -> None:
    moves = what_if(run, policy_sql(fake.RULES), ["num_chars"])
    assert all(move.before == move.now for move in moves)
    assert len(moves) == 2


def test_a_signal_that_was_not_measured_is_named(run: OpenedRun) -> None:
    with pytest.raises(NotFound, match="did not measure num_sentences: run the recipe"):
        what_if(run, policy_sql((("few.sentences", "num_sentences < 2"),)), ["num_sentences"])


def test_the_command_tells_and_writes_nothing(home: Path, capsys: Any) -> None:
    before = sorted(path for path in home.rglob("*"))
    setting = "policy.rules.length.short=num_chars < 25"
    words = ["whatif", "--recipe", "my-text", "--set", setting, "--home", str(home)]
    left_out = ["--set", "policy.rules.words.none_alphabetic=num_chars < 0"]
    own = ["--set", "policy.rules.length.too_short=num_chars < 0"]
    assert main([*words, *left_out, *own]) == 0
    shown = capsys.readouterr().out
    assert "nothing is written" in shown
    assert "kept → length.short" in shown
    assert sorted(path for path in home.rglob("*")) == before
