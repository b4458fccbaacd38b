"""WARC and WET archives: web pages and plain texts of a crawl, one document for each record.

Read are ``response`` records (their HTML is extracted), ``resource`` records and ``conversion``
records (the plain text of WET). What holds no document of its own is passed over, counted by
reason in ``facts["skipped"]``. ARC, the format before WARC, is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from fastwarc.warc import WarcRecord

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.extract import extract_each, pending_page
from pipelines.ingest.gzip_members import read_pieces
from pipelines.ingest.http_body import Body, parse_record, read_body
from pipelines.ingest.languages import declared_language
from pipelines.ingest.page import meta_json
from pipelines.ingest.page_encoding import decode_text
from pipelines.ingest.place import Place
from pipelines.ingest.rows import RAW_BYTES, Item, Origin, Pending, Record, Unreadable
from pipelines.ingest.skipping import Skipped, count_skipped
from pipelines.ingest.warc_frames import BEGINS, Broken, Frame, frame_records

HTML_TYPES = frozenset(("text/html", "application/xhtml+xml"))
TEXT_TYPES = frozenset(("text/plain",))

_READ = frozenset(("response", "resource", "conversion"))
_KNOWN = _READ | {"request", "metadata", "revisit", "warcinfo", "continuation", "untyped"}
_USUAL_TYPE, _USUAL_KINDS = b"\r\nWARC-Type: ", {kind.encode(): kind for kind in _KNOWN}
_TYPE = re.compile(rb"(?im)^WARC-Type[ \t]*:[ \t]*([A-Za-z-]+)")
_ARC = b"filedesc://"
_OF_CRAWLER = re.compile(r"(?!https?:|ftps?:|file:)[A-Za-z][A-Za-z0-9+.-]*:")  # logs, manifests
_HTML_START = re.compile(
    rb"\s*(?:<!--.{0,1000}?-->\s*)?<(?:!doctype\s+html|html|head)\b", re.I | re.S
)


def read(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield the documents of an archive in their order, and what of it cannot be read.

    A record's key is its WARC-Record-ID, else its ordinal among all records, from 1. A gzip file
    is to be given as it lies there, one member for each record. ``facts["records_framed"]`` grows
    by the records that were framed, ``facts["records_skipped"]`` by those that were passed over.
    """
    yield from extract_each(open_records(stream, place, config, facts))


def open_records(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item | Pending]:
    """Yield the documents of an archive as `read` does, web pages before they are read."""
    pieces = read_pieces(stream, place.uri.lower().endswith(".gz"), BEGINS)
    for ordinal, frame in enumerate(frame_records(pieces, config.max_record_bytes), 1):
        facts["records_framed"] += 1
        try:
            yield _read_frame(frame, f"{place.key}#{ordinal}", place, config)
        except Skipped as reason:
            count_skipped(facts, reason)


def _read_frame(
    frame: Frame | Broken, ordinal_key: str, place: Place, config: IngestConfig
) -> Item | Pending:
    origin = Origin(place.uri, frame.offset, "byte")
    if isinstance(frame, Broken):
        is_arc = frame.raw.startswith(_ARC)
        error = "an ARC file, which is not read; convert it to WARC" if is_arc else frame.error
        return Unreadable(origin, error, frame.raw)
    kind = _kind(bytes(frame.data[: frame.num_header_bytes]))
    if kind not in _READ:
        raise Skipped(f"warc.{kind if kind in _KNOWN else 'other_type'}")
    raw = bytes(frame.data[:RAW_BYTES])
    try:
        record = parse_record(bytes(frame.data))
    except ValueError as error:
        return Unreadable(origin, str(error), raw)
    document = Record(
        origin=origin,
        key=_plain(record.record_id) or ordinal_key,
        text="",
        raw=raw,
        url=_plain(record.headers.get("WARC-Target-URI")),
        labels=place.labels,
    )
    try:
        return _open(record, kind, document, config)
    except ValueError as error:
        return Unreadable(origin, str(error), document.raw, document.key)


def _kind(header: bytes) -> str:
    at = header.find(_USUAL_TYPE)  # far quicker than the search
    if at >= 0:
        start = at + len(_USUAL_TYPE)
        value = header[start : header.find(b"\r", start)].lower()
        if value in _USUAL_KINDS:
            return _USUAL_KINDS[value]
    declared = _TYPE.search(header)
    return declared[1].decode().lower() if declared else "untyped"


def _plain(value: str | None) -> str | None:
    """Return the value of a header without the brackets that WARC 1.0 puts around URIs."""
    return (value or "").strip().removeprefix("<").removesuffix(">") or None


def _open(
    record: WarcRecord, kind: str, document: Record, config: IngestConfig
) -> Record | Pending:
    """Return the page or the text that a record holds."""
    if kind == "resource" and _OF_CRAWLER.match(document.url or ""):
        raise Skipped("warc.crawler_resource")
    status = _status(record, config) if record.is_http else None
    media_type, charset = _media_type(record, kind)
    is_unnamed = not media_type
    if not is_unnamed and media_type not in HTML_TYPES | TEXT_TYPES:
        raise Skipped("warc.media_type")
    truncated = record.headers.get("WARC-Truncated")
    body = read_body(record, config.max_record_bytes, allow_cut=truncated is not None)
    if is_unnamed and not _HTML_START.match(body.data[:2048]):
        raise Skipped("warc.media_type")
    known = {
        "captured_at": record.headers.get("WARC-Date"),
        "http_status": status,
        "language": _language(record),
        "truncated": truncated or ("unspecified" if body.is_cut else None),
        "warc_type": kind,
    }
    if is_unnamed or media_type in HTML_TYPES:
        return pending_page(document, body.data, charset, known, config)
    return _open_text(document, body, charset, known, config)


def _language(record: WarcRecord) -> str | None:
    """Return the language that the response declares, else the one that the crawler found."""
    said = record.http_headers.get("Content-Language") if record.http_headers else None
    found = record.headers.get("WARC-Identified-Content-Language")
    return declared_language(said) or declared_language(found)


def _status(record: WarcRecord, config: IngestConfig) -> int:
    status = record.http_headers.status_code if record.http_headers is not None else None
    if status is None:
        raise ValueError("the response has no HTTP status")
    if status not in config.http_statuses:
        raise Skipped("warc.http_status")
    return int(status)


def _media_type(record: WarcRecord, kind: str) -> tuple[str, str | None]:
    """Return the media type of what a record holds, empty if none is given, and its charset."""
    if record.is_http and record.http_headers is not None:
        value = record.http_headers.get("Content-Type")
    else:
        value = record.headers.get("Content-Type")
    value = value or record.headers.get("WARC-Identified-Payload-Type") or ""
    media_type, _, parameters = value.partition(";")
    found = re.search(r"charset\s*=\s*[\"']?([^\s\"';,]+)", parameters, re.IGNORECASE)
    charset = found[1] if found else "utf-8" if kind == "conversion" else None
    return media_type.strip().lower(), charset


def _open_text(
    document: Record, body: Body, charset: str | None, known: dict[str, Any], config: IngestConfig
) -> Record:
    decoded = decode_text(body.data, charset, config.encoding_errors == "repair")
    document.text, document.num_repairs = decoded.text, decoded.num_repairs
    document.meta = meta_json({**known, "encoding": decoded.codec})
    return document
