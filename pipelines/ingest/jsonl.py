"""JSON Lines: one object a line. Lines are counted from the bytes, before any is parsed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from pipelines.ingest.compressed import BrokenStream
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.fields import (
    Fields,
    Read,
    TakeText,
    decode,
    make_record,
    take_text,
    type_name,
)
from pipelines.ingest.lines import Line, LineCount, LineFramer, Stretch
from pipelines.ingest.place import Place
from pipelines.ingest.rows import RAW_BYTES, Item, Origin, Unreadable
from pipelines.ingest.streams import blocks_of

MAX_DEPTH = 200
MIN_SCANNED_BYTES = 32 << 10  # for less, loading the kernel takes longer than it saves

# A string may lack its end here, so that hostile quotes cost linear time.
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|([\[{])|([\]}])', re.DOTALL)


def read(
    stream: BinaryIO,
    place: Place,
    config: IngestConfig,
    facts: dict[str, Any],
    start: int = 0,
    take: TakeText = take_text,
) -> Iterator[Item]:
    """Yield the record of each line that is not blank, in order.

    ``start`` is the offset of a range of a file. What follows a break in the stream, begun line
    included, is one record. ``take`` makes a text of its fields.
    """
    count, framer = LineCount(), LineFramer(config.max_record_bytes, start)
    broken = None
    try:
        for piece in framer.pieces(count.watch(blocks_of(stream))):
            yield from _of_piece(piece, framer, place, config, take)
    except BrokenStream as error:
        broken = str(error)
    last = framer.rest()
    if broken is not None:
        yield broken_tail(framer, last, place.uri, broken)
    elif last is not None and not last.is_blank:
        yield _of_line(last, place, config, take)
    facts["records_framed"] += count.num_lines + (broken is not None and not count.is_inside)


def broken_tail(framer: LineFramer, last: Line | None, uri: str, error: str) -> Unreadable:
    """Return one item for all that follows a break: the line that had begun and what is lost."""
    offset = last.offset if last else framer.offset
    return Unreadable(Origin(uri, offset, "byte"), error, last.data if last else b"")


def _of_piece(
    piece: Line | Stretch, framer: LineFramer, place: Place, config: IngestConfig, take: TakeText
) -> Iterator[Item]:
    scanned = take is take_text and len(piece.data) >= MIN_SCANNED_BYTES
    if isinstance(piece, Stretch) and scanned:
        from pipelines.ingest.simple_lines import read_stretch

        yield from read_stretch(piece, framer, place, config)
        return
    for line in [piece] if isinstance(piece, Line) else framer.lines_of(piece):
        if not line.is_blank:
            yield _of_line(line, place, config, take)


def _of_line(line: Line, place: Place, config: IngestConfig, take: TakeText) -> Item:
    return parse_line(line, place.uri, f"{place.key}#{line.ordinal}", place.labels, config, take)


def parse_line(
    line: Line,
    uri: str,
    ordinal_key: str,
    labels: Mapping[str, str],
    config: IngestConfig,
    take: TakeText = take_text,
) -> Item:
    """Return the record of a line, as `make_record` makes it, or why there is none."""
    origin, raw = Origin(uri, line.offset, "byte"), line.data[:RAW_BYTES]
    try:
        if line.is_cut:
            raise ValueError(too_long(line.num_bytes, config))
        data = line.data.removeprefix(b"\xef\xbb\xbf") if line.offset == 0 else line.data
        text, num_repairs = decode(data, config)
        fields = load_object(text, config.text_field)
    except ValueError as error:
        return Unreadable(origin, str(error), raw)
    return make_record(fields, Read(origin, raw, ordinal_key, labels, num_repairs), config, take)


def too_long(num_bytes: int, config: IngestConfig) -> str:
    """Return the error for a record that is over the limit."""
    return f"the record has {num_bytes} bytes, over max_record_bytes = {config.max_record_bytes}"


def load_object(text: str, text_field: str) -> Fields:
    """Parse strict JSON; work and depth are bounded by the text, whatever it holds.

    Raises:
        ValueError: if it is no object, or the text's field stands in it twice.
    """
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise ValueError(f"not read: nested deeper than {MAX_DEPTH}")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos} of the record") from None
    if not isinstance(value, dict):
        raise ValueError(f"not a JSON object but {type_name(value)}")
    if text.count(f'"{text_field}"') > 1 and _stands_twice(text, text_field):
        raise ValueError(f"the field {text_field!r} stands twice")
    return value


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _BRACKETS.finditer(text):
        depth += bool(match[1]) - bool(match[2])
        deepest = max(deepest, depth)
    return deepest


def _stands_twice(text: str, name: str) -> bool:
    """Return whether the outermost object has a key twice: only the last would be read."""
    pairs = json.loads(text, object_pairs_hook=list)
    return sum(key == name for key, _ in pairs) > 1


def _refuse_constant(name: str) -> None:
    raise ValueError(f"not JSON: {name} is no JSON number")


def _finite_or_text(literal: str) -> float | str:
    value = float(literal)
    return value if math.isfinite(value) else literal


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite_or_text)
