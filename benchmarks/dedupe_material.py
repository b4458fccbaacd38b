"""What labelled pairs of near-duplicates are made of: real articles, real frames around them.

A *frame* is the visible text of a web page outside its article, as a person marked the article:
navigation before it, teasers and legal notes after it.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from benchmarks.corpora import read_texts

MIN_WORDS, MAX_WORDS = 60, 2000
_HIDDEN = frozenset(("script", "style", "noscript", "template", "head", "svg", "iframe", "select"))
_EMPTY = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr")
)
_INLINE = frozenset(
    ("a", "abbr", "b", "bdi", "cite", "code", "em", "font", "i", "kbd", "mark", "q", "s", "small")
) | frozenset(("span", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr", "img"))
_LONG_LINE = 40  # letters and digits, for a line to tell where an article begins and ends
_GUTENBERG_START = re.compile(r"\*\*\* ?START OF TH[^\n]*\n")
_GUTENBERG_END = re.compile(r"\*\*\* ?END OF TH")
_NAMES_THE_BOOK = re.compile(
    r"^(Title|Author|Release Date|Posting Date|Last Updated|Produced by|Illustrator|Translator|"
    r"Editor|Language|Character set)\b|eBook of|E-?text prepared", re.IGNORECASE
)  # fmt: skip
_SIGNATURE = re.compile(r"\n-- ?\n")


@dataclass(frozen=True)
class Page:
    """A web page: its article by hand, and the frame before and after it, lines of text."""

    article: str
    before: str
    after: str

    @property
    def frame_words(self) -> int:
        """How many words of the page are not of its article."""
        return num_words(self.before) + num_words(self.after)

    def around(self, article: str) -> str:
        """Return the text of the page with this article in the place of its own."""
        return "\n".join(part for part in (self.before, article, self.after) if part)


def num_words(text: str) -> int:
    """Return how many words a text has, between white space."""
    return len(text.split())


def fits(text: str, low: int = MIN_WORDS, high: int = MAX_WORDS) -> bool:
    """Return whether a text has so many words, both ends included."""
    return low <= num_words(text) <= high


def read_pages(folder: Path) -> list[Page]:
    """Return the web pages whose articles were marked by hand, those without an article left out.

    A line of the page is of the article if its letters and digits stand in the article's, and of
    its title if they stand in the title: neither is of the frame. Pages of filler are left out.
    """
    pages = [page_of(html, article) for html, article in [*_extraction(folder), *_reader(folder)]]
    return [page for page in pages if fits(page.article) and "ipsum" not in page.article]


def page_of(html: str, article: str) -> Page:
    """Return a page from its source and the text of its article."""
    lines, title = visible_lines(html)
    known, title = _letters(article), _letters(title)
    letters = [_letters(line) for line in lines]
    of_article = [len(mine) > 3 and mine in known for mine in letters]
    sizes = [len(mine) * own for mine, own in zip(letters, of_article, strict=True)]
    long = [at for at, size in enumerate(sizes) if size >= min(_LONG_LINE, max(sizes)) > 0]
    first, last = (long[0], long[-1]) if long else (len(lines), len(lines))
    framing = [not own and mine not in title for mine, own in zip(letters, of_article, strict=True)]
    before = [line for line, yes in zip(lines[:first], framing[:first], strict=True) if yes]
    after = [line for line, yes in zip(lines[last + 1 :], framing[last + 1 :], strict=True) if yes]
    return Page(article, "\n".join(before), "\n".join(after))


def visible_lines(html: str) -> tuple[list[str], str]:
    """Return the lines of text that a page shows, blocks in their order, and its title."""
    reader = _Visible()
    reader.feed(html)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.parts).split("\n"))
    return [line for line in lines if line], " ".join("".join(reader.title).split())


class _Visible(HTMLParser):
    """Collects what is shown: nothing of scripts, styles and forms' choices."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.title: list[str] = []
        self._hidden: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line, unless the tag stands within one."""
        self._in_title = tag == "title" and not self.title
        if tag == "body":
            self._hidden = []
        elif tag in _HIDDEN and tag not in _EMPTY:
            self._hidden.append(tag)
        if tag not in _INLINE:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """End a line, or what was hidden."""
        if tag == "title":
            self._in_title = False
        if tag in self._hidden:
            del self._hidden[self._hidden.index(tag) :]
        if tag not in _INLINE:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        """Take what is shown."""
        if self._in_title:
            self.title.append(data)
        elif not self._hidden:
            self.parts.append(data)


def encyclopedia_articles(folder: Path) -> list[tuple[str, str]]:
    """Return title and body of articles of the encyclopedia, paragraph by paragraph.

    The title stands alone on the first line of an article; headings end in a full stop.
    """
    found = (text.partition("\n") for text in read_texts("encyclopedia", folder))
    articles = ((title.strip(), body.strip().replace("\n", "\n\n")) for title, _, body in found)
    return [(title, re.sub(r"\n{3,}", "\n\n", body)) for title, body in articles if fits(body)]


def news_rows(folder: Path) -> list[tuple[str, str]]:
    """Return headline and report of AG News' test set, those of 20 words and more."""
    with gzip.open(folder / "ag-news" / "test.csv.gz", "rt", encoding="utf-8") as file:
        rows = [[cell.replace("\\", " ") for cell in row] for row in csv.reader(file)]
    return [(row[1], row[2]) for row in rows if len(row) == 3 and fits(row[2], 20)]


def near_articles(folder: Path) -> tuple[list[str], list[str], set[tuple[str, str]]]:
    """Return ids and texts of articles, and the pairs of ids that were planted, in order."""
    folder = folder / "near-dup-articles"
    with gzip.open(folder / "articles_1000.train.gz", "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").partition(" ") for line in file if line.strip()]
    lines = (folder / "articles_1000.truth").read_text().split("\n")
    pairs = {tuple(sorted(line.split())) for line in lines if line.strip()}
    return [row[0] for row in rows], [row[2] for row in rows], pairs  # type: ignore[return-value]


def read_posts(posts: Iterable[str]) -> list[tuple[str, str]]:
    """Return body and signature of newsgroup posts that have both, without their headers."""
    found = []
    for text in posts:
        body, *rest = _SIGNATURE.split(text.partition("\n\n")[2])
        if len(rest) == 1 and num_words(rest[0]) >= 10 and num_words(body) >= 8:
            found.append((body.strip(), rest[0].strip()))
    return found


def read_books(folder: Path) -> list[tuple[str, str, str]]:
    """Return licence before, text and licence after of Project Gutenberg's books.

    Lines of the licence that name the book, its author or its release are left out.
    """
    with tarfile.open(folder / "gutenberg-books" / "gutenberg_books.tar.xz") as archive:
        texts = [
            archive.extractfile(member).read().decode("utf-8", "replace")  # type: ignore[union-attr]
            for member in archive
            if member.isfile()
        ]
    found = []
    for text in texts:
        text = text.replace("\r\n", "\n")
        start, end = _GUTENBERG_START.search(text), _GUTENBERG_END.search(text)
        if start and end and start.end() < end.start():
            before, after = text[: start.start()], text[end.start() :].partition("\n")[2]
            body = text[start.end() : end.start()].strip()
            found.append((_nameless(before), body, _nameless(after)))
    return found


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text, between empty lines."""
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


def _nameless(licence: str) -> str:
    lines = [line for line in licence.split("\n") if not _NAMES_THE_BOOK.search(line)]
    return "\n".join(lines).strip()


def _extraction(folder: Path) -> Iterator[tuple[str, str]]:
    folder = folder / "article-extraction"
    with gzip.open(folder / "ground-truth.json.gz") as file:
        gold = json.load(file)
    with tarfile.open(folder / "html_gz.tar") as archive:
        for member in archive:
            name = Path(member.name).name.partition(".")[0]
            if member.isfile() and name in gold:
                raw = archive.extractfile(member).read()  # type: ignore[union-attr]
                yield gzip.decompress(raw).decode("utf-8", "replace"), gold[name]["articleBody"]


def _reader(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield source and article of the pages that Readability.js is tested with."""
    path = folder / "readability-pages" / "readability_test_pages.tar.xz"
    files = {}
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".html"):
                raw = io.BytesIO(archive.extractfile(member).read())  # type: ignore[union-attr]
                files[member.name] = raw.read().decode("utf-8", "replace")
    for name in sorted(files):
        if name.endswith("/source.html"):
            lines, _ = visible_lines(files[name.replace("source", "expected")])
            yield files[name], "\n\n".join(lines)


def _letters(text: str) -> str:
    """Return the letters and digits of a text, folded."""
    return "".join(character for character in text.casefold() if character.isalnum())
