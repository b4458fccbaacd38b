"""JSON files: the objects of an array, or objects one after another, framed before parsing.

The framing knows brackets, strings and commas alone, so a record that is no JSON costs itself and
not the rest; if its brackets do not close, the next ones are taken for its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from pipelines.ingest.compressed import BrokenStream
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.fields import Read, decode, make_record
from pipelines.ingest.jsonl import load_object, too_long
from pipelines.ingest.place import Place
from pipelines.ingest.rows import RAW_BYTES, Item, Origin, Unreadable
from pipelines.ingest.streams import blocks_of

_BOM = b"\xef\xbb\xbf"
_OUTSIDE = re.compile(rb'["\[\]{},]|[ \t\r\n]+')
_INSIDE = re.compile(rb'["\[\]{}]')
_STRING = re.compile(rb'["\\]')


@dataclass(slots=True)
class Value:
    """A framed value: its bytes (cut if it is too long), where it starts, whether it is whole."""

    ordinal: int
    offset: int
    data: bytes
    num_bytes: int
    is_whole: bool = True


def read(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield the record of each object of an array, or of each object that stands by itself.

    What follows a break in the stream, begun value included, is one record; so is a value that
    lacks its end.
    """
    framer, broken = ValueFramer(config.max_record_bytes), None
    try:
        for value in framer.values(blocks_of(stream)):
            facts["records_framed"] += 1
            yield _of_value(value, place, config)
    except BrokenStream as error:
        broken = str(error)
    if (whole := framer.last()) is not None:
        facts["records_framed"] += 1
        yield _of_value(whole, place, config)
    last = framer.rest()
    if broken is not None or last is not None:
        facts["records_framed"] += 1
        at = Origin(place.uri, last.offset if last else framer.offset, "byte")
        yield Unreadable(at, broken or _unfinished(framer), last.data[:RAW_BYTES] if last else b"")


def _unfinished(framer: ValueFramer) -> str:
    return f"not JSON: the file ends at byte {framer.offset} within a value or an array"


def _of_value(value: Value, place: Place, config: IngestConfig) -> Item:
    origin, raw = Origin(place.uri, value.offset, "byte"), value.data[:RAW_BYTES]
    try:
        if value.num_bytes > len(value.data):
            raise ValueError(too_long(value.num_bytes, config))
        if not value.is_whole:
            raise ValueError("not JSON: something stands after the end of the array")
        text, num_repairs = decode(value.data, config)
        fields = load_object(text, config.text_field)
    except ValueError as error:
        return Unreadable(origin, str(error), raw)
    key = f"{place.key}#{value.ordinal}"
    return make_record(fields, Read(origin, raw, key, place.labels, num_repairs), config)


class ValueFramer:
    """Cuts blocks of JSON into values, holding no more of a value than ``max_bytes``.

    In an array these are what stands between its commas, else what stands between white space.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._cut_bytes = max_bytes, min(max_bytes, RAW_BYTES)
        self.offset = 0  # of what comes next
        self._held: list[bytes] = []
        self._num_bytes, self._start, self._ordinal = 0, 0, 1
        self._depth, self._in_string, self._is_escaped = 0, False, False
        self._is_array: bool | None = None  # None until anything has come, False once it has ended
        self._is_closed = self._has_comma = False

    def values(self, blocks: Iterable[bytes]) -> Iterator[Value]:
        """Yield each value that has ended; then `last`, and `rest` for what has not."""
        first = b""
        for block in blocks:
            if self.offset == 0 and len(first) + len(block) < len(_BOM):
                first += block
                continue
            block, first = first + block, b""
            start = len(_BOM) if self.offset == 0 and block.startswith(_BOM) else 0
            self.offset += start
            yield from self._block(block, start)
        if first:
            yield from self._block(first, 0)

    def last(self) -> Value | None:
        """Return the value that is whole though nothing came after it, once all has come."""
        if not self._num_bytes or self._depth or self._in_string:
            return None
        closes = self._held[-1].rstrip()[-1:] in (b"}", b"]", b'"')
        return self._take() if closes or not self._is_array else None

    def rest(self) -> Value | None:
        """Return what has begun and not ended: a value, or an array without its bracket."""
        if self._num_bytes or self._is_array:
            return self._take()
        return None

    def _block(self, block: bytes, at: int) -> Iterator[Value]:
        while at < len(block):
            if self._in_string:
                at = self._string(block, at)
                continue
            pattern = _INSIDE if self._depth else _OUTSIDE
            match = pattern.search(block, at)
            found = match.start() if match else len(block)
            self._hold(block[at:found])
            if match is None:
                return
            at = match.end()
            yield from self._token(match[0])

    def _string(self, block: bytes, at: int) -> int:
        """Take a string's bytes up to its end or the block's; return where to go on."""
        begin = at
        if self._is_escaped:
            at, self._is_escaped = at + 1, False
        while match := _STRING.search(block, at):
            at = match.end()
            if match[0] == b'"':
                self._in_string = False
                break
            if at == len(block):
                self._is_escaped = True
            at += 1
        else:
            at = len(block)
        at = min(at, len(block))
        self._hold(block[begin:at])
        return at

    def _token(self, token: bytes) -> Iterator[Value]:
        if not self._depth and token == b"[" and self._is_array is None and not self._num_bytes:
            self._is_array = True
            self.offset += 1
            return
        if not self._depth and self._is_array:
            if token in b",]" or token.isspace():
                yield from self._between(token)
                return
        elif not self._depth and token.isspace():
            if self._num_bytes:
                yield self._take()
            self.offset += len(token)
            return
        self._hold(token)
        if token == b'"':
            self._in_string = True
        elif token in b"[{":
            self._depth += 1
        elif token in b"]}" and self._depth:
            self._depth -= 1
            if not self._depth and not self._is_array:
                yield self._take()

    def _between(self, token: bytes) -> Iterator[Value]:
        """Take what stands in an array besides its values: white space, commas, its end."""
        if token.isspace():
            if self._num_bytes:
                self._hold(token)
            else:
                self.offset += len(token)
            return
        if self._num_bytes or token == b"," or self._has_comma:
            yield self._take()
        self._has_comma = token == b","
        self.offset += 1
        if token == b"]":
            self._is_closed, self._is_array = True, False

    def _hold(self, data: bytes) -> None:
        if not data:
            return
        if not self._num_bytes:
            self._start = self.offset
            if self._is_array is None:
                self._is_array = False
        self.offset += len(data)
        self._num_bytes += len(data)
        self._held.append(data)
        if self._num_bytes > self._max_bytes:
            self._held = [b"".join(self._held)[: self._cut_bytes]]

    def _take(self) -> Value:
        start = self._start if self._num_bytes else self.offset
        value = Value(self._ordinal, start, b"".join(self._held), self._num_bytes)
        value.is_whole = not self._is_closed
        self._ordinal += 1
        self._held, self._num_bytes = [], 0
        return value
