"""Line ends of tables: where CR alone ends the rows (old Excel for Mac), they are read as LF."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from pipelines.ingest.compressed import BrokenStream

_HEAD_BYTES = 256 << 10
_BOM = b"\xef\xbb\xbf"
_LONE_CR = re.compile(rb"\r(?!\n)")
_FIELD = rb'(?:"(?:[^"]++|"")*+"|(?!"))[^,\r\n]*+'
_QUOTED_ROW = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+(\r\n?|\n)")
_PLAIN_ROW = re.compile(rb"[^\r\n]*+(\r\n?|\n)")


def with_line_feeds(blocks: Iterator[bytes], is_quoted: bool) -> Iterator[bytes]:
    """Yield blocks as they are, or with LF for each lone CR if CR alone ends the rows.

    It does so if no row in the first 256 KiB ends with LF, line ends within quotes aside if fields
    may be quoted. Bytes stay where they stand. Raises what breaks the blocks, after what came.
    """
    blocks = _with_head(blocks)
    head = next(blocks, b"")
    blocks = itertools.chain([head], blocks)
    if not _is_ended_by_cr(head, _QUOTED_ROW if is_quoted else _PLAIN_ROW):
        yield from blocks
        return
    held = b""  # a CR whose LF may come
    for block in blocks:
        data = held + block
        held = data[-1:] if data.endswith(b"\r") else b""
        yield _LONE_CR.sub(b"\n", data[: len(data) - len(held)])
    yield held.replace(b"\r", b"\n")


def _with_head(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield blocks, the first ones in one piece."""
    head: list[bytes] = []
    num_bytes = 0
    try:
        for block in blocks:
            head.append(block)
            num_bytes += len(block)
            if num_bytes >= _HEAD_BYTES:
                break
    except BrokenStream:
        yield b"".join(head)
        raise
    yield b"".join(head)
    yield from blocks


def _is_ended_by_cr(head: bytes, row: re.Pattern[bytes]) -> bool:
    """Return whether rows end in a head, each with CR; its last byte may be half of CRLF."""
    if b"\r" not in head:
        return False
    at, found = len(_BOM) if head.startswith(_BOM) else 0, False
    while match := row.match(head, at):
        if match[1] != b"\r":
            return False
        if match.end() == len(head):
            break
        at, found = match.end(), True
    return found
