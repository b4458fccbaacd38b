"""Files at an address that fsspec knows: found, listed by what the store says of them, copied.

A file's identity is its path, its size and the check sum that its store gives (ETag, blob id,
MD5 …), so that one that has not changed is not fetched again. What is trusted with that: that a
store gives changed content another check sum. Where it gives none, the content is read and hashed.
A file is read from a private copy, made in one go; before and after, its store is asked whether it
still is the file that was listed.
"""

from __future__ import annotations

import contextlib
import functools
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO

import fsspec
from blake3 import blake3
from fsspec.core import url_to_fs

from data_contracts.errors import InputError, RecipeError
from pipelines.ingest.opening import BLOCK_BYTES, changed
from pipelines.ingest.streams import as_stream, blocks_of
from store.identity import digest_bytes
from store.step import SourceFile, SourcePart

NUM_TRIES = 6
PAUSE_SECONDS = 0.5  # after the first failure; twice as long after each further one
_GLOB = re.compile(r"[*?\[]")
_QUERY = re.compile(r"(https?://[^\s?#'\"]*)[?#][^\s'\"]*")
_TAGS = ("ETag", "etag", "md5Hash", "content_md5", "blob_id", "sha256", "checksum", "crc32c")


class RemoteRoot:
    """The files that an address names: a folder's, one alone, or those that match a glob.

    What follows ``?`` in an address of the web is sent with each request for a file and stands in
    no name, key or error: it may be a signature.
    """

    def __init__(self, url: str) -> None:
        self.name = _without_query(url)
        self._fs, path = _open_store(url)
        self._path, self._query = _split_query(path)
        self._path = self._path.rstrip("/")
        self._info: dict[str, dict[str, Any]] = {}

    def walk(self) -> Iterator[tuple[str, bool]]:
        """Yield the relative path of each file that is not hidden, and True."""
        self._fs.invalidate_cache()  # of listings, which a long-lived process would get stale
        found = _asked(self.name, self._find)
        if not found:
            raise InputError(f"{self.name} does not exist or is empty; correct ingest.path.")
        for path, info in sorted(found.items()):
            relative = path.removeprefix(self._folder).strip("/")
            if info["type"] == "file" and not any(p.startswith(".") for p in relative.split("/")):
                self._info[relative] = info
                yield relative, True

    def leads_out(self, path: str) -> bool:
        """Return False: an address has no links."""
        return False

    def list_file(self, path: str) -> SourceFile:
        """Return the listing of a file: by its store's check sum, by its content if it has none."""
        info = self._info[path]
        size_bytes, tag = info.get("size"), _tag_of(info)
        if tag is not None and size_bytes is not None:
            return SourceFile(path, size_bytes, tag)
        digest, num_bytes = blake3(), 0
        for block in self._blocks(path):
            digest.update(block)
            num_bytes += len(block)
        return SourceFile(path, num_bytes, digest.hexdigest(20))

    def list_ranges(self, path: str) -> list[SourcePart]:
        """Return none: an object is read in one go, by one partition."""
        return []

    @contextmanager
    def open(self, file: SourceFile, scratch: Path | None) -> Iterator[BinaryIO]:
        """Copy a listed file to a scratch folder and open the copy, once it is the listed one."""
        with TemporaryFile(dir=scratch) as copy:
            digest, num_bytes = blake3(), 0
            for block in self._blocks(file.path):
                digest.update(block)
                num_bytes += len(block)
                copy.write(block)
            found = digest.hexdigest(20)
            if file.digest.startswith("tag:"):
                self._fs.invalidate_cache()
                info = _asked(file.path, lambda: self._fs.info(self._full(file.path)))
                found = _tag_of(info) or "no tag"
            if num_bytes != file.size_bytes or found != file.digest:
                raise changed(file.path)
            copy.seek(0)
            yield as_stream(blocks_of(copy), scratch)

    @functools.cached_property
    def _folder(self) -> str:
        """The folder that paths are relative to."""
        if match := _GLOB.search(self._path):
            return self._path[: match.start()].rpartition("/")[0]
        is_file = _asked(self.name, lambda: self._fs.isfile(self._path + self._query))
        return self._path.rpartition("/")[0] if is_file else self._path

    def _find(self) -> dict[str, dict[str, Any]]:
        if _GLOB.search(self._path):
            return dict(self._fs.glob(self._path, detail=True))
        if self._folder != self._path:
            return {self._path: self._fs.info(self._path + self._query)}
        return dict(self._fs.find(self._path + self._query, detail=True))

    def _blocks(self, path: str) -> Iterator[bytes]:
        """Yield the content of a file; where a connection fails, go on from the byte it failed at.

        Raises:
            InputError: if it fails `NUM_TRIES` times at one byte.
        """
        full, position, num_failed = self._full(path), 0, 0
        file: IO[bytes] | None = None
        try:
            while True:
                try:
                    file = file or self._opened(full, position)
                    block = file.read(BLOCK_BYTES)
                except Exception as error:
                    num_failed += 1
                    _pause_or_give_up(path, num_failed, error)
                    _close(file)
                    file = None
                    continue
                if not block:
                    return
                position, num_failed = position + len(block), 0
                yield block
        finally:
            _close(file)

    def _full(self, path: str) -> str:
        return f"{self._folder}/{path}{self._query}"

    def _opened(self, full: str, position: int) -> IO[bytes]:
        file: IO[bytes] = self._fs.open(full, "rb")
        if position:
            file.seek(position)
        return file


def _open_store(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    try:
        is_encoded = "%" in _split_query(url)[1]  # then it is sent as it stands
        fs, path = url_to_fs(url, encoded=True) if is_encoded else url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise RecipeError(
            f"ingest.path is {_without_query(url)!r}, which cannot be opened: {error}."
        ) from error
    return fs, path


def _split_query(path: str) -> tuple[str, str]:
    """Return a path and what is sent with it: the query of an address of the web, ``?`` and all."""
    if not path.startswith(("http://", "https://")):
        return path, ""
    path, mark, query = path.partition("#")[0].partition("?")
    return path, mark + query


def _without_query(text: str) -> str:
    """Return a text in which addresses of the web end before their query or fragment."""
    return _QUERY.sub(r"\1", text)


def _tag_of(info: dict[str, Any]) -> str | None:
    """Return what a store says of a file's content, hashed: "tag:" and 40 hex digits."""
    for name in _TAGS:
        if info.get(name):
            return f"tag:{digest_bytes(f'{name} {info[name]}'.encode())}"
    return None


def _asked(what: str, ask: Any) -> Any:
    """Return what a store answers; raise InputError if it fails `NUM_TRIES` times."""
    num_failed = 0
    while True:
        try:
            return ask()
        except FileNotFoundError:
            raise InputError(f"{what} does not exist; correct ingest.path.") from None
        except Exception as error:
            num_failed += 1
            _pause_or_give_up(what, num_failed, error)


def _pause_or_give_up(what: str, num_failed: int, error: Exception) -> None:
    if type(error).__name__ == "FileExpired":  # what s3fs says of another ETag
        raise changed(what) from error
    if isinstance(error, FileNotFoundError | PermissionError) or num_failed >= NUM_TRIES:
        cause = _without_query((str(error).splitlines() or [""])[0])[:200] or type(error).__name__
        raise InputError(
            f"{what} cannot be read ({cause}), tried {num_failed} times; mend the connection or "
            f"the rights and run again."
        ) from error
    time.sleep(PAUSE_SECONDS * 2 ** (num_failed - 1))


def _close(file: IO[bytes] | None) -> None:
    if file is not None:
        with contextlib.suppress(Exception):  # it failed already, and nothing was written to it
            file.close()
