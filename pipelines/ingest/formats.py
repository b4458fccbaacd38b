"""The formats: each a function from one stream to records, and how streams are opened for them.

A format reader yields one item for each record that it framed and raises
``facts["records_framed"]`` by what it framed, counted apart from parsing. Where a stream breaks,
`BrokenStream` may leave a reader; what is lost then counts as one record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from pipelines.ingest import json_values, jsonl, whole_text
from pipelines.ingest.compressed import BrokenStream, Limits, decompress
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.place import Place
from pipelines.ingest.rows import Item, Origin, Unreadable
from pipelines.ingest.streams import as_stream, scratch_of

Reader = Callable[[BinaryIO, Place, IngestConfig, dict[str, Any]], Iterator[Item]]

FORMATS: dict[str, Reader] = {
    "text": whole_text.read,
    "markdown": whole_text.read_file,
    "code": whole_text.read_code,
    "jsonl": jsonl.read,
    "json": json_values.read,
}


def read_format(
    name: str, stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield the records of a stream in the format of a name; what a break took is one record."""
    try:
        yield from FORMATS[name](stream, place, config, facts)
    except BrokenStream as error:
        facts["records_framed"] += 1
        yield Unreadable(Origin(place.uri, 0, "byte"), str(error), b"")


def unpacked(stream: BinaryIO, compression: str, config: IngestConfig) -> BinaryIO:
    """Return what a stream holds once it is decompressed; "" for one that is not compressed."""
    if not compression:
        return stream
    limits = Limits(config.max_unpacked_bytes, config.max_unpack_ratio)
    return as_stream(decompress(stream, compression, limits), scratch_of(stream))
