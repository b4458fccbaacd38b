"""read_labels: files of labelled texts -> rows of `DOCUMENTS` whose ``labels`` say class and group.

A file is JSON Lines (also ``.gz``, ``.zst``) or Parquet; a folder is read with the folders in it,
but for hidden ones and links, and files with other names are left alone. Label and group stand
under the keys ``label`` and ``group``, whatever the file calls them. A record that lacks one of the
named fields goes to quarantine; that no record has them is found before anything is read in full.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from data_contracts.documents import DOCUMENTS
from pipelines.ingest.batches import build_batches
from pipelines.ingest.compressed import BrokenStream, decompress
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.jsonl import parse_line
from pipelines.ingest.lines import Line, LineCount, LineFramer
from pipelines.ingest.listing import (
    group_files,
    is_large,
    list_file,
    list_ranges,
    range_name,
    shown,
)
from pipelines.ingest.opening import open_checked
from pipelines.ingest.rows import RAW_BYTES, Item, Origin, Record, Unreadable
from pipelines.labels.config import GROUP_KEY, LABEL_KEY, ReadLabelsConfig
from pipelines.labels.look_at_files import (
    BYTE_ORDER_MARK,
    PARQUET_SUFFIX,
    check_fields,
    damaged,
    fields_of,
    find_files,
    open_parquet,
    root_of,
)
from store.step import Inputs, Output, SourceFile, SourcePart, Step

VERSION = 1

SOURCE = "labels"

_BATCH_ROWS = 1024
_NUM_BUNDLES = 16
_MAX_BUNDLE_FILE_BYTES = 1 << 20

Fields = dict[str, Any]


def list_parts(config: ReadLabelsConfig) -> list[SourcePart]:
    """List the partitions of ``config.path``, sorted by key, having looked at the first records.

    Raises:
        RecipeError: if no path is given.
        InputError: if there is nothing to read, or the first records of no file have the fields.
    """
    paths, root = find_files(config.path), root_of(config.path)
    check_fields(root, paths, config)
    small, parts = [], []
    for path in paths:
        if path.lower().endswith(".jsonl") and is_large(root / path, path):
            parts += list_ranges(root / path, path)
        else:
            small.append(list_file(root / path, path))
    parts += group_files(small, _NUM_BUNDLES, _MAX_BUNDLE_FILE_BYTES)
    return sorted(parts, key=lambda part: part.key)


def read_labels(inputs: Inputs, config: ReadLabelsConfig) -> Output:
    """Read one partition, files by path, records in file order; each is a row or quarantined.

    Raises:
        InputError: while rows are consumed, if a file is gone, damaged or not what was listed.
    """
    assert inputs.source is not None
    output = Output(rows=(), facts={"records_framed": 0})
    items = _read_items(inputs.source, config, output.facts)
    output.rows = build_batches(items, SOURCE, "quarantine", output.quarantined)
    return output


def _read_items(
    part: SourcePart, config: ReadLabelsConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    root = root_of(config.path)
    for file in part.files:
        if file.path.lower().endswith(PARQUET_SUFFIX):
            yield from _read_parquet(root / file.path, file, config, facts)
        else:
            yield from _read_lines(root / file.path, file, config, facts)


def _read_lines(
    path: Path, file: SourceFile, config: ReadLabelsConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield an item per line; what follows a break in a compressed file is one."""
    count, framer = LineCount(), LineFramer(config.max_record_bytes, file.start)
    uri, broken = shown(file.path), None
    named = range_name(file.path, file.start) if file.start else uri
    with open_checked(path, file) as reader:
        suffix = path.suffix.lower()
        blocks = reader.blocks() if suffix == ".jsonl" else decompress(reader, suffix)
        try:
            for line in framer.lines(count.watch(blocks)):
                if not line.is_blank:
                    yield _of_line(line, uri, named, config)
        except BrokenStream as error:
            broken = str(error)
        last = framer.rest()
        if broken is not None:
            at = Origin(uri, last.offset if last else framer.offset, "byte")
            yield Unreadable(at, broken, last.data if last else b"")
        elif last is not None and not last.is_blank:
            yield _of_line(last, uri, named, config)
    facts["records_framed"] += count.num_lines + (broken is not None and not count.is_inside)


def _of_line(line: Line, uri: str, named: str, config: ReadLabelsConfig) -> Item:
    """Return the item of a line: read as ingest reads it, then asked for its label."""
    settings = IngestConfig(
        kind="files",
        max_record_bytes=config.max_record_bytes,
        text_field=config.text_field,
        id_field="",
        labels_field="",
    )
    item = parse_line(line, uri, f"{named}#{line.ordinal}", {}, settings)
    if not isinstance(item, Record):
        return item
    fields = json.loads(line.data.removeprefix(BYTE_ORDER_MARK))
    return _labelled(item, fields, config)


def _labelled(record: Record, fields: Fields, config: ReadLabelsConfig) -> Item:
    """Return the record with its labels, or why it cannot be used."""
    try:
        labels = {LABEL_KEY: _name_of(fields, config.label_field)}
        if config.group_field:
            labels[GROUP_KEY] = _name_of(fields, config.group_field)
    except ValueError as error:
        return Unreadable(record.origin, str(error), record.raw, record.key)
    record.labels = labels
    return record


def _name_of(fields: Fields, name: str) -> str:
    """Return a label or group: a string that is not blank, or a whole number."""
    if name not in fields:
        raise ValueError(f"no field {name!r}")
    value = fields[name]
    if type(value) is int:
        return str(value)
    if not isinstance(value, str):
        raise ValueError(f"the field {name!r} is neither a string nor a whole number")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the field {name!r} holds a lone surrogate") from None
    if not value.strip():
        raise ValueError(f"the field {name!r} is empty")
    return value


def _read_parquet(
    path: Path, file: SourceFile, config: ReadLabelsConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield an item per row; rows are counted from the file's own footer."""
    with open_checked(path, file):
        pass  # leaving reads it through and compares it with the listing
    with open_parquet(path, file.path) as parquet:
        facts["records_framed"] += parquet.metadata.num_rows
        columns = [name for name in fields_of(config) if name in parquet.schema_arrow.names]
        position = 0
        try:
            for batch in parquet.iter_batches(_BATCH_ROWS, columns=columns):
                for row in batch.to_pylist():
                    yield _of_row(row, shown(file.path), position, config)
                    position += 1
        except (OSError, pa.ArrowException) as error:
            raise damaged(file.path, error) from error
        for row_number in range(position, parquet.metadata.num_rows):  # it has no such column
            yield _of_row({}, shown(file.path), row_number, config)


def _of_row(row: Fields, uri: str, position: int, config: ReadLabelsConfig) -> Item:
    origin = Origin(uri, position, "row")
    key = f"{uri}#{position + 1}"
    text = row.get(config.text_field)
    if not isinstance(text, str):
        raw = repr(row)[:RAW_BYTES].encode("utf-8", "backslashreplace")
        return Unreadable(origin, f"the field {config.text_field!r} is no string", raw, key)
    record = Record(origin, key, text, text[:RAW_BYTES].encode("utf-8", "backslashreplace"))
    if len(text.encode("utf-8", "replace")) > config.max_record_bytes:
        error = f"the record is over max_record_bytes = {config.max_record_bytes}"
        return Unreadable(origin, error, record.raw, key)
    return _labelled(record, row, config)


STEP = Step(
    name="read_labels",
    version=VERSION,
    kind="source",
    run=read_labels,
    config=ReadLabelsConfig,
    schema=DOCUMENTS,
    list_parts=list_parts,
    libraries=("python",),  # NFC
)
