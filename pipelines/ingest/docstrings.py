"""Docstrings of one Python file: parsed, never imported, and counted apart from being read."""

from __future__ import annotations

import ast
import contextlib
import gc
import inspect
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

MAX_SOURCE_BYTES = 8 << 20

_BODIES = ("body", "handlers", "orelse", "finalbody", "cases")
_BODIES_OF: dict[type[ast.AST], tuple[str, ...]] = {  # in source order
    **dict.fromkeys([ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef], ("body",)),
    **dict.fromkeys([ast.If, ast.For, ast.AsyncFor, ast.While], ("body", "orelse")),
    **dict.fromkeys([ast.Try, ast.TryStar], ("body", "handlers", "orelse", "finalbody")),
    **dict.fromkeys([ast.With, ast.AsyncWith, ast.ExceptHandler, ast.match_case], ("body",)),
    ast.Match: ("cases",),
}
_PARSE_LOCK = threading.Lock()  # what is switched while parsing is global

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Docstring:
    """A docstring: ``name`` is the qualified name of what it documents, empty for the module.

    ``kind`` is module, class, function, method or topic; ``raw`` the text as it stands in the
    source, ``text`` the same without its indentation.
    """

    name: str
    kind: str
    line: int
    raw: str
    text: str


def parse_source(data: bytes) -> ast.Module:
    """Parse the bytes of a Python file, in the encoding that they declare, without warnings.

    Raises:
        ValueError: if they are over `MAX_SOURCE_BYTES`, not Python, or nested too deeply to parse.
            The message begins with the line if that is known.
    """
    if len(data) > MAX_SOURCE_BYTES:
        raise ValueError(f"the file has {len(data)} bytes, over {MAX_SOURCE_BYTES}")
    try:
        with _PARSE_LOCK, warnings.catch_warnings(), _no_collection():
            warnings.simplefilter("ignore")
            return ast.parse(data)
    except SyntaxError as error:
        raise ValueError(f"line {error.lineno or 1}: not Python: {error.msg}") from None
    except (RecursionError, MemoryError):
        raise ValueError("nested too deeply to parse") from None


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector from walking a tree again and again while it grows (a fifth)."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def count_docstrings(tree: ast.Module) -> int:
    """Count the docstrings that hold more than white space, whatever reads them later."""
    pending: list[ast.AST] = [tree]
    total = 0
    while pending:
        node = pending.pop()
        if isinstance(node, Documented):
            total += bool((ast.get_docstring(node, clean=False) or "").strip())
        for name in _BODIES:
            pending.extend(getattr(node, name, ()))
    return total


def read_docstrings(tree: ast.Module) -> Iterator[Docstring]:
    """Yield the docstrings that hold more than white space, in source order.

    Names are as in ``__qualname__``; the second object of a name is called ``name#2``.
    """
    repeats: Counter[str] = Counter()
    stack: list[tuple[ast.AST, str, bool]] = [(tree, "", False)]
    while stack:
        node, scope, is_in_class = stack.pop()
        if type(node) not in _BODIES_OF:
            continue
        if isinstance(node, Documented):
            name = "" if isinstance(node, ast.Module) else scope + node.name
            repeats[name] += 1
            shown = name if repeats[name] == 1 else f"{name}#{repeats[name]}"
            yield from _docstring(node, shown, _kind(node, is_in_class))
            scope, is_in_class = _inner_scope(node, name), isinstance(node, ast.ClassDef)
        bodies = [getattr(node, field) for field in _BODIES_OF[type(node)]]
        children = [child for body in bodies for child in body]
        stack.extend((child, scope, is_in_class) for child in reversed(children))


def read_topics(tree: ast.Module) -> list[Docstring]:
    """Return the entries of `pydoc_data.topics`, whose file is one literal ``topics = {…}``.

    Raises:
        ValueError: if the file is not that.
    """
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            texts: dict[str, str] = ast.literal_eval(node.value)
            keys = [key.lineno for key in node.value.keys if key is not None]
            return [
                Docstring(f"topics[{name}]", "topic", line, text, text)
                for (name, text), line in zip(texts.items(), keys, strict=True)
            ]
    raise ValueError("line 1: no literal of help topics")


def _docstring(node: Documented, name: str, kind: str) -> Iterator[Docstring]:
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        raw = first.value.value
        if isinstance(raw, str) and raw.strip():
            yield Docstring(name, kind, first.lineno, raw, inspect.cleandoc(raw))


def _kind(node: Documented, is_in_class: bool) -> str:
    if isinstance(node, ast.Module):
        return "module"
    if isinstance(node, ast.ClassDef):
        return "class"
    return "method" if is_in_class else "function"


def _inner_scope(node: Documented, name: str) -> str:
    """Return what stands before the names of what is defined inside."""
    if isinstance(node, ast.Module):
        return ""
    return f"{name}." if isinstance(node, ast.ClassDef) else f"{name}.<locals>."
