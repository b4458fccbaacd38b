"""What a recipe says about a source: the ``[ingest]`` table."""

from __future__ import annotations

import re
from dataclasses import dataclass

from data_contracts.errors import RecipeError
from store.step import uncounted

KINDS = ("python-docs", "files")
ENCODING_ERRORS = ("quarantine", "repair")
EXTRACTORS = ("precise", "fast")

_DISTRIBUTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(:[1-9][0-9]{0,2})?")
_POSITIVE = (
    "bundles",
    "max_bundle_file_bytes",
    "max_record_bytes",
    "max_page_bytes",
    "max_page_nodes",
    "max_page_depth",
)
_MAX_PAGE_BYTES, _MAX_PAGE_DEPTH = 20_000_000, 250  # what trafilatura and libxml2 read at most


@dataclass(frozen=True)
class IngestConfig:
    """One source of documents.

    ``kind`` is how it is read, ``source`` its name in ids and rows (the kind, if empty).

    For ``files``: ``path`` is the folder. Files under ``max_bundle_file_bytes`` share ``bundles``
    partitions by hash of their relative path. ``text_field``, ``id_field``, ``url_field``,
    ``published_field`` and ``labels_field`` name the keys of a JSON object; an empty name = never.
    A record over ``max_record_bytes`` is quarantined. ``encoding_errors`` says what becomes of
    bytes that are not UTF-8 and of lone surrogates: ``quarantine`` the record, or ``repair`` them
    to U+FFFD.

    For web pages, in files or WARC archives: ``extractor`` finds the main text, ``precise`` or
    (an order of magnitude quicker) ``fast``. A page over ``max_page_bytes``, ``max_page_nodes``
    tags or ``max_page_depth`` of nesting is quarantined. Of WARC archives, responses with one of
    ``http_statuses`` are read. Of Wikipedia dumps, ``max_page_bytes`` bounds the wikitext.

    For ``python-docs``: ``distributions`` lists what to read, ``python`` being the standard
    library; ``torch:4`` spreads one over four partitions by hash of its files' paths.

    Where a folder lies and how files are grouped is not part of identity: the files themselves are.

    Raises:
        RecipeError: for a value that cannot be, naming its key.
    """

    kind: str = "python-docs"
    source: str = ""
    path: str = uncounted("")
    distributions: tuple[str, ...] = uncounted(("python",))
    bundles: int = uncounted(16)
    max_bundle_file_bytes: int = uncounted(1_048_576)
    max_record_bytes: int = 67_108_864
    encoding_errors: str = "quarantine"
    text_field: str = "text"
    id_field: str = "id"
    url_field: str = "url"
    published_field: str = "published_at"
    labels_field: str = "labels"
    extractor: str = "precise"
    max_page_bytes: int = 8_388_608
    max_page_nodes: int = 50_000
    max_page_depth: int = 250
    http_statuses: tuple[int, ...] = (200,)

    def __post_init__(self) -> None:
        _one_of("kind", self.kind, KINDS)
        _one_of("encoding_errors", self.encoding_errors, ENCODING_ERRORS)
        for name in _POSITIVE:
            if getattr(self, name) < 1:
                raise RecipeError(f"ingest.{name} is {getattr(self, name)}; give 1 or more.")
        if not self.text_field:
            raise RecipeError("ingest.text_field is empty; name the JSON key that holds the text.")
        self._check_pages()
        for entry in self.distributions:
            if not _DISTRIBUTION.fullmatch(entry):
                raise RecipeError(
                    f"ingest.distributions has {entry!r}; give a name such as 'numpy', or "
                    f"'torch:4' to spread it over four partitions."
                )
        object.__setattr__(self, "source", self.source or self.kind)

    def _check_pages(self) -> None:
        _one_of("extractor", self.extractor, EXTRACTORS)
        _at_most("max_page_bytes", self.max_page_bytes, _MAX_PAGE_BYTES)
        _at_most("max_page_depth", self.max_page_depth, _MAX_PAGE_DEPTH)
        if not self.http_statuses or any(not 100 <= code <= 599 for code in self.http_statuses):
            raise RecipeError(
                f"ingest.http_statuses is {list(self.http_statuses)}; give one or more of 100 to "
                f"599, such as [200]."
            )


def _at_most(name: str, value: int, limit: int) -> None:
    if value > limit:
        raise RecipeError(f"ingest.{name} is {value}; give {limit} or less.")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise RecipeError(f"ingest.{name} is {value!r}; give one of {', '.join(allowed)}.")
