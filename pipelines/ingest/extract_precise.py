"""The extractor ``precise``: trafilatura with ``favor_precision``, the best that was measured.

Combinations with Resiliparse (agreement of both, either where the other is short) gained nothing on
pages that they were not chosen on (docs/benchmarks.md, "Web pages"). Where trafilatura finds no
text at all, the page is read by `fast`.
"""

from __future__ import annotations

from lxml.html import HtmlElement
from trafilatura import extract as extract_article
from trafilatura.utils import load_html

from pipelines.ingest import extract_fast

MAX_DEPTH = 250  # libxml2 drops, without a word, what is nested deeper than 255

_TOO_DEEP = f"boolean(//*[count(ancestor::*) > {MAX_DEPTH}])"


def extract(html: str) -> str:
    """Return the main text of a page, a paragraph a line, empty if none was found.

    It depends on the page alone: nothing is remembered from one page to the next
    (``deduplicate`` is off).

    Raises:
        ValueError: if libxml2 nests the page deeper than `MAX_DEPTH`, so that it would be cut.
    """
    tree = load_html(html)
    if tree is None:
        return extract_fast.extract(html)
    _check_depth(tree)
    text = extract_article(
        tree, favor_precision=True, include_comments=False, include_tables=True, deduplicate=False
    )
    return text or extract_fast.extract(html)


def _check_depth(tree: HtmlElement) -> None:
    if tree.getroottree().xpath(_TOO_DEEP):
        raise ValueError(f"nested deeper than {MAX_DEPTH} as libxml2 reads it")
