"""Source kind ``files``: a folder, a file, a glob or an address, each file read by its format."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from data_contracts.errors import InputError, RecipeError
from pipelines.ingest import jsonl
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.formats import libraries_of, read_archive, read_format, unpacked
from pipelines.ingest.listing import IGNORED, group_files, make_parts, range_name, shown
from pipelines.ingest.local_root import LocalRoot
from pipelines.ingest.place import Place
from pipelines.ingest.remote_root import RemoteRoot
from pipelines.ingest.rows import Item, Pending
from pipelines.ingest.suffixes import FORMAT_OF_SUFFIX, Named, recognise
from store.step import SourceFile, SourcePart

_MAX_NAMED = 20

Root = LocalRoot | RemoteRoot


def list_parts(config: IngestConfig) -> list[SourcePart]:
    """List the partitions of what ``config.path`` names, sorted by key.

    Hidden files and folders (``.name``) are left out. A symbolic link is followed if it is the path
    itself, and else to files within the folder only. All that is not read, by its suffix or as a
    link or device, is named in one partition `IGNORED`, which has no rows.

    Raises:
        RecipeError: if no path is given.
        InputError: if the source is missing, unreadable, or holds nothing that can be read.
    """
    root = root_of(config.path)
    found = sorted(root.walk())
    paths = [path for path, is_file in found if is_file and recognise(path, config.format)]
    ignored = sorted({path for path, _ in found}.difference(paths))
    if not paths:
        raise _nothing_to_read(root.name, sum(map(root.leads_out, ignored)), config)
    small, parts = [], []
    for path in paths:
        ranges = root.list_ranges(path) if _is_lines(recognise(path, config.format)) else []
        parts += ranges
        if not ranges:
            small.append(root.list_file(path))
    parts += group_files(small, config.bundles, config.max_bundle_file_bytes)
    if ignored:
        parts += make_parts({IGNORED: [SourceFile(path, 0, "unread") for path in ignored]})
    return sorted((_with_libraries(part, config) for part in parts), key=lambda part: part.key)


def _with_libraries(part: SourcePart, config: IngestConfig) -> SourcePart:
    """Return a partition that counts the versions of the libraries that its files are read by."""
    named = [recognise(file.path, config.format) for file in part.files]
    names = sorted({library for one in named if one for library in libraries_of(one)})
    versions = {name: metadata.version(name) for name in names}
    return replace(part, settings={"libraries": versions}) if versions else part


def read_items(
    part: SourcePart, config: IngestConfig, facts: dict[str, Any], scratch: Path | None = None
) -> Iterator[Item]:
    """Yield the records of a partition, files by path, records in file order.

    ``facts["records_framed"]`` grows by the records in the bytes, counted before they are parsed: a
    text file is one, and so is each line of JSON Lines that is not blank. What follows a break in a
    compressed file, begun line included, is one. ``scratch`` is for copies of files.

    Raises:
        InputError: if a file is gone or is not what was listed.
    """
    if part.key == IGNORED:
        facts["num_files_ignored"] = len(part.files)
        facts["files_ignored"] = [shown(file.path) for file in part.files[:_MAX_NAMED]]
        return
    yield from _with_pages(_open_items(part, config, facts, scratch))


def _with_pages(items: Iterator[Item | Pending]) -> Iterator[Item]:
    """Yield items, from the first page on with all pages of the partition read in processes.

    What reads pages loads parsers and kernels, so it is imported only then.
    """
    for item in items:
        if isinstance(item, Pending):
            from pipelines.ingest.extract import extract_each

            yield from extract_each(itertools.chain([item], items))
        else:
            yield item


def _open_items(
    part: SourcePart, config: IngestConfig, facts: dict[str, Any], scratch: Path | None
) -> Iterator[Item | Pending]:
    root = root_of(config.path)
    for file in part.files:
        with root.open(file, scratch) as stream:
            named = recognise(file.path, config.format)
            if named is None:
                raise InputError(f"{file.path} has no format that is read; run again.")
            place = place_of(file, config)
            if _is_lines(named):
                yield from jsonl.read(stream, place, config, facts, file.start)
            else:
                content = unpacked(stream, named.compression, config)
                if named.archive:
                    yield from read_archive(named.archive, content, place, config, facts)
                else:
                    yield from read_format(named.format, content, place, config, facts)


def root_of(path: str) -> Root:
    """Return the files that a path names; raises RecipeError or InputError if it names none."""
    if not path:
        raise RecipeError("ingest.path is empty; name the folder to read: --set ingest.path=DIR.")
    if path == "-":
        raise RecipeError("ingest.path is '-', standard input, which `millrace run` alone reads.")
    return RemoteRoot(path) if "://" in path else LocalRoot(path)


def _is_lines(named: Named | None) -> bool:
    """Return whether a file may be cut into ranges of lines."""
    return named == Named(format="jsonl")


def place_of(file: SourceFile, config: IngestConfig) -> Place:
    """Return where a listed file stands."""
    uri = shown(file.path)
    key = range_name(file.path, file.start) if file.start else uri
    folder = {"folder": uri.split("/")[0]} if "/" in uri else {}
    return Place(uri, key, {**dict(config.labels), **folder})


def _nothing_to_read(name: str, num_links_out: int, config: IngestConfig) -> InputError:
    if config.format:
        wanted, remedy = f"{config.format} file", "change ingest.path or ingest.format"
    else:
        wanted = f"{', '.join(FORMAT_OF_SUFFIX)} file or archive"
        remedy = "put some there, name their ingest.format or change ingest.path"
    if num_links_out:
        links = "link leads" if num_links_out == 1 else "links lead"
        wanted = f"{wanted} of its own"
        remedy = f"{num_links_out} {links} out of it. Copy it with the files themselves (cp -rL)"
        remedy += " and name the copy as ingest.path"
    return InputError(f"{name} holds no {wanted} to read; {remedy}.")
