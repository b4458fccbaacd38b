"""The site that a document belongs to: within it, what stands on many pages is boilerplate."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

MAX_HOST_SEARCH_CHARS = 4096
_SOURCE = "source:"  # no domain has a colon


def site_of(url: str | None, source: str) -> str:
    """Return the registered domain of a URL, as ``example.co.uk``, or else ``source:<source>``.

    Domains are tldextract's, by its packaged copy of the Public Suffix List (private suffixes do
    not count), in lower case; no network is used. The host is looked for in the first
    `MAX_HOST_SEARCH_CHARS` characters. Addresses of numbers and names without a public suffix have
    no registered domain.
    """
    domain = _domain_of()(url[:MAX_HOST_SEARCH_CHARS]) if url else ""
    return domain.lower() or _SOURCE + source


@cache
def _domain_of() -> Callable[[str], str]:
    from tldextract import TLDExtract

    extract: Any = TLDExtract(cache_dir=None, suffix_list_urls=())

    def domain_of(url: str) -> str:
        domain: str = extract(url).top_domain_under_public_suffix
        return domain

    return domain_of
