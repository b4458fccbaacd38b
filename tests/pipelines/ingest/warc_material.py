"""WARC files made for tests: records, HTTP responses, members."""

from __future__ import annotations

import gzip


def record(
    content: bytes, kind: str = "response", at: int = 0, *headers: bytes, length: int | None = None
) -> bytes:
    declared = len(content) if length is None else length
    lines = [
        b"WARC/1.0",
        b"WARC-Type: " + kind.encode(),
        b"WARC-Record-ID: <urn:uuid:%d>" % at,
        b"WARC-Target-URI: http://example.com/%d" % at,
        b"Content-Type: " + _TYPES[kind],
        *headers,
        b"Content-Length: %d" % declared,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + content + b"\r\n\r\n"


_TYPES = {
    "response": b"application/http; msgtype=response",
    "request": b"application/http; msgtype=request",
    "conversion": b"text/plain",
    "resource": b"text/html",
}


def response(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    named = {header.split(b":")[0].lower() for header in headers}
    kind = () if b"content-type" in named else (b"Content-Type: text/html; charset=utf-8",)
    return b"\r\n".join([b"HTTP/1.1 " + status, *kind, *headers]) + b"\r\n\r\n" + body


def page(at: int) -> bytes:
    text = f"<p>Page {at} tells of the mill and of the river that turns its wheel.</p>" * 5
    return f"<!doctype html><html><body><article>{text}</article></body></html>".encode()


def chunked(body: bytes, size: int = 100) -> bytes:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def members(records: list[bytes]) -> list[bytes]:
    return [gzip.compress(data, mtime=0) for data in records]
