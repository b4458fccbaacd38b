"""The quick way through JSON Lines: of a simple line, a kernel gives the text, id and address.

Python parses what else stands in the line, and whole lines that are not so simple; the records are
those of `pipelines.ingest.jsonl.parse_line`, but those whose texts are known to be clean come in
blocks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.fields import Others, take_others
from pipelines.ingest.jsonl import load_object, parse_line
from pipelines.ingest.lines import LineFramer, Stretch
from pipelines.ingest.place import Place
from pipelines.ingest.rows import Item, RecordBlock
from pipelines.kernels.json_lines import (
    CLEAN,
    END,
    FATE,
    ID,
    ODD,
    REST,
    START,
    TEXT,
    UNCLEAN,
    URL,
    JsonLines,
    scan_lines,
)

_MAX_BLOCK = 1024  # records


def read_stretch(
    stretch: Stretch, framer: LineFramer, place: Place, config: IngestConfig
) -> Iterator[Item]:
    """Yield the record of each line that is not blank, in order, clean ones in blocks."""
    names = (config.text_field.encode(), config.id_field.encode(), config.url_field.encode())
    found = scan_lines(stretch.data, stretch.num_lines, names, config.max_record_bytes)
    others = _read_others(found, config)
    for start, end in _runs(found.lines[:, FATE]):
        fate = found.lines[start, FATE]
        if fate == ODD:
            yield from _parsed(found.lines[start:end], start, stretch, framer, place, config)
        elif fate in (CLEAN, UNCLEAN):
            block = _block(found, start, end, stretch, place)
            for number in range(start, end) if others else ():
                if number in others:
                    _add_others(block, number - start, others[number])
            yield from (block,) if fate == CLEAN else block.records(is_clean=False)


def _read_others(found: JsonLines, config: IngestConfig) -> dict[int, Others]:
    """Parse what stands in lines beside text, id and address; lines where it is no JSON are odd."""
    lines, others = found.lines, {}
    numbers = np.flatnonzero((lines[:, REST] >= 0) & (lines[:, FATE] != ODD))
    for number, row in zip(numbers.tolist(), lines[numbers].tolist(), strict=True):
        key, url = (_value(found, row[at], row[at + 1]) for at in (ID, URL))
        try:
            fields = load_object(found.rest[row[REST] : row[REST + 1]].decode(), config.text_field)
        except ValueError:  # which error it is, the whole line says
            lines[number, FATE] = ODD
            continue
        others[number] = take_others(fields, config, key, url)
    return others


def _value(found: JsonLines, start: int, end: int) -> str | None:
    return found.values[start:end].decode() if start >= 0 else None


def _runs(fates: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield where lines of one fate that follow each other start and end, at most `_MAX_BLOCK`."""
    start = 0
    for end in [*(np.flatnonzero(np.diff(fates)) + 1).tolist(), fates.size]:
        yield from ((at, min(end, at + _MAX_BLOCK)) for at in range(start, end, _MAX_BLOCK))
        start = end


def _parsed(
    lines: np.ndarray,
    first: int,
    stretch: Stretch,
    framer: LineFramer,
    place: Place,
    config: IngestConfig,
) -> Iterator[Item]:
    """Yield what a parser of whole lines makes of some, the first of which has a number."""
    for number, (start, end) in enumerate(lines[:, [START, END]].tolist(), first):
        data = stretch.data[start:end]
        line = framer.line(stretch.ordinal + number, stretch.offset + start, data)
        yield parse_line(line, place.uri, f"{place.key}#{line.ordinal}", place.labels, config)


def _block(found: JsonLines, start: int, end: int, stretch: Stretch, place: Place) -> RecordBlock:
    """Return the records of lines that are not odd, as far as the kernel has them."""
    columns, values = found.lines[start:end].T, found.values
    text_ends = np.append(columns[TEXT][:1], columns[TEXT + 1]).astype(np.int32)
    ids = enumerate(_pairs(columns, ID), stretch.ordinal + start)
    return RecordBlock(
        uri=place.uri,
        data=stretch.data,
        offset=stretch.offset,
        starts=columns[START].tolist(),
        ends=columns[END].tolist(),
        keys=[
            values[at:to].decode() if at >= 0 else f"{place.key}#{ordinal}"
            for ordinal, (at, to) in ids
        ],
        texts=pa.StringArray.from_buffers(
            end - start, pa.py_buffer(text_ends), pa.py_buffer(found.texts)
        ),
        urls=[_value(found, at, to) for at, to in _pairs(columns, URL)]
        if (columns[URL] >= 0).any()
        else [None] * (end - start),
        times=[None] * (end - start),
        labels=[place.labels] * (end - start),
        metas=[None] * (end - start),
    )


def _pairs(columns: np.ndarray, first: int) -> Iterator[tuple[int, int]]:
    return zip(columns[first].tolist(), columns[first + 1].tolist(), strict=True)


def _add_others(block: RecordBlock, row: int, others: Others) -> None:
    block.keys[row] = others.key or block.keys[row]
    block.urls[row] = others.url
    block.times[row] = others.published_at
    block.labels[row] = {**block.labels[row], **others.labels}
    block.metas[row] = others.meta
