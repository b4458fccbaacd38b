"""What labelled pairs are drawn from, and how so many pairs of a kind are drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.corpora import read_texts
from benchmarks.dedupe_facts import Names, learn_names, one_of
from benchmarks.dedupe_material import (
    Page,
    encyclopedia_articles,
    fits,
    news_rows,
    num_words,
    read_books,
    read_pages,
    read_posts,
)

TABLE_CELL = re.compile(r"(?<![\w.])\d+(?:[.,:]\d+)*(?![\w])")
MIN_FRAME_WORDS = 100
LONG_SIGNATURE_WORDS = 50
MAX_TRIES = 300  # for one pair


class Pair(NamedTuple):
    """Two texts and what they were made to be: a kind, and which way of it."""

    kind: str
    detail: str
    left: str
    right: str


@dataclass(frozen=True)
class Sources:
    """What pairs are drawn from."""

    pages: Sequence[Page]
    articles: Sequence[tuple[str, str]]
    news: Sequence[str]
    headlines: Sequence[str]
    posts: Sequence[tuple[str, str]]
    books: Sequence[tuple[str, str, str]]
    tables: Sequence[str]
    names: Names

    def text(self, rng: np.random.Generator) -> str:
        """Return an article, of the web in one case of four, else of the encyclopedia."""
        if rng.random() < 0.25:
            return one_of(self.pages, rng).article
        return one_of(self.articles, rng)[1]

    @cached_property
    def frames(self) -> list[Page]:
        """The pages that have a frame worth the name."""
        return [page for page in self.pages if page.frame_words >= MIN_FRAME_WORDS]

    @cached_property
    def signatures(self) -> list[str]:
        """The longer signatures of posts, each once."""
        return sorted({text for _, text in self.posts if num_words(text) >= LONG_SIGNATURE_WORDS})

    @cached_property
    def notes(self) -> list[str]:
        """The shorter posts, each once."""
        return sorted({text for text, _ in self.posts if num_words(text) <= LONG_SIGNATURE_WORDS})


Maker = Callable[[Sources, np.random.Generator], Pair | None]


def read_sources(folder: Path) -> Sources:
    """Read all of them from the folder of public collections."""
    articles = encyclopedia_articles(folder)
    news = news_rows(folder)
    posts = read_texts("posts", folder)
    return Sources(
        pages=read_pages(folder),
        articles=articles,
        news=[text for _, text in news],
        headlines=[headline for headline, _ in news],
        posts=read_posts(posts),
        books=read_books(folder),
        tables=list(find_tables([*posts, *read_texts("proposals", folder)])),
        names=learn_names(articles),
    )


def find_tables(texts: Sequence[str]) -> Iterator[str]:
    """Yield runs of at least six lines of three numbers each, with two lines before and after."""
    for text in texts:
        lines = text.split("\n")
        numbers = [len(TABLE_CELL.findall(line)) >= 3 for line in lines]
        place = 0
        while place < len(lines):
            end = place
            while end < len(lines) and numbers[end]:
                end += 1
            table = "\n".join(lines[max(0, place - 2) : end + 2])
            if end - place >= 6 and fits(table):
                yield table
            place = end + 1


def make_pairs(maker: Maker, sources: Sources, wanted: int, rng: np.random.Generator) -> list[Pair]:
    """Return so many pairs, all different, whose texts have 60 to 2,000 words."""
    pairs: dict[tuple[str, str], Pair] = {}
    for _ in range(MAX_TRIES * wanted):
        pair = maker(sources, rng)
        if pair and pair.left != pair.right and all(map(fits, pair[2:])):
            pairs.setdefault((pair.left, pair.right), pair)
        if len(pairs) == wanted:
            return list(pairs.values())
    raise RuntimeError(f"only {len(pairs)} of {wanted} pairs could be drawn by {maker}")
