"""Real texts for benchmarks, from a folder of public collections that the project does not hold.

Each reader yields whole documents in the order of its file. ``docstrings`` needs no folder: it
reads the sources of the packages that this Python has installed.
"""

from __future__ import annotations

import ast
import gzip
import io
import json
import re
import sysconfig
import tarfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import zstandard


def docstrings(folder: Path) -> Iterator[str]:
    """Yield the docstrings of installed packages of 200 characters and more, file by file."""
    for path in sorted(Path(sysconfig.get_path("purelib")).rglob("*.py")):
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        for node in ast.walk(tree):
            if isinstance(node, kinds) and len(text := ast.get_docstring(node) or "") >= 200:
                yield text.encode("utf-8", "replace").decode()


def reviews(folder: Path) -> Iterator[str]:
    """Yield film reviews, with the ``<br />`` that they have."""
    path = folder / "imdb-unsup" / "imdb_unsup.jsonl.zst"
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as raw:
        for line in io.TextIOWrapper(raw, encoding="utf-8"):
            yield json.loads(line)["text"]


def encyclopedia(folder: Path) -> Iterator[str]:
    """Yield articles of the English Wikipedia as WikiExtractor wrote them, stubs too."""
    yield from _articles(folder / "wikipedia-en" / "wikiextractor_en_2018.tar.xz")


def chinese(folder: Path) -> Iterator[str]:
    """Yield articles of the Chinese Wikipedia."""
    for path in sorted((folder / "wikipedia-zh").glob("*.tar.xz")):
        yield from _articles(path)


def posts(folder: Path) -> Iterator[str]:
    """Yield posts of 20 Newsgroups, with their headers."""
    yield from _members(folder / "20newsgroups" / "20news-bydate.tar.xz")


def books(folder: Path) -> Iterator[str]:
    """Yield passages of some 8,000 characters of Project Gutenberg's books."""
    for text in _members(folder / "gutenberg-books" / "gutenberg_books.tar.xz"):
        for start in range(0, len(text), 8000):
            yield text[start : start + 8000]


def pages(folder: Path) -> Iterator[str]:
    """Yield the text of web pages: articles by hand, and pages as CCNet extracted them."""
    with gzip.open(folder / "article-extraction" / "ground-truth.json.gz") as file:
        yield from (page["articleBody"] for page in json.load(file).values())
    for path in sorted((folder / "ccnet-jsonl").glob("*.jsonl.gz")):
        with gzip.open(path) as lines:
            yield from (json.loads(line)["text"] for line in lines)


def proposals(folder: Path) -> Iterator[str]:
    """Yield Python Enhancement Proposals, technical English in reStructuredText."""
    yield from _members(folder / "peps" / "peps.tar.xz")


CORPORA: dict[str, Callable[[Path], Iterator[str]]] = {
    "docstrings": docstrings,
    "reviews": reviews,
    "encyclopedia": encyclopedia,
    "posts": posts,
    "books": books,
    "pages": pages,
    "proposals": proposals,
    "chinese": chinese,
}


def read_texts(corpus: str, folder: Path, limit: int | None = None) -> list[str]:
    """Return the first texts of a corpus that are not empty."""
    return list(islice((text for text in CORPORA[corpus](folder) if text), limit))


def _articles(path: Path) -> Iterator[str]:
    for text in _members(path):
        for found in re.finditer(r"<doc [^>]*>\n(.*?)</doc>", text, re.DOTALL):
            yield found[1].strip("\n")


def _members(path: Path) -> Iterator[str]:
    """Yield the files of a tar archive as text, what is not UTF-8 replaced."""
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and (file := archive.extractfile(member)) is not None:
                yield file.read().decode("utf-8", "replace")
