"""The body of an HTTP response in a WARC record, its transfer and content encodings undone.

FastWARC parses the headers. Encodings are undone here, because it takes a gzip body that is cut off
for a whole one. Crawlers undo an encoding and leave its header standing: a body that cannot begin
as its header says is taken as it is.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from fastwarc.stream_io import BrotliReader
from fastwarc.warc import WarcRecord

from pipelines.ingest.inflate import GZIP, InflateError, inflater

MAX_HTTP_HEADER_BYTES = 262_144

_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\r\n]*)?\r?\n")
_MARKUP = re.compile(rb"\s*<")
_IDENTITY = frozenset(("", "identity", "none"))


@dataclass(frozen=True, slots=True)
class Body:
    """A decoded body; ``is_cut`` says that its end is missing, as far as its encodings tell."""

    data: bytes
    is_cut: bool = False


def parse_record(data: bytes) -> WarcRecord:
    """Parse the bytes of a WARC record, and the header of the HTTP message in it if there is one.

    Raises:
        ValueError: if they cannot be parsed.
    """
    is_lenient = b"\r" not in data[:16]
    try:
        if is_lenient:  # lines end in LF alone
            record = WarcRecord.from_reader(io.BytesIO(data), quirks_mode=True)
        else:
            record = WarcRecord.from_bytes(data)
        if record.is_http:
            record.parse_http(max_header_len=MAX_HTTP_HEADER_BYTES, quirks_mode=is_lenient)
    except (OSError, ValueError) as error:
        raise ValueError(f"the record cannot be parsed: {error}") from None
    return record


def read_body(record: WarcRecord, max_bytes: int, allow_cut: bool) -> Body:
    """Return what a record holds behind its headers, decoded.

    ``allow_cut`` is for records that say of themselves that they were cut (``WARC-Truncated``).

    Raises:
        ValueError: if an encoding cannot be undone or is unknown, if the end of a compressed body
            is missing (unless that is allowed), or if the body has over ``max_bytes``.
    """
    body = Body(bytes(record.reader.read()))
    if record.is_http and record.http_headers is not None:
        if "chunked" in _header(record, "Transfer-Encoding"):
            body = _unchunk(body.data)
        for name in reversed(_header(record, "Content-Encoding").split(",")):
            body = _decode(name.strip(), body, max_bytes, allow_cut)
    if len(body.data) > max_bytes:
        raise ValueError(f"the HTTP body has over {max_bytes} bytes")
    return body


def _header(record: WarcRecord, name: str) -> str:
    return (record.http_headers.get(name) or "").strip().lower()


def _unchunk(data: bytes) -> Body:
    """Join the chunks of a body (RFC 9112, section 7.1); the last one may be missing."""
    chunks: list[bytes] = []
    at = 0
    while found := _CHUNK_SIZE.match(data, at):
        size, start = int(found[1], 16), found.end()
        if size == 0:
            return Body(b"".join(chunks))
        chunks.append(data[start : start + size])
        at = start + size
        if at > len(data):
            raise ValueError(f"the HTTP body is cut off within its chunk {len(chunks)}")
        if data.startswith(b"\r\n", at):
            at += 2
        elif data.startswith(b"\n", at):
            at += 1
    if not chunks:
        return Body(data)  # not in chunks, in spite of the header
    if at < len(data):
        raise ValueError(f"the HTTP body has a bad chunk after chunk {len(chunks)}, at byte {at}")
    return Body(b"".join(chunks), is_cut=True)


def _decode(name: str, body: Body, max_bytes: int, allow_cut: bool) -> Body:
    if name in _IDENTITY or _MARKUP.match(body.data) or not body.data:
        return body
    if name in ("gzip", "x-gzip"):
        return _inflate(name, body, (GZIP,), max_bytes, allow_cut)
    if name == "deflate":
        return _inflate(name, body, (15, -15), max_bytes, allow_cut)
    if name == "br":
        return _unbrotli(body, max_bytes)
    raise ValueError(f"the HTTP body has the content encoding {name[:40]!r}, which is unknown")


def _inflate(
    name: str, body: Body, window_bits: tuple[int, ...], max_bytes: int, allow_cut: bool
) -> Body:
    """Inflate zlib data of one of some forms; what follows its end is left out, as browsers do."""
    for bits in window_bits:
        engine = inflater(bits)
        try:
            data = engine.decompress(body.data, max_bytes + 1)
        except InflateError as error:
            problem = str(error)
            continue
        is_cut = not engine.eof and len(data) <= max_bytes
        if is_cut and not allow_cut:
            raise ValueError(f"the HTTP body is {name} whose end is missing")
        return Body(data, is_cut or body.is_cut)
    raise ValueError(f"the HTTP body is not {name} as its header says: {problem}")


def _unbrotli(body: Body, max_bytes: int) -> Body:
    try:
        data = BrotliReader(io.BytesIO(body.data)).read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise ValueError(f"the HTTP body is not br as its header says: {error}") from None
    return Body(bytes(data), body.is_cut)
