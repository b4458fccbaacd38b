"""Source kind ``python-docs``: the documentation that lies in installed Python packages.

One document is the docstring of a module, class, function or method in a ``.py`` or ``.pyi`` file, or
one of the standard library's help topics. Packages are parsed with `ast`, never imported.
"""

from __future__ import annotations

import ast
import inspect
import sysconfig
import threading
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from data_contracts.errors import InputError, RecipeError
from pipelines.ingest.config import IngestConfig
from pipelines.ingest.listing import bucket_of, list_file, make_parts
from pipelines.ingest.opening import open_checked
from pipelines.ingest.rows import RAW_BYTES, Item, Origin, Record, Unreadable
from store.step import SourceFile, SourcePart

STANDARD_LIBRARY = "python"
TOPICS = f"{STANDARD_LIBRARY}/pydoc_data/topics.py"

# Folders that hold no documentation of the package: its tests, applications, other distributions.
_EXCLUDED = frozenset(
    "test tests testing idlelib turtledemo site-packages dist-packages __pycache__".split()
)
MAX_SOURCE_BYTES = 8 << 20

_SUFFIXES = (".py", ".pyi")
_BODIES = ("body", "handlers", "orelse", "finalbody", "cases")
_PARSE_LOCK = threading.Lock()

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


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
    owners: Counter[str] = Counter(file.path for files in groups.values() for file in files)
    for path, count in owners.items():
        if count > 1:
            raise RecipeError(f"ingest.distributions reads {path} twice; name each of them once.")
    return make_parts(groups)


def read_items(part: SourcePart, config: IngestConfig, facts: dict[str, Any]) -> Iterator[Item]:
    """Yield the documents of a partition, files by path, documents in source order.

    ``facts["records_framed"]`` grows by the docstrings that are not blank, counted over the parsed
    file apart from reading them, by the topics, and by one for a file that cannot be parsed.

    Raises:
        InputError: if a file is gone or is not what was listed.
    """
    name = _distribution(part.key, config.distributions)
    root = _root(name)
    for file in part.files:
        inside = (
            file.path.removeprefix(f"{STANDARD_LIBRARY}/")
            if name == STANDARD_LIBRARY
            else file.path
        )
        with open_checked(root / inside, file) as reader:
            data = reader.read(file.size_bytes + 1)
        try:
            tree = _parse(data)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            facts["records_framed"] += 1
            yield _unparsable(file.path, data, error)
            continue
        facts["records_framed"] += count_docstrings(tree)
        yield from _documents(tree, file.path, name, _module(inside))
        if file.path == TOPICS:
            topics = _topics(tree)
            facts["records_framed"] += len(topics.keys)
            yield from _topic_items(topics)


def count_docstrings(tree: ast.Module) -> int:
    """Count the docstrings in a file that hold more than white space, whatever reads them later."""
    pending: list[ast.AST] = [tree]
    total = 0
    while pending:
        node = pending.pop()
        if isinstance(node, Documented):
            total += bool((ast.get_docstring(node, clean=False) or "").strip())
        for name in _BODIES:
            pending.extend(getattr(node, name, ()))
    return total


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
    raise InputError(
        f"Partition {key!r} is of no distribution in ingest.distributions; plan again."
    )


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
    if name == STANDARD_LIBRARY:
        paths = (path.relative_to(root).as_posix() for path in root.rglob("*.py*"))
        prefix = f"{STANDARD_LIBRARY}/"
    else:
        paths, prefix = (entry.as_posix() for entry in _record(name)), ""
    wanted = sorted(path for path in paths if _is_wanted(PurePosixPath(path)))
    if not wanted:
        raise InputError(f"The distribution {name} holds no Python file; name another one.")
    for path in wanted:
        yield root / path, prefix + path


def _record(name: str) -> list[metadata.PackagePath]:
    files = metadata.files(name)
    if files is None:
        raise InputError(
            f"The distribution {name} has no record of its files; install it again "
            f"(pip install --force-reinstall {name})."
        )
    return files


def _is_wanted(path: PurePosixPath) -> bool:
    is_outside = path.is_absolute() or ".." in path.parts
    return path.suffix in _SUFFIXES and not is_outside and not _EXCLUDED & set(path.parts[:-1])


def _module(path: str) -> str:
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _parse(data: bytes) -> ast.Module:
    """Parse Python source without its warnings; the lock is there since those are global."""
    if len(data) > MAX_SOURCE_BYTES:
        raise ValueError(f"the file has {len(data)} bytes, over {MAX_SOURCE_BYTES}")
    with _PARSE_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(data)


def _unparsable(uri: str, data: bytes, error: Exception) -> Unreadable:
    line = getattr(error, "lineno", None) or 1
    message = getattr(error, "msg", None) or str(error) or "too deeply nested"
    origin = Origin(uri, line, "line")
    return Unreadable(origin, f"not Python ({type(error).__name__}: {message})", data[:RAW_BYTES])


def _documents(tree: ast.Module, uri: str, package: str, module: str) -> Iterator[Record]:
    """Yield a record for each docstring that is not blank, in source order."""
    repeats: Counter[str] = Counter()
    stack: list[tuple[ast.AST, str, bool]] = [(tree, "", False)]
    while stack:
        node, scope, in_class = stack.pop()
        if isinstance(node, Documented):
            name = "" if isinstance(node, ast.Module) else scope + node.name
            repeats[name] += 1
            labels = {"package": package, "module": module, "kind": _kind(node, in_class)}
            doc = _docstring(node)
            if doc is not None and doc.value.strip():
                key = _record_key(uri, name, repeats[name])
                yield _record_of(doc, uri, key, inspect.cleandoc(doc.value), labels)
            scope, in_class = _inner(node, name)
        children = [child for field in _BODIES for child in getattr(node, field, ())]
        stack.extend((child, scope, in_class) for child in reversed(children))


def _docstring(node: Documented) -> ast.Constant | None:
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return first.value if isinstance(first.value.value, str) else None
    return None


def _kind(node: Documented, in_class: bool) -> str:
    if isinstance(node, ast.Module):
        return "module"
    if isinstance(node, ast.ClassDef):
        return "class"
    return "method" if in_class else "function"


def _inner(node: Documented, name: str) -> tuple[str, bool]:
    """Return what stands before names defined inside a node, and whether those are methods."""
    if isinstance(node, ast.Module):
        return "", False
    return (f"{name}.", True) if isinstance(node, ast.ClassDef) else (f"{name}.<locals>.", False)


def _record_key(uri: str, name: str, ordinal: int) -> str:
    key = f"{uri}::{name}" if name else uri
    return key if ordinal == 1 else f"{key}#{ordinal}"


def _record_of(doc: ast.Constant, uri: str, key: str, text: str, labels: dict[str, str]) -> Record:
    raw = doc.value[:RAW_BYTES].encode("utf-8", "backslashreplace")
    return Record(Origin(uri, doc.lineno, "line"), key, text, raw, labels=labels)


def _topics(tree: ast.Module) -> ast.Dict:
    """Return the literal that `pydoc_data.topics` consists of."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            return node.value
    return ast.Dict(keys=[], values=[])


def _topic_items(topics: ast.Dict) -> Iterator[Item]:
    labels = {"package": STANDARD_LIBRARY, "module": "pydoc_data.topics", "kind": "topic"}
    for name, text in zip(topics.keys, topics.values, strict=True):
        if _is_text(name) and _is_text(text):
            yield _record_of(text, TOPICS, f"{TOPICS}::topics[{name.value}]", text.value, labels)
        else:
            origin = Origin(TOPICS, text.lineno, "line")
            yield Unreadable(origin, "a help topic that is not a literal text", b"")


def _is_text(node: ast.expr | None) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
