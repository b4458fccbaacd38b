"""A folder of Parquet files as a subject, whoever wrote them: no run, no receipts, no upstream."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from catalog.contracts.subject import CheckedPart, Subject
from catalog.relations import PART
from data_contracts.errors import Damaged, InputError
from store.home import first_line
from store.identity import digest_file

SUFFIXES = (".parquet", ".pq")


def folder_subject(folder: Path, name: str, baseline: Path | None = None) -> Subject:
    """Return a folder of Parquet files (or one file), in the order of their paths, as a subject.

    ``name`` is what the contract calls the dataset. With a ``baseline``, another such folder, the
    files whose bytes are not in it are the new ones.

    Raises:
        InputError: if there is no such folder, or no Parquet file in it.
        Damaged: if a file is not Parquet.
    """
    files = parquet_files(folder)
    before = parquet_files(baseline) if baseline is not None else []
    known = {digest_file(path) for path in before}
    parts = tuple(_part(path, key, bool(before)) for key, path in _keys(folder, files))
    return Subject(
        name=name,
        step="",
        dataset=str(folder),
        parts=parts,
        rows=_rows(folder, files),
        baseline=_rows(baseline, before) if baseline is not None else None,
        new_parts=frozenset(part.key for part in parts if part.digest not in known),
    )


def parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files below a folder, sorted by path; a file is itself.

    Raises:
        InputError: if there is none.
    """
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise InputError(f"There is no folder or file {folder}; name one that holds Parquet.")
    found = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    if not found:
        raise InputError(f"{folder} holds no {' or '.join(SUFFIXES)} file; name one that does.")
    return found


def _keys(folder: Path, files: list[Path]) -> list[tuple[str, Path]]:
    if folder.is_file():
        return [(folder.name, folder)]
    return [(path.relative_to(folder).as_posix(), path) for path in files]


def _part(path: Path, key: str, is_compared: bool) -> CheckedPart:
    rows = _dataset([(key, path)])
    schema = pa.schema([field for field in rows.schema if field.name != PART])
    digest = digest_file(path) if is_compared else key
    return CheckedPart(key, digest, schema, rows)


def _rows(folder: Path, files: list[Path]) -> pa.dataset.Dataset:
    return _dataset(_keys(folder, files))


def _dataset(files: list[tuple[str, Path]]) -> pa.dataset.Dataset:
    """Return the rows of files unread, with the column ``part``; the columns are all that occur."""
    import pyarrow.dataset as ds
    from pyarrow.fs import LocalFileSystem

    form, schemas, fragments = ds.ParquetFileFormat(), [], []
    for key, path in files:
        try:
            expression = ds.field(PART) == key
            fragment = form.make_fragment(str(path), LocalFileSystem(), expression)
            schemas.append(fragment.physical_schema)
        except (OSError, pa.ArrowException) as error:
            raise Damaged(f"{path} is not a Parquet file ({first_line(error)}).") from error
        fragments.append(fragment)
    found = _unified(schemas)
    if PART in found.names:
        raise InputError(f"{files[0][1]} has a column {PART!r}, which Millrace adds itself.")
    return ds.FileSystemDataset(fragments, pa.schema([*found, pa.field(PART, pa.string())]), form)


def _unified(schemas: list[pa.Schema]) -> pa.Schema:
    """Return all columns of some schemas; one whose types have nothing in common is text there."""
    try:
        return pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowException:
        names = dict.fromkeys(name for schema in schemas for name in schema.names)
        return pa.schema([_unified_field(name, schemas) for name in names])


def _unified_field(name: str, schemas: list[pa.Schema]) -> pa.Field:
    fields = [schema.field(name) for schema in schemas if name in schema.names]
    try:
        one = [pa.schema([field]) for field in fields]
        return pa.unify_schemas(one, promote_options="permissive").field(name)
    except pa.ArrowException:
        return pa.field(name, pa.string())
