"""The contract of documents judges each source by itself: a broken one does not hide in the sum."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import yaml

SUITE = Path(__file__).parents[2] / "data_contracts" / "suites" / "documents.yaml"
PARTS = [
    ("web/a", 90_000, 100, '{"source": "web"}'),
    ("web/b", 10_000, 0, '{"source": "web"}'),
    ("books/a", 300, 150, '{"source": "books"}'),
    ("tiny/a", 10, 10, '{"source": "tiny"}'),
]


def query_of(name: str) -> str:
    """Return the SQL of a rule of the contract."""
    rules = yaml.safe_load(SUITE.read_text())["schema"][0]["quality"]
    (query,) = [rule["query"] for rule in rules if rule["name"] == name]
    return query


@pytest.mark.parametrize("name", ["few_quarantined", "not_mostly_quarantined"])
@pytest.mark.parametrize(
    ("parts", "ratio"), [(PARTS, 0.5), (PARTS[:2], 0.001), (PARTS[3:], 0.0), ([], 0.0)]
)
def test_the_worst_source_of_two_hundred_records_decides(
    name: str, parts: list[tuple[str, int, int, str]], ratio: float
) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE partitions (part TEXT, num_in BIGINT, quarantined BIGINT, facts JSON)"
        )
        if parts:
            connection.executemany("INSERT INTO partitions VALUES (?, ?, ?, ?)", parts)
        assert connection.execute(query_of(name)).fetchone() == (pytest.approx(ratio),)


@pytest.mark.parametrize(
    ("parts", "num_sources"),
    [
        ([("a/1", 150, 150, "a"), ("b/1", 1000, 0, "b")], 1),
        ([("a/1", 1, 1, "a"), ("a/2", 10, 9, "a")], 0),
        ([("a/1", 1, 1, "a"), ("b/1", 2, 2, "b")], 2),
        ([("a/1", 0, 0, "a")], 0),
        ([], 0),
    ],
)
def test_a_small_source_that_is_all_in_quarantine_counts(
    parts: list[tuple[str, int, int, str]], num_sources: int
) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE partitions (num_in BIGINT, quarantined BIGINT, kept BIGINT, facts JSON)"
        )
        for _, num_in, bad, source in parts:
            row = [num_in, bad, num_in - bad, f'{{"source": "{source}"}}']
            connection.execute("INSERT INTO partitions VALUES (?, ?, ?, ?)", row)
        assert connection.execute(query_of("something_read")).fetchone() == (num_sources,)
