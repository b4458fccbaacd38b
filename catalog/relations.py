"""Datasets as relations: exactly the partition files of a manifest, for DuckDB and Arrow to read.

A relation has the columns of the step's rows and one more, ``part``: the key of the partition that
a row lies in. Files are opened by pyarrow, on a local disk or in a bucket, with their checksums
verified; DuckDB itself is closed to files, network and settings, so nothing but the registered
relations can be read and nothing can be written, whatever the query.
"""

from __future__ import annotations

import functools
import operator
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import duckdb
import pyarrow as pa
from pyarrow.fs import FSSpecHandler, LocalFileSystem, PyFileSystem

from data_contracts.errors import Damaged, StoreError
from store.datasets import REMEDY, Dataset, Receipt
from store.home import first_line
from store.step import QUARANTINE
from store.storage import Storage

if TYPE_CHECKING:
    import pyarrow.dataset as ds  # imports pandas, half a second: at run time where it is used

PART = "part"
STEP = "step"
MEMORY_LIMIT = "2GB"  # beyond it DuckDB spills to the folder for temporary files

Relation: TypeAlias = "ds.Dataset | pa.Table"
_OF_MACHINE = (duckdb.OperationalError, duckdb.InternalError, duckdb.FatalException)
_UNREADABLE = ("reading the stream registered", "python exception", "arrow")


@dataclass(frozen=True)
class _Extent:
    """A file of the home, or some of its row groups, and what its rows' added columns hold."""

    name: str
    constants: Mapping[str, str]
    row_groups: tuple[int, ...] | None = None


def rows_of(
    storage: Storage, dataset: Dataset, schema: pa.Schema | None = None, by_slice: bool = False
) -> Relation:
    """Return the rows of a dataset, partitions in the manifest's order.

    ``by_slice``: ``part`` is the name of the slice that a row lies in, not the partition's key.
    ``schema`` is that of a dataset without partitions.

    Raises:
        Damaged: if the first partition cannot be opened; later ones are opened when they are read.
    """
    extents = [extent for part in dataset.parts for extent in _extents(part, by_slice)]
    return _relation(storage, extents, schema or pa.schema([("doc_id", pa.string())]), (PART,))


def quarantined_of(storage: Storage, datasets: Iterable[Dataset]) -> Relation:
    """Return the quarantined rows of datasets: `store.step.QUARANTINE`, ``step`` and ``part``."""
    extents = [
        _Extent(part.quarantine_name(), {STEP: dataset.step, PART: part.key})
        for dataset in datasets
        for part in dataset.parts
        if part.quarantine_digest is not None
    ]
    return _relation(storage, extents, QUARANTINE, (STEP, PART))


def connect(relations: Mapping[str, Relation]) -> duckdb.DuckDBPyConnection:
    """Return a closed in-memory DuckDB with one view per relation; close it after use.

    Raises:
        StoreError: if there is no memory for as much as that.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": False,
        "python_enable_replacements": False,
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": _spill_folder(),
        "lock_configuration": True,
    }
    try:
        connection = duckdb.connect(config=config)
        for name, relation in relations.items():
            connection.register(name, relation)
    except duckdb.Error as error:
        raise _explained(error) from error
    return connection


def ask(connection: duckdb.DuckDBPyConnection, sql: str, **params: Any) -> pa.Table:
    """Run one query with named parameters (``$name``) and return its rows.

    Raises:
        Damaged: if a partition cannot be read.
        StoreError: if there is no memory or room for it now.
        duckdb.Error: if the query does not fit the relations.
    """
    try:
        return connection.sql(sql, params=params).to_arrow_table()
    except duckdb.Error as error:
        raise _explained(error) from error


def carry_out(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Carry out statements that give no rows; raises like `ask`."""
    try:
        connection.execute(sql)
    except duckdb.Error as error:
        raise _explained(error) from error


def ask_rows(
    connection: duckdb.DuckDBPyConnection, sql: str, **params: Any
) -> list[dict[str, Any]]:
    """Run one query like `ask` and return its rows as dicts."""
    return ask(connection, sql, **params).to_pylist()


def quoted(identifier: str) -> str:
    """Return an identifier in SQL's double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def _explained(error: duckdb.Error) -> Exception:
    """Return `Damaged` if reading a partition failed, `StoreError` if the machine did.

    Else the error itself: it is the query's, and asking again would give it again.
    """
    message = str(error)
    is_reading = isinstance(error, duckdb.InvalidInputException | duckdb.IOException)
    if is_reading and any(mark in message.lower() for mark in _UNREADABLE):
        detail = message.splitlines()[0].rpartition("failed: ")[2]
        return Damaged(f"A partition cannot be read ({detail}); {REMEDY}")
    if isinstance(error, _OF_MACHINE):
        return StoreError(
            f"DuckDB could not answer ({first_line(error)}); it works in {MEMORY_LIMIT} of memory "
            f"and beyond that in {_spill_folder()}: see that there is room, then run again."
        )
    return error


def _spill_folder() -> str:
    return os.path.join(tempfile.gettempdir(), f"millrace-{os.getpid()}-spill")


def _extents(part: Receipt, by_slice: bool) -> Iterator[_Extent]:
    if not by_slice:
        yield _Extent(part.data_name(), {PART: part.key})
        return
    for name, slice_ in part.slices.items():
        groups = range(slice_.first_group, slice_.first_group + slice_.num_groups)
        yield _Extent(part.data_name(), {PART: name}, tuple(groups))


def _relation(
    storage: Storage, extents: list[_Extent], schema: pa.Schema, constants: tuple[str, ...]
) -> Relation:
    import pyarrow.dataset as ds

    added = [pa.field(name, pa.string()) for name in constants]
    if not extents:
        return pa.schema([*schema, *added]).empty_table()
    options = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
    form = ds.ParquetFileFormat(default_fragment_scan_options=options)
    try:
        fragments = [_fragment(storage, form, extent) for extent in extents]
        found = fragments[0].physical_schema
    except (OSError, pa.ArrowException) as error:
        raise unreadable(storage, error) from error
    return ds.FileSystemDataset(fragments, pa.schema([*found, *added]), form)


def unreadable(storage: Storage, error: Exception) -> Damaged:
    """Make the error for a partition that cannot be read; the cause's message names its file."""
    detail = str(error).partition("\n")[0] or type(error).__name__
    return Damaged(f"A partition in {storage.url} cannot be read ({detail}); {REMEDY}")


def _fragment(storage: Storage, form: ds.ParquetFileFormat, extent: _Extent) -> ds.Fragment:
    import pyarrow.dataset as ds

    equal = [ds.field(name) == value for name, value in extent.constants.items()]
    expression = functools.reduce(operator.and_, equal)
    groups = None if extent.row_groups is None else list(extent.row_groups)
    path = storage.local_path(extent.name)
    if path is not None:
        return form.make_fragment(str(path), LocalFileSystem(), expression, groups)
    if storage.url.startswith("memory:"):  # whose files are one shared object each
        return form.make_fragment(pa.py_buffer(storage.read(extent.name)), None, expression, groups)
    system, place = storage.bucket_file(extent.name)
    return form.make_fragment(place, PyFileSystem(FSSpecHandler(system)), expression, groups)
