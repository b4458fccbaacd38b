"""What a recipe says about a source: the ``[ingest]`` table, or one table of ``[sources]``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from data_contracts.errors import RecipeError
from store.step import uncounted

KINDS = ("python-docs", "files")
ENCODING_ERRORS = ("quarantine", "repair")
UNITS = ("file", "line", "block")
FORMATS = (
    "", "text", "markdown", "code", "jsonl", "json", "csv", "tsv", "parquet", "arrow", "html",
    "warc", "wikipedia",
)  # fmt: skip
EXTRACTORS = ("precise", "fast")

_DISTRIBUTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(:[1-9][0-9]{0,2})?")
_POSITIVE = (
    "bundles", "max_bundle_file_bytes", "max_record_bytes", "max_unpacked_bytes",
    "max_unpack_ratio", "max_page_bytes", "max_page_nodes", "max_page_depth",
)  # fmt: skip
_MAX_PAGE_BYTES, _MAX_PAGE_DEPTH = 20_000_000, 250  # what trafilatura and libxml2 read at most


@dataclass(frozen=True)
class IngestConfig:
    """One source of documents.

    ``kind`` is how it is read, ``source`` its name in ids and rows (the kind, if empty).
    ``labels`` go to all its documents, below those that a record declares. ``priority`` orders
    sources where ``dedupe.prefer`` names ``priority``: higher is better. ``licence`` and
    ``consent`` say on what terms the texts are used; they stand in the run's record, not in rows.

    For ``files``: ``path`` is a folder, a file, a glob, or an address of these that fsspec
    knows (``s3://…``). ``format`` is of all files, by their suffix if empty. Files under
    ``max_bundle_file_bytes`` share ``bundles`` partitions by hash of their relative path.
    ``text_field``, ``id_field``, ``url_field``, ``published_field`` and ``labels_field`` name
    fields of a record (``a.b`` for ``b`` in ``a``); an empty name = never. ``columns`` names those
    of CSV and TSV whose first line does not. ``unit`` says what a document of plain text is:
    ``file``, ``line``, or ``block`` (lines up to a blank one).
    A record over ``max_record_bytes`` is quarantined. A compressed file or archive is read up to
    ``max_unpacked_bytes`` of content, and (from 64 MiB on) ``max_unpack_ratio`` times its size.
    ``encoding_errors`` says what becomes of bytes that are not UTF-8 and of lone surrogates:
    ``quarantine`` the record, or ``repair`` them to U+FFFD.

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

    SECTION: ClassVar[str] = "ingest."

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

    priority: int = uncounted(0)
    labels: tuple[tuple[str, str], ...] = ()
    licence: str = uncounted("")
    consent: str = uncounted("")

    format: str = ""
    unit: str = "file"
    columns: tuple[str, ...] = ()
    max_unpacked_bytes: int = 68_719_476_736
    max_unpack_ratio: int = 1000

    def __post_init__(self) -> None:
        _one_of("kind", self.kind, KINDS)
        _one_of("encoding_errors", self.encoding_errors, ENCODING_ERRORS)
        _one_of("format", self.format, FORMATS)
        _one_of("unit", self.unit, UNITS)
        for name in _POSITIVE:
            if getattr(self, name) < 1:
                raise RecipeError(f"ingest.{name} is {getattr(self, name)}; give 1 or more.")
        if not self.text_field:
            raise RecipeError("ingest.text_field is empty; name the JSON key that holds the text.")
        if len(set(self.columns)) < len(self.columns):
            raise RecipeError("ingest.columns names a column twice; give each its own name.")
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
        known = ", ".join(item or "''" for item in allowed)
        raise RecipeError(f"ingest.{name} is {value!r}; give one of {known}.")
