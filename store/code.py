"""The source code that a step's output depends on: its module and what that imports of ours."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator
from pathlib import Path

from store.identity import digest_file
from store.step import Step

ROOT = Path(__file__).resolve().parent.parent
_COUNTED_PACKAGES = ("data_contracts", "pipelines", "training")
_DATA_SUFFIXES = (".npz", ".toml", ".sql", ".json")


def code_of(step: Step) -> dict[str, str]:
    """Return the digests of a step's source files, by path relative to the project.

    These are the file of its function and, followed through ``import`` statements wherever they
    stand, every file of `data_contracts`, `pipelines` and `training` that it uses, with the data
    files beside them. The store itself is not counted: its formats carry their own version.
    """
    files = source_files(Path(inspect.getfile(inspect.unwrap(step.run))).resolve())
    return {_relative(path): _digest(path, path.stat().st_mtime_ns) for path in files}


def step_file(step: Step) -> str:
    """Return the path of the file in which a step's ``VERSION`` stands."""
    return _relative(Path(inspect.getfile(inspect.unwrap(step.run))).resolve())


def source_files(start: Path) -> list[Path]:
    """Return a file and all counted files that it imports, directly or not, sorted by path."""
    found: set[Path] = set()
    stack = [start]
    while stack:
        path = stack.pop()
        if path in found:
            continue
        found.add(path)
        if path.suffix == ".py":
            stack.extend(_imported(path, path.stat().st_mtime_ns))
            if ROOT in path.parents and path.parent != ROOT / path.relative_to(ROOT).parts[0]:
                stack.extend(p for p in path.parent.iterdir() if p.suffix in _DATA_SUFFIXES)
    return sorted(found)


@functools.lru_cache(maxsize=1024)
def _digest(path: Path, _modified_ns: int) -> str:
    return digest_file(path)


@functools.lru_cache(maxsize=1024)
def _imported(path: Path, _modified_ns: int) -> tuple[Path, ...]:
    names = _import_names(ast.parse(path.read_bytes()))
    return tuple(file for name in names for file in _files_of(name))


def _import_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files_of(name: str) -> Iterator[Path]:
    """Yield the files that importing a dotted name of ours executes, packages included."""
    parts = name.split(".")
    if parts[0] not in _COUNTED_PACKAGES:
        return
    for depth in range(1, len(parts) + 1):
        base = ROOT.joinpath(*parts[:depth])
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                yield path


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if ROOT in path.parents else path.name
