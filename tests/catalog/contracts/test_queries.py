"""SQL of contracts: one SELECT, closed to the world, one number; nothing passes in silence."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.contracts.queries import ask_examples, ask_number, tables_of
from catalog.relations import connect
from data_contracts.errors import ContractError

ROWS = pa.table({"x": [1, 2, 3], "s": ["a", None, "b"]})


def ask(sql: str):
    with connect({"rows": ROWS}) as connection:
        return ask_number(connection, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "COPY rows TO 'x.csv'",
        "COPY (SELECT 1) TO '/tmp/x.parquet'",
        "ATTACH 'x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA version",
        "CALL pragma_version()",
        "SET memory_limit = '1GB'",
        "RESET memory_limit",
        "CREATE TABLE t AS SELECT 1",
        "CREATE MACRO f() AS 1",
        "INSERT INTO rows VALUES (1)",
        "DELETE FROM rows",
        "DROP VIEW rows",
        "EXPORT DATABASE 'x'",
        "EXPLAIN SELECT 1",
        "USE memory",
        "PREPARE p AS SELECT 1",
        "BEGIN",
        "",
        "-- nothing",
        "SELECT",
        "SELEC 1",
        "SELECT * FROM query('SELECT * FROM baseline')",
        "SELECT * FROM query_table('baseline')",
        "SELECT (SELECT count(*) FROM QUERY_TABLE(['a', 'b']))",
    ],
)
def test_what_is_not_one_select_over_named_tables_is_refused(sql):
    with pytest.raises(ContractError, match="a rule's SQL"):
        tables_of(sql)


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT 1", ""),
        ("FROM rows", "rows"),
        ("SELECT count(*) FROM rows JOIN documents USING (id)", "rows documents"),
        ("SELECT count(*) FROM Rows, BASELINE", "rows baseline"),
        ("SELECT * FROM main.baseline", "baseline"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", ""),
        ("WITH a AS (SELECT 1), b AS (SELECT * FROM a, baseline) SELECT * FROM B", "baseline"),
        ("WITH baseline AS (SELECT * FROM baseline) SELECT count(*) FROM baseline", "baseline"),
        ("WITH baseline AS (SELECT 1) SELECT count(*) FROM baseline", ""),
        ("WITH baseline AS (SELECT 1) SELECT count(*) FROM main.baseline", "baseline"),
        ("SELECT (WITH b AS (SELECT 1) SELECT * FROM b) + (SELECT count(*) FROM b)", "b"),
        ("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", "b"),
        (
            "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t, edges WHERE n < 5) "
            "SELECT count(*) FROM t",
            "edges",
        ),
        (
            "SELECT 1 WHERE EXISTS (FROM baseline) AND 1 IN (SELECT x FROM splits)",
            "baseline splits",
        ),
        ("SELECT count(*) FROM (DESCRIBE baseline)", "baseline"),
        ("SELECT 1 FROM rows UNION ALL (FROM documents)", "rows documents"),
        ("SELECT count(*) FROM rows AS baseline", "rows"),
        ("SELECT max((SELECT count(*) FROM splits)) OVER () FROM rows", "rows splits"),
        ("SELECT 'FROM baseline' -- FROM documents", ""),
    ],
)
def test_the_tables_of_a_select_are_those_that_it_does_not_make_itself(sql, tables):
    assert tables_of(sql) == frozenset(tables.split())


@pytest.mark.parametrize(
    ("sql", "number"),
    [
        ("SELECT count(*) FROM rows", 3),
        ("SELECT sum(x) FROM rows", 6),
        ("SELECT avg(x) / 4 FROM rows", 0.5),
        ("SELECT 1.50", 1.5),
        ("SELECT 2.00", 2),
        ("SELECT true", 1),
        ("SELECT bool_and(x > 1) FROM rows", 0),
        ("SELECT 9007199254740993", 9007199254740993),
        ("SELECT -9007199254740993", -9007199254740993),
        ("SELECT 170141183460469231731687303715884105727", 2.0**127),
        ("SELECT 1e300", 1e300),
        ("SELECT 1 / 0", float("inf")),
        ("WITH rows AS (FROM rows WHERE x > 1) SELECT count(*) FROM rows", 2),
        ("SELECT count(*) FROM rows; -- all", 3),
    ],
)
def test_a_number_is_what_the_query_gives(sql, number):
    found = ask(sql)
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT NULL",
        "SELECT max(x) FROM rows WHERE false",
        "SELECT 0 / 0",
        "SELECT count(*) FILTER (x > 9) / count(*) FROM rows WHERE false",
        "SELECT 'nan'::DOUBLE",
        "SELECT '5'",
        "SELECT DATE '2020-01-01'",
        "SELECT TIME '12:00'",
        "SELECT INTERVAL 1 DAY",
        "SELECT [1]",
        "SELECT {'a': 1}",
        "SELECT '1'::BLOB",
        "SELECT uuid()",
        "SELECT 1, 2",
        "SELECT x FROM rows",
        "SELECT x FROM rows WHERE false",
        "SELECT nothing FROM rows",
        "WITH t AS (DELETE FROM rows RETURNING *) SELECT count(*) FROM t",
        "SELECT count(*) FROM nothing",
        "SELECT $parameter",
        "SELECT ?",
        "SELECT error('no')",
        "SELECT 'a'::INTEGER",
    ],
)
def test_what_is_no_number_is_said_and_never_passes(sql):
    assert isinstance(ask(sql), str)


@pytest.mark.parametrize(
    "source",
    [
        "'{file}'",
        "read_parquet('{file}')",
        "read_csv('{file}')",
        "read_text('{file}')",
        "read_blob('{file}')",
        "read_json('{file}')",
        "parquet_metadata('{file}')",
        "sniff_csv('{file}')",
        "glob('{folder}/*')",
        "parquet_scan(['{file}'])",
        "read_csv('http://127.0.0.1:1/x')",
        "'s3://bucket/x.parquet'",
        "ROWS_OF_PYTHON",
    ],
)
def test_no_file_no_address_and_no_variable_can_be_read(source, tmp_path: Path):
    ROWS_OF_PYTHON = ROWS  # noqa: F841 (DuckDB looks for variables of this name)
    file = tmp_path / "secret.parquet"
    pq.write_table(ROWS, file)
    found = ask(f"SELECT count(*) FROM {source.format(file=file, folder=tmp_path)}")
    assert isinstance(found, str)
    assert "cannot be asked" in found


def test_examples_are_ten_rows_at_most_and_say_why_they_are_none():
    many = pa.table({"x": range(30), "s": ["a\n"] * 30})
    with connect({"rows": many}) as connection:
        shown = ask_examples(connection, "SELECT * FROM rows ORDER BY x DESC")
        assert shown[:2] == ("x=29, s='a\\n'", "x=28, s='a\\n'")
        assert len(shown) == 10
        assert ask_examples(connection, "SELECT x FROM rows WHERE x = 3;") == ("x=3",)
        assert ask_examples(connection, "SELECT x FROM rows WHERE x = 3 -- three") == ("x=3",)
        assert ask_examples(connection, "SELECT x FROM rows WHERE false") == ()
        (why,) = ask_examples(connection, "SELECT y FROM rows")
        assert "cannot be asked" in why
