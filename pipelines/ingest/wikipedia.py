"""Wikipedia dumps (MediaWiki XML export): each article is one document, its prose.

Pages are framed by their tags, which cannot stand in a page's text, and each is parsed alone: what
is wrong with one costs no other, and no entity that a dump declares is ever expanded. Redirects,
other namespaces than that of articles, and pages that are no wikitext are passed over, counted by
reason in ``facts["skipped"]``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO
from urllib.parse import quote

from lxml import etree

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.extract import extract_each
from pipelines.ingest.languages import declared_language
from pipelines.ingest.page import PageText
from pipelines.ingest.place import Place
from pipelines.ingest.rows import RAW_BYTES, Item, Origin, Pending, Record, Unreadable
from pipelines.ingest.skipping import Skipped, count_skipped
from pipelines.ingest.wikipedia_pages import Page, cut_pages
from pipelines.ingest.wikitext import clean_wikitext

_ARTICLES, _UNWANTED = "0", ("-2", "6", "14")
_LANGUAGE = re.compile(r'<mediawiki\b[^>]*\sxml:lang="([^"]*)"')
_NAMESPACE = re.compile(r'<namespace key="(-?[0-9]+)"[^>]*>([^<]*)</namespace>')


@dataclass(frozen=True)
class Site:
    """What a dump says of its wiki: ``unwanted`` are the names of files' and categories' links."""

    name: str
    base_url: str
    unwanted: frozenset[str]
    language: str | None = None


def read(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item]:
    """Yield the articles of a dump (its XML, no longer compressed), in their order.

    An article's key is ``<dbname>:<page id>``; of several revisions, the last in the dump is read.
    Where a dump ends before its end, that is one more record, which is quarantined.
    ``facts["records_framed"]`` grows by the pages that were framed, ``facts["records_skipped"]`` by
    those that were passed over.
    """
    yield from extract_each(open_pages(stream, place, config, facts))


def read_site(head: bytes) -> Site:
    """Read what stands before the first page of a dump; what it does not say is empty."""
    text = head.decode("utf-8", "replace")
    names = dict(_ENGLISH_NAMES)
    names.update((html.unescape(name).lower(), key) for key, name in _NAMESPACE.findall(text))
    unwanted = {name for name, key in names.items() if key in _UNWANTED}
    base = _between(text, "base").rpartition("/")[0]
    language = _LANGUAGE.search(text)
    return Site(
        name=_between(text, "dbname"),
        base_url=f"{base}/" if base else "",
        unwanted=frozenset(unwanted),
        language=declared_language(language[1]) if language else None,
    )


_ENGLISH_NAMES = {"file": "6", "image": "6", "media": "-2", "category": "14"}


def _between(text: str, tag: str) -> str:
    found = re.search(rf"<{tag}>([^<]*)</{tag}>", text)
    return html.unescape(found[1]).strip() if found else ""


def open_pages(
    stream: BinaryIO, place: Place, config: IngestConfig, facts: dict[str, Any]
) -> Iterator[Item | Pending]:
    """Yield the articles of a dump as `read` does, before their wikitext is read."""
    site = read_site(b"")
    for page in cut_pages(stream, config.max_page_bytes):
        if page.ordinal == 0:
            site = read_site(page.data)
            continue
        facts["records_framed"] += 1
        try:
            yield _read_page(page, site, place, config)
        except Skipped as reason:
            count_skipped(facts, reason)


def _read_page(page: Page, site: Site, place: Place, config: IngestConfig) -> Unreadable | Pending:
    origin, raw = Origin(place.uri, page.offset, "byte"), page.data[:RAW_BYTES]
    try:
        if page.error:
            raise ValueError(page.error)
        tree = _parse(page.data)
        page_id, title = _text(tree, "id"), _text(tree, "title")
        wikitext, revision = _wikitext(tree)
    except ValueError as error:
        return Unreadable(origin, str(error), raw)
    record = Record(
        origin=origin,
        key=f"{site.name}:{page_id}" if page_id else f"{place.key}#{page.ordinal}",
        text="",
        raw=raw,
        url=f"{site.base_url}{quote(title.replace(' ', '_'), safe=_SAFE)}"
        if site.base_url
        else None,
        published_at=_time(_text(revision, "timestamp")),
        labels=place.labels,
    )
    known = {"title": title, "revision": _text(revision, "id"), "language": site.language}
    return Pending(record, read_wikitext, (wikitext, site.unwanted), known, len(wikitext))


_SAFE = "/:@!$*(),;~'"


def read_wikitext(wikitext: str, unwanted: frozenset[str]) -> PageText:
    """Return the prose of a page.

    Raises:
        ValueError: if there is none.
    """
    text = clean_wikitext(wikitext, unwanted)
    if not text:
        raise ValueError("the page holds no prose")
    return PageText(text)


def _parse(data: bytes) -> etree._Element:
    """Parse one page. Entities other than those of XML itself are errors, never expanded."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"not XML: {error.msg}") from None


def _wikitext(tree: etree._Element) -> tuple[str, etree._Element]:
    """Return the text of a page's last revision, and the revision."""
    if tree.find("redirect") is not None:
        raise Skipped("wikipedia.redirect")
    if _text(tree, "ns") not in ("", _ARTICLES):
        raise Skipped("wikipedia.namespace")
    revisions = tree.findall("revision")
    if not revisions:
        raise ValueError("the page has no revision")
    last = revisions[-1]
    if _text(last, "model") not in ("", "wikitext"):
        raise Skipped("wikipedia.model")
    text = last.find("text")
    if text is None or text.get("deleted") is not None:
        raise Skipped("wikipedia.deleted")
    if len(text):
        raise ValueError("the page's text holds an entity or an element")
    return text.text or "", last


def _text(tree: etree._Element, tag: str) -> str:
    return (tree.findtext(tag) or "").strip()


def _time(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
