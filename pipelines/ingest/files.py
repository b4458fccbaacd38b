"""Source kind ``files``: a folder of text files (one document each) and JSON Lines (one a line)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_contracts.errors import InputError, RecipeError
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.jsonl import parse_line
from pipelines.ingest.lines import BrokenStream, Line, LineCount, LineFramer, decompress
from pipelines.ingest.listing import (
    group_files,
    is_large,
    list_file,
    list_ranges,
    make_parts,
    range_name,
    shown,
)
from pipelines.ingest.opening import CheckedReader, open_checked, unreadable
from pipelines.ingest.rows import RAW_BYTES, Item, Origin, Record, Unreadable
from pipelines.ingest.text import decode_lossy
from store.step import SourceFile, SourcePart

TEXT_SUFFIXES = (".txt", ".md")
LINES_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
IGNORED = "ignored-files"  # the partition that reads nothing and says what was not read
_MAX_NAMED = 20


def list_parts(config: IngestConfig) -> list[SourcePart]:
    """List the partitions of the folder ``config.path``, sorted by key.

    Hidden files and folders (``.name``) are left out. Symbolic links are followed to files within
    the folder only. All that is not read, by its suffix or as a link or device, is named in one
    partition `IGNORED`, which has no rows.

    Raises:
        RecipeError: if no path is given.
        InputError: if the folder is missing, unreadable, or holds nothing that can be read.
    """
    root = _root(config.path)
    found = sorted(_walk(root))
    paths = [path for path, is_file in found if is_file and _is_read(path)]
    ignored = [path for path, is_file in found if not (is_file and _is_read(path))]
    if not paths:
        wanted = ", ".join(TEXT_SUFFIXES + LINES_SUFFIXES)
        raise InputError(
            f"{root} holds no {wanted} file to read; put some there or change ingest.path."
        )
    small, parts = [], []
    for path in paths:
        if path.lower().endswith(".jsonl") and is_large(root / path, path):
            parts += list_ranges(root / path, path)
        else:
            small.append(list_file(root / path, path))
    parts += group_files(small, config.bundles, config.max_bundle_file_bytes)
    if ignored:
        parts += make_parts({IGNORED: [SourceFile(path, 0, "unread") for path in ignored]})
    return sorted(parts, key=lambda part: part.key)


def read_items(part: SourcePart, config: IngestConfig, facts: dict[str, Any]) -> Iterator[Item]:
    """Yield the records of a partition, files by path, records in file order.

    ``facts["records_framed"]`` grows by the records in the bytes, counted before they are parsed: a
    text file is one, and so is each line of JSON Lines that is not blank. What follows a break in a
    compressed file, begun line included, is one.

    Raises:
        InputError: if a file is gone or is not what was listed.
    """
    if part.key == IGNORED:
        facts["num_files_ignored"] = len(part.files)
        facts["files_ignored"] = [shown(file.path) for file in part.files[:_MAX_NAMED]]
        return
    root = Path(config.path).expanduser()
    for file in part.files:
        with open_checked(root / file.path, file) as reader:
            if file.path.lower().endswith(TEXT_SUFFIXES):
                facts["records_framed"] += 1
                yield _read_text(reader, file, config)
            else:
                yield from _read_lines(reader, file, config, facts)


def _root(path: str) -> Path:
    if not path:
        raise RecipeError("ingest.path is empty; name the folder to read: --set ingest.path=DIR.")
    root = Path(path).expanduser()
    if not root.is_dir():
        if root.exists():
            raise InputError(
                f"{root} is a file; give the folder that holds it, {root.absolute().parent}, as "
                "ingest.path."
            )
        raise InputError(f"The folder {root} does not exist; correct ingest.path.")
    return root


def _walk(root: Path) -> Iterator[tuple[str, bool]]:
    """Yield the relative path of each thing that is no folder, and whether it is a file of ours."""
    stack = [""]
    while stack:
        prefix = stack.pop()
        try:
            for entry in list(os.scandir(root / prefix)):
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    stack.append(f"{prefix}{entry.name}/")
                else:
                    yield f"{prefix}{entry.name}", _is_ours(entry, root)
        except OSError as error:
            raise unreadable(str(root / prefix), error) from error


def _is_ours(entry: os.DirEntry[str], root: Path) -> bool:
    if not entry.is_symlink():
        return entry.is_file()
    target = os.path.realpath(entry.path)
    return os.path.isfile(target) and Path(os.path.realpath(root)) in Path(target).parents


def _is_read(path: str) -> bool:
    return path.lower().endswith(TEXT_SUFFIXES + LINES_SUFFIXES)


def _read_text(reader: CheckedReader, file: SourceFile, config: IngestConfig) -> Item:
    data = reader.read(config.max_record_bytes + 1)
    uri = shown(file.path)
    origin, raw, num_repairs = Origin(uri, 0, "byte"), data[:RAW_BYTES], 0
    if len(data) > config.max_record_bytes:
        error = f"the file has {file.size_bytes} bytes, over max_record_bytes = "
        return Unreadable(origin, f"{error}{config.max_record_bytes}", raw, uri)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if config.encoding_errors != "repair":
            at = Origin(uri, error.start, "byte")
            reason = f"not UTF-8: byte 0x{data[error.start]:02x}"
            return Unreadable(at, reason, data[error.start :][:RAW_BYTES], uri)
        text, num_repairs = decode_lossy(data)
    labels = _folder_label(file.path)
    return Record(origin, uri, text, raw, labels=labels, num_repairs=num_repairs)


def _folder_label(path: str) -> dict[str, str]:
    return {"folder": shown(path.split("/")[0])} if "/" in path else {}


def _read_lines(
    reader: CheckedReader, file: SourceFile, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    suffix = Path(file.path.lower()).suffix
    blocks = reader.blocks() if suffix == ".jsonl" else decompress(reader, suffix)
    count, framer = LineCount(), LineFramer(config.max_record_bytes, file.start)
    uri, folder = shown(file.path), _folder_label(file.path)
    named = range_name(file.path, file.start) if file.start else uri
    broken = None
    try:
        for line in framer.lines(count.watch(blocks)):
            if not line.is_blank:
                yield parse_line(line, uri, f"{named}#{line.ordinal}", folder, config)
    except BrokenStream as error:
        broken = str(error)
    last = framer.rest()
    if broken is not None:
        yield _broken_tail(framer, last, uri, broken)
    elif last is not None and not last.is_blank:
        yield parse_line(last, uri, f"{named}#{last.ordinal}", folder, config)
    facts["records_framed"] += count.num_lines + (broken is not None and not count.is_inside)


def _broken_tail(framer: LineFramer, last: Line | None, uri: str, error: str) -> Unreadable:
    """Return one item for all that follows a break: the line that had begun and what is lost."""
    offset = last.offset if last else framer.offset
    return Unreadable(Origin(uri, offset, "byte"), error, last.data if last else b"")
