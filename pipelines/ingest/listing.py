"""Files to partitions, by a rule that looks at one file at a time and never at totals.

A file of at least ``max_bundle_file_bytes`` is a partition of its own; a smaller one goes to one
of a fixed number of bundles, by hash of its relative path. So one more file makes one new
partition, or changes one bundle. Large uncompressed JSON Lines are cut into ranges of whole lines.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from pipelines.ingest.opening import BLOCK_BYTES, digest_range, unreadable
from store.identity import digest_bytes, digest_file
from store.step import SourceFile, SourcePart

RANGE_BYTES = 128 << 20
IGNORED = "ignored-files"  # the partition that reads nothing and says what was not read

_OF_NO_FILE = re.compile(rf"bundle-[0-9]+|{IGNORED}")  # keys of partitions that no file may take


def list_file(path: Path, relative: str) -> SourceFile:
    """Return the listing of the file at ``path``, under its path relative to the source's root.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        return SourceFile(relative, path.stat().st_size, digest_file(path))
    except OSError as error:
        raise unreadable(relative, error) from error


def group_files(
    files: Iterable[SourceFile], bundles: int, max_bundle_file_bytes: int
) -> list[SourcePart]:
    """Return partitions sorted by key: large files alone, small ones in bundles."""
    groups: dict[str, list[SourceFile]] = {}
    for file in files:
        if file.size_bytes >= max_bundle_file_bytes:
            key = shown(file.path)
            key = f"./{key}" if _OF_NO_FILE.fullmatch(key) else key
        else:
            key = f"bundle-{bucket_of(file.path, bundles):03d}"
        groups.setdefault(key, []).append(file)
    return make_parts(groups)


def make_parts(groups: dict[str, list[SourceFile]]) -> list[SourcePart]:
    """Return one partition for each group, sorted by key, its files by path."""
    return [
        SourcePart(key, tuple(sorted(files, key=lambda file: file.path)))
        for key, files in sorted(groups.items())
    ]


def bucket_of(path: str, num_buckets: int) -> int:
    """Return the bucket of a relative path, by hash."""
    return int(digest_bytes(os.fsencode(path)), 16) % num_buckets


def shown(path: str) -> str:
    """Return a path as text that can be stored: bytes that are not UTF-8 become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def range_name(path: str, start: int) -> str:
    """Name the range of a file in which the byte ``start`` lies: ``path@0003``."""
    return f"{shown(path)}@{start // RANGE_BYTES:04d}"


def is_large(path: Path, relative: str) -> bool:
    """Return whether a file of lines is to be cut into ranges.

    Raises:
        InputError: if the file cannot be seen.
    """
    try:
        return path.stat().st_size > RANGE_BYTES
    except OSError as error:
        raise unreadable(relative, error) from error


def list_ranges(path: Path, relative: str) -> list[SourcePart]:
    """Return partitions for a large file of lines, one for each `RANGE_BYTES` of it.

    A line belongs to the range in which it starts, so that a range is whole lines; its digest is of
    just these. A file that grows changes its last range only. Ranges in which no line starts are
    left out.

    Raises:
        InputError: if the file cannot be read.
    """
    try:
        size_bytes = path.stat().st_size
        starts = [*_line_starts(path, size_bytes), size_bytes]
        parts = []
        for start, end in itertools.pairwise(starts):
            digest = digest_range(path, start, end - start)
            file = SourceFile(relative, size_bytes, digest, start, end - start)
            parts.append(SourcePart(range_name(relative, start), (file,)))
        return parts
    except OSError as error:
        raise unreadable(relative, error) from error


def _line_starts(path: Path, size_bytes: int) -> Iterator[int]:
    """Yield the first line start of each range that has one."""
    yield 0
    last = 0
    with path.open("rb") as file:
        for cut in range(RANGE_BYTES, size_bytes, RANGE_BYTES):
            start = _after_line_end(file, cut - 1)
            if last < start < size_bytes:
                yield start
                last = start


def _after_line_end(file: BinaryIO, position: int) -> int:
    """Return the position after the first line end at or after ``position``, or of the end."""
    file.seek(position)
    while block := file.read(BLOCK_BYTES):
        found = block.find(b"\n")
        if found >= 0:
            return position + found + 1
        position += len(block)
    return position
