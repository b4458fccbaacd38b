"""The extractor ``fast``: Resiliparse's main content, an order of magnitude quicker than `precise`.

Texts of images, link targets, comments, bylines and bullets are left out: with each of them the
text of an article holds more that is not the article (docs/benchmarks.md, "Web pages").
"""

from __future__ import annotations

from resiliparse.extract.html2text import extract_plain_text


def extract(html: str) -> str:
    """Return the main text of a page, a paragraph a line, empty if none was found."""
    text: str = extract_plain_text(
        html,
        preserve_formatting=True,
        main_content=True,
        list_bullets=False,
        alt_texts=False,
        links=False,
        comments=False,
        post_meta=False,
    )
    return text
