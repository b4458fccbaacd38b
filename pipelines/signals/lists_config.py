"""Lists, tables and models that signals compare texts with: files that are known by their content.

A recipe names files. Where they lie never changes a signal, what they hold does: before a step is
planned, `with_digests` writes the digest of each file that is read, and the version of each package
that decides, into the config, and only these count in its identity.
"""

import csv
import dataclasses
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from data_contracts.errors import RecipeError
from store.identity import digest_bytes, digest_file
from store.step import uncounted

EXAMPLE = "example"  # stands for the small list that the package ships
EXAMPLES = Path(__file__).parent / "lists"
URL_LISTS = (
    "blocked_domains",
    "blocked_urls",
    "banned_words",
    "soft_banned_words",
    "banned_substrings",
)
MAX_COUNT = 2**53


@dataclass(frozen=True)
class ListsConfig:
    """Which files signals read; ``example`` is the package's own, and None is none.

    The first five are lists for `pipelines.signals.urls`: UTF-8, an entry a line; blank lines and
    lines that begin with ``#`` are no entries. ``unigrams`` is a table of words and counts
    (`read_counts`), ``language_model`` a fastText model in place of the packaged identifier.
    ``digests`` is written by `with_digests`, never by hand.
    """

    blocked_domains: str | None = uncounted(None)
    blocked_urls: str | None = uncounted(None)
    banned_words: str | None = uncounted(None)
    soft_banned_words: str | None = uncounted(None)
    banned_substrings: str | None = uncounted(None)
    unigrams: str = uncounted(EXAMPLE)
    language_model: str | None = uncounted(None)
    digests: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class UrlLists:
    """The entries of the five lists of URLs, as they stand in the files, trimmed."""

    blocked_domains: frozenset[str] = frozenset()
    blocked_urls: frozenset[str] = frozenset()
    banned_words: frozenset[str] = frozenset()
    soft_banned_words: frozenset[str] = frozenset()
    banned_substrings: frozenset[str] = frozenset()


def with_digests(config: ListsConfig, families: Collection[str]) -> ListsConfig:
    """Return the config with the digests of what some families of signals read, by name.

    Raises:
        RecipeError: if a file cannot be read, or a package that a family needs is not installed.
    """
    names = [*(URL_LISTS if "urls" in families else ())]
    names += ["unigrams"] if "unigrams" in families else []
    names += ["language_model"] if "language" in families else []
    digests = [(name, _digest(path, name)) for name in names if (path := _path(config, name))]
    digests += [(package, _version(package)) for package in _packages(config, families)]
    return dataclasses.replace(config, digests=tuple(digests))


@cache
def read_lists(config: ListsConfig) -> UrlLists:
    """Read the lists of URLs.

    Raises:
        RecipeError: if a file cannot be read, is not UTF-8, or is no longer what it was when its
            digest was taken.
    """
    return UrlLists(**{name: frozenset(_entries(config, name)) for name in URL_LISTS})


@cache
def read_counts(config: ListsConfig) -> tuple[tuple[str, int], ...]:
    """Read the table of unigrams: pairs of a word and its count, in the order of the file.

    A row is a word and a whole number from 1, separated by a tab or (in a file whose first line
    has no tab) a comma; a first row whose second field is no number is a heading. Fields may be
    quoted as in CSV.

    Raises:
        RecipeError: as `read_lists` does, and for a row that is not of this form.
    """
    lines = _text(config, "unigrams").splitlines()
    separator = "\t" if lines and "\t" in lines[0] else ","
    rows = list(csv.reader(lines, delimiter=separator))
    first = 1 if rows and len(rows[0]) == 2 and not rows[0][1].strip().isdecimal() else 0
    found = [_pair(config, row) for row in rows[first:] if row]
    if not found:
        raise RecipeError(f"{_path(config, 'unigrams')} holds no counts; give rows of word,count.")
    return tuple(found)


def model_path(config: ListsConfig) -> Path | None:
    """Return where the fastText model lies, once it is seen to be what its digest says."""
    path = _path(config, "language_model")
    if path is not None:
        _check(config, "language_model", path, _digest(path, "language_model"))
    return path


def _pair(config: ListsConfig, row: list[str]) -> tuple[str, int]:
    word, count = (row[0].strip(), row[1].strip()) if len(row) == 2 else ("", "")
    if word and count.isascii() and count.isdecimal() and 0 < int(count[:17]) < MAX_COUNT:
        return word, int(count)
    raise RecipeError(
        f"{_path(config, 'unigrams')} holds the row {row!r}; give a word and a whole number from 1 "
        "in each row."
    )


def _entries(config: ListsConfig, name: str) -> Iterable[str]:
    if _path(config, name) is None:
        return ()
    lines = (line.strip() for line in _text(config, name).splitlines())
    return (line for line in lines if line and not line.startswith("#"))


def _text(config: ListsConfig, name: str) -> str:
    try:
        return _read(config, name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{_path(config, name)} is not UTF-8 ({error}); convert it.") from error


def _read(config: ListsConfig, name: str) -> bytes:
    path = _path(config, name)
    if path is None:
        return b""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, name, error) from error
    _check(config, name, path, digest_bytes(content))
    return content


def _digest(path: Path, name: str) -> str:
    try:
        return digest_file(path)
    except OSError as error:
        raise _unreadable(path, name, error) from error


def _check(config: ListsConfig, name: str, path: Path, digest: str) -> None:
    if dict(config.digests).get(name, digest) != digest:
        raise RecipeError(f"{path} has changed since this run was planned; run it again.")


def _unreadable(path: Path, name: str, error: OSError) -> RecipeError:
    return RecipeError(
        f"lists.{name} names {str(path)!r}, which cannot be read: {error}; name a file."
    )


def _path(config: ListsConfig, name: str) -> Path | None:
    named: str | None = getattr(config, name)
    if named is None:
        return None
    if named != EXAMPLE:
        return Path(named)
    if name == "language_model":
        raise RecipeError("lists.language_model has no example; name a fastText model or none.")
    return EXAMPLES / (f"{name}.csv" if name == "unigrams" else f"{name}.txt")


def _packages(config: ListsConfig, families: Collection[str]) -> list[str]:
    packages = ["tldextract"] if "urls" in families and config.blocked_domains else []
    if "language" in families:
        packages.append("fasttext-predict" if config.language_model else "pycld2")
    return packages


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise RecipeError(
            f"These signals need the package {package}; pip install {package}."
        ) from error
