"""The libraries whose versions the rows of a partition depend on, by the formats of its files.

What `pipelines.ingest.ingest` itself depends on stands in its step; another extractor of pages must
not read all JSON Lines again.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from pipelines.ingest.config import IngestConfig
from pipelines.ingest.suffixes import recognise

_OF_EXTRACTOR = {
    "precise": ("trafilatura", "justext", "lxml", "resiliparse"),
    "fast": ("resiliparse",),
}
_OF_FORMAT = {"html": (), "warc": ("fastwarc",), "wikipedia": ("lxml", "mwparserfromhell")}
_OF_PAGES = ("html", "warc")


def versions_of(paths: Iterable[str], config: IngestConfig) -> dict[str, str]:
    """Return the versions of the libraries that read pages among some files, by name.

    An archive may hold any format, so it depends on all of them.
    """
    wanted: set[str] = set()
    for path in paths:
        named = recognise(path, config.format)
        formats = () if named is None else _OF_FORMAT if named.archive else (named.format,)
        for name in formats:
            wanted.update(_OF_FORMAT.get(name, ()))
            if name in _OF_PAGES:
                wanted.update(_OF_EXTRACTOR[config.extractor])
    return {name: version(name) for name in sorted(wanted)}
