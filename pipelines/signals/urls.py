"""Signals of a document's URL, beside lists of domains, URLs, words and substrings.

They are the questions of datatrove 0.10's URL filter (``pipeline/filters/url_filter.py``), asked of
the user's lists (`pipelines.signals.lists_config`); FineWeb begins with them. Deviations:
a document without URL has 0 everywhere where datatrove stops, an entry of a list that has no ASCII
letter or digit is left out where datatrove bans the empty word, and the host is looked for in the
first 4,096 characters. The registered domain is tldextract's, by its packaged copy of the
Public Suffix List (private suffixes do not count); no network is used.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from data_contracts.errors import RecipeError
from pipelines.kernels.decoded import TextBatch, text_batch
from pipelines.signals.family import Family, SignalsConfig, count_field
from pipelines.signals.lists_config import ListsConfig, UrlLists, read_lists

MAX_HOST_SEARCH_CHARS = 4096
MAX_LISTED_CHARS = 1_000_000  # of all words, or of all substrings: 150 bytes of memory for each
_MARKS = re.compile("[^a-zA-Z0-9]+")

_FIELDS = (
    count_field("num_url_chars", "characters", "Length of the URL; 0 without URL."),
    count_field(
        "num_blocked_domains",
        "domains",
        "1 if the registered domain of the URL is in blocked_domains.",
    ),
    count_field("num_blocked_hosts", "hosts", "1 if the URL's host name is in blocked_domains."),
    count_field("num_blocked_urls", "URLs", "1 if the URL, to the letter, is in blocked_urls."),
    count_field(
        "num_banned_url_words",
        "different words",
        "Words of banned_words among the stretches of ASCII letters and digits of the URL; upper "
        "and lower case are different, and the list is read as lower case.",
    ),
    count_field(
        "num_soft_banned_url_words",
        "different words",
        "The same of soft_banned_words.",
    ),
    count_field(
        "num_banned_url_substrings",
        "places",
        "Places where an entry of banned_substrings ends in the URL, of which only ASCII letters "
        "and digits are kept, in lower case.",
    ),
)


def _measure(texts: TextBatch, config: SignalsConfig) -> Mapping[str, np.ndarray]:
    from pipelines.kernels.url_parts import count_url_parts

    lists_config = config.lists
    lists = read_lists(lists_config)
    urls = _urls(texts)
    counts = count_url_parts(text_batch(urls).codes, *_automata(lists_config))
    listed = _listed(urls, lists)
    return {
        "num_url_chars": counts.chars,
        "num_blocked_domains": listed[:, 0],
        "num_blocked_hosts": listed[:, 1],
        "num_blocked_urls": listed[:, 2],
        "num_banned_url_words": counts.hard,
        "num_soft_banned_url_words": counts.soft,
        "num_banned_url_substrings": counts.substrings,
    }


def _urls(texts: TextBatch) -> pa.Array:
    """Return the URLs, empty where there is none."""
    column = texts.columns.get("url")
    if column is None:
        return pa.repeat(pa.scalar("", pa.large_string()), texts.num_texts)
    return column.cast(pa.large_string()).fill_null("")


def _listed(urls: pa.Array, lists: UrlLists) -> np.ndarray:
    """Return 0 or 1 for registered domain, host and URL of each row, int64 of shape (n, 3)."""
    listed = np.zeros((len(urls), 3), dtype=np.int64)
    if not (lists.blocked_domains or lists.blocked_urls):
        return listed
    names = _names_of(bool(lists.blocked_domains))
    for row, stored in enumerate(urls.cast(pa.large_binary()).to_pylist()):
        if stored:
            url = stored.decode("utf-8", "surrogateescape")
            domain, host = names(url[:MAX_HOST_SEARCH_CHARS])
            listed[row, 0] = domain in lists.blocked_domains
            listed[row, 1] = host in lists.blocked_domains
            listed[row, 2] = url in lists.blocked_urls
    return listed


@cache
def _names_of(wanted: bool) -> Callable[[str], tuple[str, str]]:
    """Return the function from a URL to its registered domain and host name, empty for none."""
    if not wanted:
        return lambda url: ("", "")
    try:
        from tldextract import TLDExtract
    except ImportError as error:
        raise RecipeError("blocked_domains needs tldextract; pip install tldextract.") from error
    extract: Any = TLDExtract(cache_dir=None, suffix_list_urls=())

    def names(url: str) -> tuple[str, str]:
        found = extract(url)
        return found.top_domain_under_public_suffix, found.fqdn

    return names


@cache
def _automata(config: ListsConfig) -> tuple[Any, Any]:
    from pipelines.kernels.url_parts import HARD, SOFT, substring_automaton, word_automaton

    lists = read_lists(config)
    hard, soft = _normal(lists.banned_words), _normal(lists.soft_banned_words)
    words = word_automaton([*((word, HARD) for word in hard), *((word, SOFT) for word in soft)])
    return words, substring_automaton(_normal(lists.banned_substrings))


def _normal(entries: Iterable[str]) -> set[str]:
    """Return the ASCII letters and digits of each entry in lower case; entries without are none."""
    normal = {_MARKS.sub("", entry).lower() for entry in entries}
    if sum(map(len, normal)) > MAX_LISTED_CHARS:
        raise RecipeError(
            f"A list of banned words or substrings has more than {MAX_LISTED_CHARS:,} characters; "
            "name whole domains or URLs in the other lists."
        )
    return normal - {""}


FAMILY = Family("urls", _FIELDS, _measure, always=False, reads=("url",))
