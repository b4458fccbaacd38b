"""The bytes of a web page to its main text, within bounds: all that is done in a page's process."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import unescape
from typing import Any, BinaryIO

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.languages import language_of_page
from pipelines.ingest.page_encoding import decode_page
from pipelines.kernels.page_shape import page_shape

MAX_ATTRIBUTES = 1000  # of one tag: parsers take quadratic time in them
MAX_TITLE_CHARS = 500

_TITLE = re.compile(r"<title(?:\s[^>]*)?>([^<]{0,5000})", re.IGNORECASE)
_TITLE_WITHIN_CHARS = 65_536


@dataclass(frozen=True, slots=True)
class PageText:
    """What was read of a page: ``num_repairs`` counts U+FFFD that decoding put in.

    ``language`` is what the page itself declares.
    """

    text: str
    encoding: str | None = None
    title: str | None = None
    num_repairs: int = 0
    language: str | None = None


def read_page(data: bytes, charset: str | None, config: IngestConfig) -> PageText:
    """Return the main text of a page; ``charset`` is that of its HTTP header, if it has one.

    Raises:
        ValueError: if it cannot be decoded, is over a limit, or no text is found; saying which.
    """
    if len(data) > config.max_page_bytes:
        raise ValueError(f"the page has over max_page_bytes = {config.max_page_bytes}")
    decoded = decode_page(data, charset, config.encoding_errors == "repair")
    is_utf8 = decoded.codec == "utf-8" and not decoded.num_repairs
    _check_shape(data if is_utf8 else decoded.text.encode("utf-8", "replace"), config)
    text = extract_text(decoded.text, config.extractor)
    title, language = _title(decoded.text), language_of_page(decoded.text)
    return PageText(text, decoded.codec, title, decoded.num_repairs, language)


def extract_text(html: str, extractor: str) -> str:
    """Return the main text of a page that is within bounds, by the extractor of a name.

    Raises:
        ValueError: if no text could be found, saying why.
    """
    if extractor == "precise":  # imported where it is used: trafilatura takes a second to load
        from pipelines.ingest.extract_precise import extract
    else:
        from pipelines.ingest.extract_fast import extract
    try:
        text = extract(html)
    except (ValueError, MemoryError, OSError):
        raise
    except Exception as error:  # whatever a library raises on a page is the page's own
        raise ValueError(f"{extractor} failed on the page ({type(error).__name__})") from error
    if not text or text.isspace():
        raise ValueError(f"{extractor} found no text on the page")
    return text


def meta_json(values: dict[str, Any]) -> str | None:
    """Return the values that are known as a JSON object, with sorted names; None if none is."""
    known = {name: value for name, value in values.items() if value not in (None, "")}
    return json.dumps(known, ensure_ascii=False, sort_keys=True) if known else None


def read_up_to(stream: BinaryIO, max_bytes: int) -> bytes:
    """Read so many bytes, fewer only where the stream ends."""
    blocks: list[bytes] = []
    while max_bytes > 0 and (block := stream.read(max_bytes)):
        blocks.append(block)
        max_bytes -= len(block)
    return b"".join(blocks)


def _check_shape(html: bytes, config: IngestConfig) -> None:
    shape = page_shape(html, config.max_page_nodes, config.max_page_depth)
    if shape.num_tags > config.max_page_nodes:
        raise ValueError(f"the page has over max_page_nodes = {config.max_page_nodes} tags")
    if shape.depth > config.max_page_depth:
        raise ValueError(f"the page is nested deeper than max_page_depth = {config.max_page_depth}")
    if shape.num_attributes > MAX_ATTRIBUTES:
        raise ValueError(f"a tag has {shape.num_attributes} attributes, over {MAX_ATTRIBUTES}")


def _title(html: str) -> str | None:
    found = _TITLE.search(html, 0, _TITLE_WITHIN_CHARS)
    return " ".join(unescape(found[1]).split())[:MAX_TITLE_CHARS] if found else None
