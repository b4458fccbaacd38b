from __future__ import annotations

import gzip
import sys
import zlib
from pathlib import Path

import pytest

from pipelines.ingest.http_body import parse_record, read_body

sys.path.insert(0, str(Path(__file__).parent))
from warc_material import chunked, page, record, response

PAGE = page(1)
GZIP = gzip.compress(PAGE, mtime=0)
CHUNKS, GZIPPED = b"Transfer-Encoding: chunked", b"Content-Encoding: gzip"


def body_of(body: bytes, *headers: bytes, max_bytes: int = 10**6, allow_cut: bool = False):
    parsed = parse_record(record(response(body, *headers)))
    return read_body(parsed, max_bytes, allow_cut)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (PAGE, ()),
        (chunked(PAGE), (CHUNKS,)),
        (chunked(PAGE).replace(b"\r\n", b";ext=1\r\n", 1), (b"transfer-encoding: Chunked",)),
        (GZIP, (GZIPPED,)),
        (GZIP + b"trailing bytes", (GZIPPED,)),
        (chunked(GZIP), (CHUNKS, GZIPPED)),
        (gzip.compress(GZIP, mtime=0), (b"Content-Encoding: gzip, gzip",)),
        (zlib.compress(PAGE), (b"Content-Encoding: deflate",)),
        (zlib.compress(PAGE)[2:-4], (b"Content-Encoding: deflate",)),
        (PAGE, (CHUNKS,)),  # undone by the crawler, which left the header
        (PAGE, (GZIPPED,)),
        (GZIP, (CHUNKS, GZIPPED)),
        (PAGE, (CHUNKS, GZIPPED)),
    ],
)
def test_encodings_are_undone(body: bytes, headers: tuple[bytes, ...]) -> None:
    assert body_of(body, *headers).data == PAGE


def test_brotli_is_undone() -> None:
    brotli = pytest.importorskip("brotli", reason="makes the bodies")
    packed = brotli.compress(PAGE)
    assert body_of(packed, b"Content-Encoding: br").data == PAGE
    with pytest.raises(ValueError, match="not br as its header says"):
        body_of(packed[:-4], b"Content-Encoding: br")


@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [
        (chunked(PAGE)[:150], (CHUNKS,), "cut off within its chunk 2"),
        (
            chunked(PAGE, 50)[:56] + b"zz" + chunked(PAGE, 50)[58:],
            (CHUNKS,),
            "a bad chunk after chunk 1",
        ),
        (GZIP[:-12], (GZIPPED,), "gzip whose end is missing"),
        (GZIP[:20] + b"\xff\xff\xff" + GZIP[23:], (GZIPPED,), "not gzip as its header says"),
        (GZIP[:-8] + b"12345678", (GZIPPED,), "not gzip as its header says"),
        (b"(\xb5/\xfd", (b"Content-Encoding: zstd",), "the content encoding 'zstd'"),
        (gzip.compress(b"\0" * 50_000_000, mtime=0), (GZIPPED,), "over 1000000 bytes"),
    ],
)
def test_what_cannot_be_undone_is_refused(
    body: bytes, headers: tuple[bytes, ...], error: str
) -> None:
    with pytest.raises(ValueError, match=error):
        body_of(body, *headers)


def test_a_missing_end_is_told_where_it_is_allowed() -> None:
    cut = body_of(GZIP[:-12], GZIPPED, allow_cut=True)
    assert cut.is_cut
    assert PAGE.startswith(cut.data)
    last_chunk_missing = body_of(chunked(PAGE)[:-5], CHUNKS)
    assert (last_chunk_missing.data, last_chunk_missing.is_cut) == (PAGE, True)


def test_a_header_that_does_not_end_is_refused() -> None:
    data = record(response(PAGE, b"X: " + b"y" * 300_000))
    with pytest.raises(ValueError, match="the record cannot be parsed: Maximum header length"):
        parse_record(data)


def test_lines_that_end_in_lf_alone_are_read() -> None:
    data = b"WARC/1.0\nWARC-Type: response\nContent-Type: application/http\nContent-Length: 31\n\n"
    parsed = parse_record(data + b"HTTP/1.1 200 OK\nA: b\n\n<p>body\n\n")
    assert parsed.http_headers.status_code == 200
    assert read_body(parsed, 100, allow_cut=False).data.startswith(b"<p>body")
