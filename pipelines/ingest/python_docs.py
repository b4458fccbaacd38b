"""Source kind ``python-docs``: the documentation that lies in installed Python packages.

One document is the docstring of a module, class, function or method in a ``.py`` or ``.pyi`` file,
or one of the standard library's help topics. Nothing is imported.
"""

from __future__ import annotations

import ast
import csv
import os
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from data_contracts.errors import InputError, RecipeError
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.docstrings import (
    Docstring,
    count_docstrings,
    parse_source,
    read_docstrings,
    read_topics,
)
from pipelines.ingest.listing import bucket_of, list_file, make_parts
from pipelines.ingest.opening import open_checked
from pipelines.ingest.rows import RAW_BYTES, Item, Origin, Record, Unreadable
from store.step import SourceFile, SourcePart

STANDARD_LIBRARY = "python"
TOPICS = f"{STANDARD_LIBRARY}/pydoc_data/topics.py"

# Folders that hold no documentation of the package: its tests, applications, other distributions.
_EXCLUDED = frozenset(
    ("test", "tests", "testing", "idlelib", "turtledemo", "site-packages", "dist-packages")
)
_SUFFIXES = (".py", ".pyi")


def list_parts(config: IngestConfig) -> list[SourcePart]:
    """List one partition for each distribution, or several for ``name:k``, sorted by key.

    Raises:
        RecipeError: if a distribution is named twice.
        InputError: if one is not installed, lacks its record of files or one of the files.
    """
    groups: dict[str, list[SourceFile]] = {}
    for entry in config.distributions:
        for path, relative in _files_of(_split(entry)[0]):
            key = _key(entry, relative)
            groups.setdefault(key, []).append(list_file(path, relative))
    if not groups:
        raise RecipeError("ingest.distributions is empty; name some, such as 'python'.")
    owners: Counter[str] = Counter(file.path for files in groups.values() for file in files)
    for owned, count in owners.items():
        if count > 1:
            raise RecipeError(f"ingest.distributions reads {owned} twice; name each of them once.")
    return make_parts(groups)


def read_items(
    part: SourcePart, config: IngestConfig, facts: dict[str, Any], scratch: Path | None = None
) -> Iterator[Item]:
    """Yield the documents of a partition, files by path, documents in source order.

    ``facts["records_framed"]`` grows by the docstrings that are not blank, counted over the parsed
    file apart from reading them, by the topics, and by one for a file that cannot be parsed.

    Raises:
        InputError: if a file is gone or is not what was listed.
    """
    name = _distribution(part.key, config.distributions)
    root = _root(name)
    for file in part.files:
        inside = file.path
        if name == STANDARD_LIBRARY:
            inside = inside.removeprefix(f"{STANDARD_LIBRARY}/")
        with open_checked(root / inside, file) as reader:
            data = reader.read(file.size_bytes + 1)
        labels = {"package": name, "module": _module(inside)}
        yield from _read_file(data, file.path, {**dict(config.labels), **labels}, facts)


def _read_file(
    data: bytes, uri: str, labels: dict[str, str], facts: dict[str, Any]
) -> Iterator[Item]:
    try:
        tree = parse_source(data)
        topics = read_topics(tree) if uri == TOPICS else []
    except ValueError as error:
        facts["records_framed"] += 1
        yield Unreadable(Origin(uri, 0, "byte"), str(error), data[:RAW_BYTES])
        return
    facts["records_framed"] += count_docstrings(tree) + _count_topics(tree, uri)
    for docstring in [*read_docstrings(tree), *topics]:
        yield _record(docstring, uri, labels)


def _count_topics(tree: ast.Module, uri: str) -> int:
    if uri != TOPICS:
        return 0
    return sum(len(node.keys) for node in ast.walk(tree) if isinstance(node, ast.Dict))


def _record(docstring: Docstring, uri: str, labels: dict[str, str]) -> Record:
    return Record(
        origin=Origin(uri, docstring.line, "line"),
        key=f"{uri}::{docstring.name}" if docstring.name else uri,
        text=docstring.text,
        raw=docstring.raw[:RAW_BYTES].encode("utf-8", "backslashreplace"),
        labels={**labels, "kind": docstring.kind},
    )


def _module(path: str) -> str:
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _split(entry: str) -> tuple[str, int]:
    name, _, count = entry.partition(":")
    return name, int(count or 1)


def _key(entry: str, relative: str) -> str:
    name, count = _split(entry)
    return name if count == 1 else f"{name}-{bucket_of(relative, count):03d}"


def _distribution(key: str, entries: Iterable[str]) -> str:
    """Return the distribution that a partition's key was made from."""
    for name, count in map(_split, entries):
        keys = [name] if count == 1 else [f"{name}-{bucket:03d}" for bucket in range(count)]
        if key in keys:
            return name
    raise InputError(f"ingest.distributions no longer names what {key!r} was made of; run again.")


def _root(name: str) -> Path:
    if name == STANDARD_LIBRARY:
        return Path(sysconfig.get_paths()["stdlib"])
    try:
        return Path(str(metadata.distribution(name).locate_file("")))
    except metadata.PackageNotFoundError:
        raise InputError(
            f"The distribution {name} is not installed; install it (pip install {name}) or take it "
            f"out of ingest.distributions."
        ) from None


def _files_of(name: str) -> Iterator[tuple[Path, str]]:
    """Yield path and name of each Python file of a distribution, its tests left out."""
    root = _root(name)
    is_standard = name == STANDARD_LIBRARY
    wanted = sorted(filter(_is_wanted, _walk(root) if is_standard else _recorded(name)))
    if not wanted:
        raise InputError(f"The distribution {name} holds no Python file; name another one.")
    for path in wanted:
        yield root / path, f"{STANDARD_LIBRARY}/{path}" if is_standard else path


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _EXCLUDED]
        prefix = os.path.relpath(folder, root)
        yield from (name if prefix == "." else f"{prefix}/{name}" for name in names)


def _recorded(name: str) -> Iterator[str]:
    record = metadata.distribution(name).read_text("RECORD")
    if record is None:
        raise InputError(
            f"The distribution {name} has no record of its files; install it again "
            f"(pip install --force-reinstall {name})."
        )
    return (row[0] for row in csv.reader(record.splitlines()) if row)


def _is_wanted(path: str) -> bool:
    if not path.endswith(_SUFFIXES):
        return False
    folders = path.split("/")[:-1]
    return folders[:1] != [""] and ".." not in folders and _EXCLUDED.isdisjoint(folders)
