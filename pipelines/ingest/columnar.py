"""Parquet and Arrow files (those of Hugging Face datasets on disk): a row is a record.

Rows are counted by the file's own footer (Parquet) or batch headers (Arrow). What a corrupt page
takes, up to the end of its row group, is quarantined row by row; other row groups are read. Over a
million rows at once are quarantined as one, so that a footer cannot claim any number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, BinaryIO

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from pipelines.ingest.arrow_bytes import BYTES_OF_TEXT, with_bytes
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.fields import Read, declared, make_record
from pipelines.ingest.jsonl import too_long
from pipelines.ingest.place import Place
from pipelines.ingest.rows import RAW_BYTES, Item, Origin, Unreadable
from pipelines.ingest.streams import spool

_BATCH_ROWS = 256
_MAX_LOST_ROWS = 1_000_000
_MAX_FOOTER_BYTES = 64 << 20
# What pyarrow raises on damage: ArrowException and OSError, and Python's own for values.
_DAMAGE = (OSError, pa.ArrowException, ValueError, OverflowError, MemoryError)


def read_parquet(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield the record of each row, row group by row group.

    A file whose footer cannot be read is one record.
    """
    with spool(stream) as file:
        try:
            parquet = pq.ParquetFile(
                file,
                thrift_string_size_limit=_MAX_FOOTER_BYTES,
                thrift_container_size_limit=1_000_000,
            )
            groups = [parquet.metadata.row_group(i) for i in range(parquet.num_row_groups)]
            sizes = [(group.num_rows, group.total_byte_size) for group in groups]
            parquet.schema_arrow  # noqa: B018 - a schema that Arrow has no types for raises here
        except _DAMAGE as error:
            facts["records_framed"] += 1
            yield Unreadable(Origin(place.uri, 0, "byte"), f"not Parquet: {_first(error)}", b"")
            return
        yield from _groups(parquet, sizes, place, config, facts)


def _groups(
    parquet: pq.ParquetFile,
    sizes: list[tuple[int, int]],
    place: Place,
    config: IngestConfig,
    facts: dict[str, Any],
) -> Iterator[Item]:
    first = unpacked = 0
    for number, (num_rows, num_bytes) in enumerate(sizes):
        position, error, unpacked = first, "", unpacked + num_bytes
        if unpacked > config.max_unpacked_bytes:
            error = f"unpacks to over max_unpacked_bytes = {config.max_unpacked_bytes}"
        batches = iter(()) if error else parquet.iter_batches(_BATCH_ROWS, row_groups=[number])
        try:
            for batch in batches:
                for item in _items(batch, position, place, config):
                    if position < first + num_rows:
                        yield item
                    position += 1
        except _DAMAGE as damage:
            error = f"damaged in row group {number}: {_first(damage)}"
        facts["records_framed"] += position - first
        yield from _lost(place, position, first + num_rows, error or "the row is not there", facts)
        first += num_rows


def _lost(place: Place, start: int, end: int, error: str, facts: dict[str, Any]) -> Iterator[Item]:
    """Yield an item for each row that the footer counts and that could not be read.

    A footer that counts too many is not believed: then one item stands for all.
    """
    if end - start > _MAX_LOST_ROWS:
        error, end = f"{error}; with it {end - start} rows, if the footer is right", start + 1
    facts["records_framed"] += max(0, end - start)
    for position in range(start, end):
        yield Unreadable(Origin(place.uri, position, "row"), error, b"")


def read_arrow(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield the record of each row of an Arrow stream, or of an Arrow file.

    Rows count as their batch is read; what follows damage is one record.
    """
    position = 0
    with spool(stream) as file:
        try:
            for batch in _batches(file):
                facts["records_framed"] += batch.num_rows
                for item in _items(batch, position, place, config):
                    position += 1
                    yield item
        except _DAMAGE as error:
            facts["records_framed"] += 1
            at = Origin(place.uri, position, "row")
            yield Unreadable(at, f"damaged after row {position}: {_first(error)}", b"")


def _batches(file: IO[bytes]) -> Iterator[pa.RecordBatch]:
    """Yield small, validated batches of whichever of Arrow's two formats a file is."""
    is_file = file.read(6) == b"ARROW1"
    file.seek(0)
    if is_file:
        with pa.ipc.open_file(file) as reader:
            whole = (reader.get_batch(i) for i in range(reader.num_record_batches))
            yield from _validated(whole)
    else:
        with pa.ipc.open_stream(file) as reader:
            yield from _validated(reader)


def _validated(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        batch.validate()
        for column in batch.columns:  # text that is not UTF-8 is no damage yet
            with_bytes(column).validate(full=True)
        for start in range(0, batch.num_rows, _BATCH_ROWS):
            yield batch.slice(start, _BATCH_ROWS)


def _items(
    batch: pa.RecordBatch, position: int, place: Place, config: IngestConfig
) -> Iterator[Item]:
    for number, fields in enumerate(_rows(batch)):
        yield _of_row(fields, position + number, place, config)


def _rows(batch: pa.RecordBatch) -> list[dict[str, Any] | str]:
    """Return the fields of each row, or the error for a row that has a value of no form."""
    try:
        return list(batch.to_pylist())
    except (ValueError, OverflowError):
        return [_row(batch.slice(number, 1)) for number in range(batch.num_rows)]


def _row(row: pa.RecordBatch) -> dict[str, Any] | str:
    fields: dict[str, Any] = {}
    for name, column in zip(row.schema.names, row.columns, strict=True):
        try:
            fields[name] = column[0].as_py()
        except UnicodeDecodeError:  # of text that is not UTF-8, the bytes
            if not _is_text(column.type):
                return f"not UTF-8 in the field {name!r}"
            fields[name] = with_bytes(column)[0].as_py()
        except (ValueError, OverflowError) as error:
            return f"the field {name!r} has a value of no form: {_first(error)}"
    return fields


def _is_text(kind: pa.DataType) -> bool:
    return (kind.value_type if pa.types.is_dictionary(kind) else kind) in BYTES_OF_TEXT


def _of_row(
    fields: dict[str, Any] | str, position: int, place: Place, config: IngestConfig
) -> Item:
    origin, key = Origin(place.uri, position, "row"), f"{place.key}#{position + 1}"
    if isinstance(fields, str):
        return Unreadable(origin, fields, b"", key)
    text = declared(fields, config.text_field)
    raw = text[:RAW_BYTES] if isinstance(text, str | bytes) else repr(text)[:RAW_BYTES]
    raw = raw.encode("utf-8", "backslashreplace") if isinstance(raw, str) else raw
    num_bytes = len(text) if isinstance(text, bytes) else len(str(text).encode("utf-8", "replace"))
    if num_bytes > config.max_record_bytes:
        return Unreadable(origin, too_long(num_bytes, config), raw, key)
    return make_record(fields, Read(origin, raw, key, place.labels), config)


def _first(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
