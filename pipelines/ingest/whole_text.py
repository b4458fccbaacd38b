"""Plain text: a document is a file, a line or a block between blank lines; or a file of source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

from pipelines.ingest.compressed import BrokenStream
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.fields import decode
from pipelines.ingest.jsonl import broken_tail, too_long
from pipelines.ingest.lines import Line, LineCount, LineFramer
from pipelines.ingest.place import Place
from pipelines.ingest.rows import RAW_BYTES, Item, Origin, Record, Unreadable
from pipelines.ingest.streams import blocks_of
from pipelines.ingest.suffixes import language_of
from pipelines.ingest.text import decode_lossy

_BOM = b"\xef\xbb\xbf"


def read(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield the documents of a text as ``config.unit`` divides it."""
    if config.unit == "line":
        return read_lines(stream, place, config, facts)
    if config.unit == "block":
        return read_blocks(stream, place, config, facts)
    return read_file(stream, place, config, facts)


def read_file(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield the one document of a text; one that breaks off is quarantined whole."""
    facts["records_framed"] += 1
    held: list[bytes] = []
    num_bytes, broken = 0, None
    try:
        for block in blocks_of(stream):
            num_bytes += len(block)
            if num_bytes <= config.max_record_bytes or not held:
                held.append(block)
    except BrokenStream as error:
        broken = str(error)
    data = b"".join(held)
    if broken is None and num_bytes > config.max_record_bytes:
        broken = f"the file has {num_bytes} bytes, over max_record_bytes = "
        broken += f"{config.max_record_bytes}"
    if broken is not None:
        yield Unreadable(Origin(place.uri, 0, "byte"), broken, data[:RAW_BYTES], place.key)
    else:
        yield _whole(data, place, config)


def _whole(data: bytes, place: Place, config: IngestConfig) -> Item:
    raw, num_repairs = data[:RAW_BYTES], 0
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if config.encoding_errors != "repair":
            at = Origin(place.uri, error.start, "byte")
            reason = f"not UTF-8: byte 0x{data[error.start]:02x}"
            return Unreadable(at, reason, data[error.start :][:RAW_BYTES], place.key)
        text, num_repairs = decode_lossy(data)
    origin = Origin(place.uri, 0, "byte")
    return Record(origin, place.key, text, raw, labels=place.labels, num_repairs=num_repairs)


def read_code(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield the one document of a file of source code; its language stands in ``meta``."""
    meta = json.dumps({"language": language_of(place.uri)})
    for item in read_file(stream, place, config, facts):
        yield replace(item, meta=meta) if isinstance(item, Record) else item


def read_lines(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield each line that is not blank; what follows a break is one record."""
    count, framer = LineCount(), LineFramer(config.max_record_bytes)
    broken = None
    try:
        for line in framer.lines(count.watch(blocks_of(stream))):
            if not line.is_blank:
                yield _passage([line], place, config)
    except BrokenStream as error:
        broken = str(error)
    last = framer.rest()
    if broken is not None:
        yield broken_tail(framer, last, place.uri, broken)
    elif last is not None and not last.is_blank:
        yield _passage([last], place, config)
    facts["records_framed"] += count.num_lines + (broken is not None and not count.is_inside)


def read_blocks(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield each run of lines between blank ones, keyed by its first line; a break ends the last.

    White space is ASCII's. A block is counted when its first line stands there.
    """
    framer, held, broken = LineFramer(config.max_record_bytes), _Held(config), None
    try:
        for line in framer.lines(blocks_of(stream)):
            if line.is_blank and held.lines:
                yield _passage(held.take(), place, config)
            elif not line.is_blank:
                facts["records_framed"] += not held.lines
                held.add(line)
    except BrokenStream as error:
        broken = str(error)
    last = framer.rest()
    if last is not None and not last.is_blank:
        facts["records_framed"] += not held.lines
        held.add(last)
    if broken is not None:
        facts["records_framed"] += not held.lines
        first = held.lines[0] if held.lines else None
        yield broken_tail(framer, first, place.uri, broken)
    elif held.lines:
        yield _passage(held.take(), place, config)


class _Held:
    """The lines of a block so far, no more of them than one record may hold."""

    def __init__(self, config: IngestConfig) -> None:
        self._max_bytes, self._num_bytes = config.max_record_bytes, 0
        self.lines: list[Line] = []

    def add(self, line: Line) -> None:
        self._num_bytes += line.num_bytes + bool(self.lines)
        if self._num_bytes <= self._max_bytes or not self.lines:
            self.lines.append(line)

    def take(self) -> list[Line]:
        lines, num_bytes = self.lines, self._num_bytes
        self.lines, self._num_bytes = [], 0
        if num_bytes > self._max_bytes:  # what was left out shows in the size
            return [replace(lines[0], data=lines[0].data[:RAW_BYTES], num_bytes=num_bytes)]
        return lines


def _passage(lines: list[Line], place: Place, config: IngestConfig) -> Item:
    first = lines[0]
    origin, key = Origin(place.uri, first.offset, "byte"), f"{place.key}#{first.ordinal}"
    data = b"\n".join(line.data.removesuffix(b"\r") for line in lines)
    raw = data[:RAW_BYTES]
    try:
        if first.is_cut:
            raise ValueError(too_long(first.num_bytes, config))
        text, num_repairs = decode(data.removeprefix(_BOM) if not first.offset else data, config)
    except ValueError as error:
        return Unreadable(origin, str(error), raw, key)
    return Record(origin, key, text, raw, labels=place.labels, num_repairs=num_repairs)
