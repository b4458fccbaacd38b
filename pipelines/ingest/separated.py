"""CSV and TSV: a row is a record, framed by its quotes before it is parsed.

In CSV a field may be quoted, with doubled quotes and line ends within (RFC 4180); in TSV a quote is
a character like any other. A quote that is opened and never closed would take the rest of the file
for its own: then each of its lines is a record by itself, and the one that opens it is quarantined.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from pipelines.ingest.compressed import BrokenStream
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.fields import Read, decode, make_record
from pipelines.ingest.jsonl import broken_tail, too_long
from pipelines.ingest.line_ends import with_line_feeds
from pipelines.ingest.lines import Line, LineFramer
from pipelines.ingest.place import Place
from pipelines.ingest.rows import RAW_BYTES, Item, Origin, Unreadable
from pipelines.ingest.streams import blocks_of

_BOM = b"\xef\xbb\xbf"
_TO_CLOSING = re.compile(rb'(?:[^"]++|"")*+"')
_MAX_ROW_LINES = 100_000
_OPEN_QUOTE = "a quote is opened and never closed"


def read_csv(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield a record for each row; the first one names the fields unless ``config.columns`` does.

    What follows a break in the stream, begun row included, is one record.
    """
    return _read(stream, place, config, facts, Rows(config.max_record_bytes))


def read_tsv(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield a record for each line, as `read_csv` does; fields stand between tabs."""
    return _read(stream, place, config, facts, None)


def _read(
    stream: BinaryIO,
    place: Place,
    config: IngestConfig,
    facts: dict[str, Any],
    rows: Rows | None,
) -> Iterator[Item]:
    framer, broken = LineFramer(config.max_record_bytes), None
    blocks = with_line_feeds(blocks_of(stream), is_quoted=rows is not None)
    parse = _Parser(place, config, _fields_of_line if rows is None else _fields_of_row)
    rows = rows or Rows(0)
    try:
        for line in framer.lines(blocks):
            yield from parse.items(rows.add(line), facts)
    except BrokenStream as error:
        broken = str(error)
    last = framer.rest()
    if broken is None:
        if last is not None:
            yield from parse.items(rows.add(last), facts)
        yield from parse.items(rows.end(), facts)
        return
    begun = rows.held[0] if rows.held else last if last and not last.is_blank else None
    facts["records_framed"] += 1
    yield broken_tail(framer, begun, place.uri, broken)


@dataclass(slots=True)
class Row:
    """A framed row: its lines, and whether it lacks the quote that would end it."""

    lines: list[Line]
    is_open: bool = False


class Rows:
    """Joins the lines of quoted fields; ``max_bytes`` of a row are held, 0 joins none.

    A row of over 100,000 lines is taken for one whose quote is never closed.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._num_bytes = max_bytes, 0
        self.held: list[Line] = []

    def add(self, line: Line) -> Iterator[Row]:
        """Yield the rows that a line ends."""
        if not self.held and (line.is_blank or line.is_cut or not self._max_bytes):
            if not line.is_blank:
                yield Row([line])
            return
        is_open = _is_open(line.data, bool(self.held))
        self.held.append(line)
        self._num_bytes += line.num_bytes + 1
        is_long = self._num_bytes > self._max_bytes or len(self.held) > _MAX_ROW_LINES
        if is_long and is_open:
            yield from self.end()
        elif not is_open:
            yield Row(self._take())

    def end(self) -> Iterator[Row]:
        """Yield the lines of a row that did not end, each by itself."""
        for line in self._take():
            if not line.is_blank:
                yield Row([line], not line.is_cut and _is_open(line.data, False))

    def _take(self) -> list[Line]:
        lines, self.held, self._num_bytes = self.held, [], 0
        return lines


def _is_open(data: bytes, is_inside: bool) -> bool:
    """Return whether a line ends within a quoted field, having begun in one or not."""
    at = 0
    while True:
        if is_inside or data.startswith(b'"', at):
            match = _TO_CLOSING.match(data, at if is_inside else at + 1)
            if match is None:
                return True
            at, is_inside = match.end(), False
        at = data.find(b",", at) + 1
        if not at:
            return False


class _Parser:
    """Makes items of rows; the first row may be the names of the fields."""

    def __init__(
        self, place: Place, config: IngestConfig, split: Callable[[str], list[str]]
    ) -> None:
        self._place, self._config, self._split = place, config, split
        self._names: list[str] | None = list(config.columns) or None
        self._ordinal = 0

    def items(self, rows: Iterator[Row], facts: dict[str, Any]) -> Iterator[Item]:
        """Yield the items of some rows, and count them."""
        for row in rows:
            if self._names is None:
                names = self._names_of(row)
                if isinstance(names, list):
                    self._names = names
                    continue
                facts["records_framed"] += 1
                self._names = []
                yield names
                continue
            facts["records_framed"] += 1
            self._ordinal += 1
            yield self._item(row)

    def _names_of(self, row: Row) -> list[str] | Unreadable:
        try:
            names = self._values(row)[0]
            if len(set(names)) < len(names):
                raise ValueError("the first row names a field twice; name them in ingest.columns")
        except ValueError as error:
            return Unreadable(self._origin(row), str(error), row.lines[0].data[:RAW_BYTES])
        return names

    def _origin(self, row: Row) -> Origin:
        return Origin(self._place.uri, row.lines[0].offset, "byte")

    def _item(self, row: Row) -> Item:
        origin, raw = self._origin(row), row.lines[0].data[:RAW_BYTES]
        key = f"{self._place.key}#{self._ordinal}"
        names = self._names or []
        try:
            values, num_repairs = self._values(row)
            if len(values) != len(names):
                raise ValueError(f"the row has {len(values)} fields, not {len(names)}")
        except ValueError as error:
            return Unreadable(origin, str(error), raw, key)
        read = Read(origin, raw, key, self._place.labels, num_repairs)
        return make_record(dict(zip(names, values, strict=True)), read, self._config)

    def _values(self, row: Row) -> tuple[list[str], int]:
        if row.is_open:
            raise ValueError(_OPEN_QUOTE)
        first, num_bytes = row.lines[0], sum(line.num_bytes + 1 for line in row.lines) - 1
        if first.is_cut or num_bytes > self._config.max_record_bytes:
            raise ValueError(too_long(num_bytes, self._config))
        data = b"\n".join(line.data for line in row.lines).removesuffix(b"\r")
        text, num_repairs = decode(data if first.offset else data.removeprefix(_BOM), self._config)
        return self._split(text), num_repairs


def _fields_of_line(text: str) -> list[str]:
    return text.split("\t")


def _fields_of_row(text: str) -> list[str]:
    """Parse a row strictly: what stands after a closing quote is an error."""
    if '"' not in text:
        return text.split(",")
    csv.field_size_limit(sys.maxsize)  # the process's; the size of a record is limited above
    try:
        (values,) = csv.reader([text], strict=True)
    except (csv.Error, ValueError) as error:
        raise ValueError(f"not CSV: {error}") from None
    return values
