"""HTML files: each is one document, its main text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.extract import extract_each, pending_page
from pipelines.ingest.page import read_up_to
from pipelines.ingest.place import Place
from pipelines.ingest.rows import RAW_BYTES, Item, Origin, Pending, Record


def read(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield the one record of an HTML file, as `open_page` has it, with its text."""
    yield from extract_each(open_page(stream, place, config, facts))


def open_page(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Pending]:
    """Yield the one record of an HTML file before it is read; its key is that of the file.

    No more than ``max_page_bytes`` of it are read.
    """
    facts["records_framed"] += 1
    data = read_up_to(stream, config.max_page_bytes + 1)
    record = Record(
        origin=Origin(place.uri, 0, "byte"),
        key=place.key,
        text="",
        raw=data[:RAW_BYTES],
        labels=place.labels,
    )
    yield pending_page(record, data, None, {}, config)
