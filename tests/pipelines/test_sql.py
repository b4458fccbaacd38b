import threading

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sql import literal, query, quoted

NUMBERS = pa.schema([("number", pa.int64())])


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12))
def test_a_literal_is_the_text(text):
    rows = query(f"SELECT {literal(text)} AS text", pa.schema([("text", pa.string())]))
    assert rows["text"].to_pylist() == [text]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12))
def test_a_quoted_identifier_is_the_name(name):
    schema = pa.schema([(name, pa.int64())])
    assert query(f"SELECT 7 AS {quoted(name)}", schema).to_pydict() == {name: [7]}


def test_calculating_keeps_the_order_of_a_table_of_many_chunks():
    numbers = [(number * 7919) % 100_003 for number in range(50_000)]
    chunks = [numbers[start : start + 997] for start in range(0, len(numbers), 997)]
    table = pa.table({"number": pa.chunked_array(chunks, pa.int64())})
    sql = "SELECT CASE WHEN number % 2 = 0 THEN number ELSE -number END AS number FROM given"
    answer = query(sql, NUMBERS, given=table)["number"].to_pylist()
    assert answer == [number if number % 2 == 0 else -number for number in numbers]


def test_rows_have_the_schema_that_was_asked_for():
    schema = pa.schema([pa.field("b", pa.int32(), nullable=False), ("a", pa.string())])
    rows = query("SELECT 'x' AS a, 1::BIGINT AS b, 2 AS c", schema)
    assert rows.schema.equals(schema)
    assert rows.to_pylist() == [{"b": 1, "a": "x"}]


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(pa.ArrowInvalid):
        query("SELECT 'many' AS number", NUMBERS)


def test_a_query_that_does_not_bind_leaves_no_table_behind():
    table = pa.table({"number": [1]})
    with pytest.raises(duckdb.Error):
        query("SELECT nothing FROM given", NUMBERS, given=table)
    with pytest.raises(duckdb.Error, match="given"):
        query("SELECT number FROM given", NUMBERS)


def test_a_query_reaches_no_file(tmp_path):
    path = tmp_path / "numbers.csv"
    path.write_text("number\n1\n")
    with pytest.raises(duckdb.Error):
        query(f"SELECT number FROM read_csv({literal(str(path))})", NUMBERS)


def test_threads_do_not_see_the_tables_of_one_another():
    answers, together = {}, threading.Barrier(4)

    def ask(worker):
        together.wait()
        table = pa.table({"number": [worker] * 1000})
        sql = "SELECT sum(number)::BIGINT AS number FROM given"
        answers[worker] = [query(sql, NUMBERS, given=table)["number"][0].as_py() for _ in range(20)]

    threads = [threading.Thread(target=ask, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {worker: [worker * 1000] * 20 for worker in range(4)}
