"""The quick way through JSON Lines: of a simple line, a kernel gives the text, id and address.

Python parses what else stands in the line, and whole lines that are not so simple; the records are
those of `pipelines.ingest.jsonl.parse_line`, but for texts that are known to be clean: bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.fields import Fields, Read, record_of
from pipelines.ingest.jsonl import load_object, parse_line
from pipelines.ingest.lines import LineFramer, Stretch
from pipelines.ingest.place import Place
from pipelines.ingest.rows import RAW_BYTES, Item, Origin, Record
from pipelines.kernels.json_lines import BLANK, CLEAN, END, FATE, ODD, START, JsonLines, scan_lines


def read_stretch(
    stretch: Stretch, framer: LineFramer, place: Place, config: IngestConfig
) -> Iterator[Item]:
    """Yield the record of each line that is not blank, in order."""
    names = (config.text_field.encode(), config.id_field.encode(), config.url_field.encode())
    found = scan_lines(stretch.data, names, config.max_record_bytes)
    for number, row in enumerate(found.lines.tolist()):
        if row[FATE] == BLANK:
            continue
        start, end = row[START], row[END]
        ordinal, origin = (
            stretch.ordinal + number,
            Origin(place.uri, stretch.offset + start, "byte"),
        )
        try:
            if row[FATE] == ODD:
                raise ValueError("odd")
            raw = stretch.data[start : min(end, start + RAW_BYTES)]
            item: Item = _record(row, found, origin, raw, f"{place.key}#{ordinal}", place, config)
        except ValueError:  # which error it is, if it is one, the whole line says
            line = framer.line(ordinal, origin.position, stretch.data[start:end])
            item = parse_line(line, place.uri, f"{place.key}#{ordinal}", place.labels, config)
        yield item


def _record(
    row: list[int],
    found: JsonLines,
    origin: Origin,
    raw: bytes,
    ordinal_key: str,
    place: Place,
    config: IngestConfig,
) -> Record:
    """Return the record of a line that is not odd; raises ValueError if its rest is no JSON."""
    _, _, fate, text_at, text_end, id_at, id_end, url_at, url_end, rest_at, rest_end = row
    data = found.values[text_at:text_end]
    text = data if fate == CLEAN else data.decode()
    key = found.values[id_at:id_end].decode() if id_at >= 0 else None
    url = found.values[url_at:url_end].decode() if url_at >= 0 else None
    if rest_at < 0:
        return Record(origin, key or ordinal_key, text, raw, url, None, place.labels)
    fields: Fields = load_object(found.rest[rest_at:rest_end].decode(), config.text_field)
    read = Read(origin, raw, ordinal_key, place.labels)
    return record_of(text, 0, fields, read, config, key=key, url=url)
