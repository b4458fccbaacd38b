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


@pytest.mark.parametrize("name", ["few_quarantined", "not_mostly_quarantined"])
@pytest.mark.parametrize(
    ("parts", "ratio"), [(PARTS, 0.5), (PARTS[:2], 0.001), (PARTS[3:], 0.0), ([], 0.0)]
)
def test_the_worst_source_of_two_hundred_records_decides(
    name: str, parts: list[tuple[str, int, int, str]], ratio: float
) -> None:
    rules = yaml.safe_load(SUITE.read_text())["schema"][0]["quality"]
    (query,) = [rule["query"] for rule in rules if rule["name"] == name]
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE partitions (part TEXT, num_in BIGINT, quarantined BIGINT, facts JSON)"
        )
        if parts:
            connection.executemany("INSERT INTO partitions VALUES (?, ?, ?, ?)", parts)
        assert connection.execute(query).fetchone() == (pytest.approx(ratio),)
