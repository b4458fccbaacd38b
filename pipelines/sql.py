"""Asking DuckDB a question of Arrow tables inside a step: closed to the outside, one thread.

What does not fit `MEMORY_LIMIT` is sorted, joined and grouped on disk.
Steps run several at a time, so each thread of each process keeps a connection of its own, with one
thread; rows come back in the order that the query's ``ORDER BY`` says, and a query that only
calculates with the columns of one table gives its rows in the order of that table.
"""

import atexit
import os
import tempfile
import threading

import duckdb
import pyarrow as pa

MEMORY_LIMIT = "1GB"  # of each thread's database; the tables that it reads come besides
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "memory_limit": MEMORY_LIMIT,
    "preserve_insertion_order": True,
    "enable_external_access": False,
    "lock_configuration": True,
}
_opened = threading.local()


def query(sql: str, schema: pa.Schema, **tables: pa.Table | pa.RecordBatchReader) -> pa.Table:
    """Run one query over named Arrow tables and return its rows with the given schema.

    A reader of batches is read once, as the query asks for them.

    Only identifiers and numbers may have been formatted into ``sql``. Raises ``duckdb.Error`` if
    the query does not bind and ``pyarrow.ArrowInvalid`` if its columns do not fit the schema.
    """
    connection = _connection()
    for name, table in tables.items():
        connection.register(name, table)
    try:
        rows = connection.sql(sql).to_arrow_table()
    finally:
        for name in tables:
            connection.unregister(name)
    return rows.select(schema.names).cast(schema)


def quoted(identifier: str) -> str:
    """Return an identifier in SQL's double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text in SQL's single quotes."""
    return "'" + text.replace("'", "''") + "'"


def _connection() -> duckdb.DuckDBPyConnection:
    """Return this thread's connection; opening one costs some 15 ms, more than most queries."""
    if getattr(_opened, "pid", None) != os.getpid():
        _opened.pid = os.getpid()
        spill = os.path.join(tempfile.gettempdir(), f"millrace-{os.getpid()}-steps-spill")
        _opened.connection = duckdb.connect(config={**_SETTINGS, "temp_directory": spill})
        atexit.register(_opened.__dict__.clear)  # DuckDB complains of what lives longer
    connection: duckdb.DuckDBPyConnection = _opened.connection
    return connection
