"""Headers of zip archives: what a directory leaves out, and members without a directory.

The directory stands at the end, so that a zip that was cut has none. Its members stand there all
the same, each behind a header of its own (APPNOTE.TXT of PKWARE, section 4.3.7). Such a header has
no file modes: of a symbolic link it does not say that it is one, and its content is a path.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from typing import IO, Any

from pipelines.ingest.compressed import BrokenStream, Limits
from pipelines.ingest.inflate import InflateError, inflater
from pipelines.ingest.opening import BLOCK_BYTES
from pipelines.ingest.tar_headers import Gap

_HEADER = struct.Struct("<4s5H3L2H")
_BEGINS = b"PK\3\4"
_NEXT = (_BEGINS, b"PK\1\2", b"PK\5\6", b"PK\6\6")  # what may stand behind a member
_DESCRIPTOR = b"PK\7\x08"
_SIZES_FOLLOW, _IS_UTF8 = 0x8, 0x800
_UNKNOWN = 0xFFFFFFFF
_RAW_DEFLATE = -15  # window bits
_NUM_LISTED, _COMMENT_BYTES, _END_AT = 4, 7, 9  # of what zipfile knows of a directory's end
_END_BYTES = 22


def open_listed(file: IO[bytes]) -> zipfile.ZipFile:
    """Open an archive by its directory; raises as zipfile does, and if not all members stand in it.

    A directory without 64-bit fields counts modulo 65,536.
    """
    archive = zipfile.ZipFile(file)
    num_there, num_listed = len(archive.infolist()), _end_of(file)[_NUM_LISTED]
    if (num_there - num_listed) % (1 << 16):
        raise zipfile.BadZipFile(f"{num_there} of {num_listed} members stand in the directory")
    return archive


def _end_of(file: IO[bytes]) -> list[Any]:
    end: list[Any] = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    return end


def find_unlisted(archive: zipfile.ZipFile, file: IO[bytes]) -> Iterator[Gap]:
    """Yield each stretch that is in no listed member, if it is as long as a member's header.

    So of two archives that were joined, where the directory of the second is read alone.
    """
    at = 0
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        yield from _gap(at, info.header_offset)
        header = _read_header(file, info.header_offset)
        if header is None:  # opening it will tell
            at = 1 << 62
        else:
            content_at = info.header_offset + _HEADER.size + header[-2] + header[-1]
            at = max(info.header_offset, content_at + info.compress_size)
    yield from _gap(at, archive.start_dir)
    end = _end_of(file)
    yield from _gap(end[_END_AT] + _END_BYTES + end[_COMMENT_BYTES], file.seek(0, 2))


def _gap(start: int, end: int) -> Iterator[Gap]:
    if end - start >= _HEADER.size:
        error = f"the zip's directory lists no member in bytes {start} to {end}; they are not read"
        yield Gap(start, error)


class Undirected(zipfile.ZipFile):
    """An archive whose directory is not looked at; what `find_members` yields can be opened."""

    def _RealGetContents(self) -> None:
        pass


def find_members(file: IO[bytes], limits: Limits) -> Iterator[zipfile.ZipInfo]:
    """Yield members in their order by their own headers, as far as their sizes can be had.

    Where another header should stand and does not, it is looked for. Between two members the file
    may be read elsewhere. Raises `BrokenStream` where a member is over the limits, and if more
    bytes than the file has were read for headers of no member.
    """
    at, num_vain, size = 0, 0, file.seek(0, 2)
    while (found := _find(file, at)) is not None:
        member = _member_at(file, found, limits)
        at = found + len(_BEGINS)
        if member is None:
            num_vain += file.tell() - found
            if num_vain > size:
                raise BrokenStream("the zip has too many headers without a member; not read on")
            continue
        info, end = member
        yield info
        if end >= size or _bytes_at(file, end, 4) in _NEXT or info.flag_bits & _SIZES_FOLLOW:
            at = end


def _find(file: IO[bytes], at: int) -> int | None:
    """Return where the next header begins."""
    while block := _bytes_at(file, at, BLOCK_BYTES):
        found = block.find(_BEGINS)
        if found >= 0:
            return at + found
        if len(block) < BLOCK_BYTES:
            return None
        at += len(block) - len(_BEGINS) + 1
    return None


def _member_at(file: IO[bytes], at: int, limits: Limits) -> tuple[zipfile.ZipInfo, int] | None:
    """Return the member whose header begins here and where it ends, None if that is not known."""
    header = _read_header(file, at)
    if header is None:
        return None
    _, _, flags, method, _, _, crc, num_packed, num_bytes, name_bytes, extra_bytes = header
    try:
        raw = _bytes_at(file, at + _HEADER.size, name_bytes)
        info = zipfile.ZipInfo(raw.decode("utf-8" if flags & _IS_UTF8 else "cp437"))
    except UnicodeDecodeError:
        return None
    content_at = at + _HEADER.size + name_bytes + extra_bytes
    if flags & _SIZES_FOLLOW or _UNKNOWN in (num_packed, num_bytes):
        measured = method == zipfile.ZIP_DEFLATED and _measure(file, content_at, limits)
        if not measured:
            return None
        num_packed, num_bytes = measured
        if flags & _SIZES_FOLLOW:
            crc = _crc_at(file, content_at + num_packed)
    info.header_offset, info.flag_bits, info.compress_type = at, flags, method
    info.CRC, info.compress_size, info.file_size = crc, num_packed, num_bytes
    return info, content_at + num_packed


def _measure(file: IO[bytes], at: int, limits: Limits) -> tuple[int, int] | None:
    """Return how many bytes deflated content has and unpacks to, None if it has no end."""
    engine, num_out = inflater(_RAW_DEFLATE), 0
    file.seek(at)
    while not engine.eof:
        ahead = engine.unconsumed_tail or file.read(BLOCK_BYTES)
        if not ahead:
            return None
        try:
            num_out += len(engine.decompress(ahead, BLOCK_BYTES))
        except InflateError:
            return None
        limits.check(num_out, file.tell() - at)
    return file.tell() - at - len(engine.unused_data), num_out


def _crc_at(file: IO[bytes], at: int) -> int:
    """Return the check sum behind content whose header did not know it yet."""
    data = _bytes_at(file, at, 8).removeprefix(_DESCRIPTOR)
    return int.from_bytes(data[:4], "little")


def _read_header(file: IO[bytes], at: int) -> tuple[Any, ...] | None:
    data = _bytes_at(file, at, _HEADER.size) if at >= 0 else b""
    if len(data) < _HEADER.size or not data.startswith(_BEGINS):
        return None
    return _HEADER.unpack(data)


def _bytes_at(file: IO[bytes], at: int, num_bytes: int) -> bytes:
    file.seek(at)
    return file.read(num_bytes)
