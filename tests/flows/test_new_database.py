"""The template of a new home's database, with real SQLite files."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from flows.new_database import DATABASE, MEMO, keep_as_template, seed_database


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """Give the folder of a server that made its database, row 1 of which is still in the WAL."""
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / MEMO).write_text("registered")
    return folder


def rows(database: Path) -> list[int]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return [row for (row,) in connection.execute("SELECT * FROM t ORDER BY 1")]


@contextlib.contextmanager
def serving(folder: Path):
    """Hold the database open, as a server does, with a row that is only in its WAL."""
    with contextlib.closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as open_one:
        open_one.execute("PRAGMA journal_mode = WAL")
        open_one.execute("CREATE TABLE t (row INTEGER)")
        open_one.execute("INSERT INTO t VALUES (1)")
        assert (folder / f"{DATABASE}-wal").stat().st_size > 0
        yield open_one


def test_a_second_home_starts_with_what_the_first_made(first: Path, tmp_path: Path) -> None:
    template, second = tmp_path / "state" / "servers" / "new-1", tmp_path / "second"
    second.mkdir()
    assert seed_database(first, template) is True
    with serving(first) as connection:
        keep_as_template(first, template)
        connection.execute("INSERT INTO t VALUES (2)")
        keep_as_template(first, template)  # the first one stays
    assert sorted(path.name for path in template.parent.iterdir()) == ["new-1"]
    assert seed_database(second, template) is False
    assert rows(second / DATABASE) == [1]
    assert (second / MEMO).read_text() == "registered"
    assert rows(first / DATABASE) == [1, 2]


def test_a_history_is_never_replaced(first: Path, tmp_path: Path) -> None:
    with serving(first) as connection:
        keep_as_template(first, tmp_path / "template")
        connection.execute("INSERT INTO t VALUES (2)")
    assert seed_database(first, tmp_path / "template") is False
    assert rows(first / DATABASE) == [1, 2]


def test_half_a_template_is_none(first: Path, tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir()
    (template / MEMO).write_text("registered")
    assert seed_database(first, template) is True
    assert [path.name for path in first.iterdir()] == [MEMO]


def test_a_template_that_cannot_be_kept_is_done_without(first: Path, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder would be")
    with serving(first):
        keep_as_template(first, tmp_path / "state" / "template")
    (first / DATABASE).write_bytes(b"no database " * 1000)
    keep_as_template(first, tmp_path / "template")
    assert not (tmp_path / "template").exists()
