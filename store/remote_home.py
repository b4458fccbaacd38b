"""A home in a bucket, or on any other fsspec file system: objects that appear when complete."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from store.errors import UsageError
from store.home import SCRATCH, Entries, as_absent, digest_stream, first_line

Found = TypeVar("Found")

PARQUET_BLOCK_BYTES = 4 << 20
REMOTE_ATTEMPTS = 3

_BUSY = {errno.EBUSY, getattr(errno, "EREMOTEIO", errno.EIO)}  # what s3fs makes of 503, 409, 500
_BUCKET_LIBRARIES = {"botocore", "aiobotocore", "aiohttp", "s3fs", "gcsfs", "adlfs", "azure"}
_MEMORY_TURNS = threading.RLock()


class RemoteHome:
    """A prefix in a bucket, or any other fsspec file system.

    No listing is ever cached: other runs write to the same home. The memory file system hands out
    one shared file object per path, so there its calls take turns.
    """

    def __init__(self, url: str, options: dict[str, Any]):
        self.url = url
        self.options = _with_patience(url, options)
        self.takes_turns = _MEMORY_TURNS if url.startswith("memory:") else None
        self._opened: tuple[int, Any, str] | None = None

    def place_of(self, name: str) -> tuple[Any, str]:
        """Return the file system (this process's own, also after a fork) and the full path."""
        import fsspec

        if self._opened is None or self._opened[0] != os.getpid():
            try:
                fs, root = fsspec.url_to_fs(self.url, **self.options)
            except (ValueError, ImportError) as error:
                raise UsageError(
                    f"cannot open the home {self.url} ({first_line(error)}); "
                    "give --home a folder, s3://bucket/prefix or another fsspec URL"
                ) from error
            self._opened = (os.getpid(), fs, root)
        _, fs, root = self._opened
        return fs, f"{root}/{name}" if name else root

    def _call(self, call: Callable[[], Found]) -> Found:
        """Call; again after a pause, a bounded number of times, where the bucket was just busy."""
        for attempt in range(1, REMOTE_ATTEMPTS):
            try:
                return self._in_turn(call)
            except Exception as error:
                if not _is_passing(error):
                    raise
                time.sleep(0.2 * 3**attempt)
        return self._in_turn(call)

    def _in_turn(self, call: Callable[[], Found]) -> Found:
        with self.takes_turns or contextlib.nullcontext():
            return call()

    def size(self, name: str) -> int | None:
        fs, path = self.place_of(name)
        try:
            info = self._call(lambda: fs.info(path))
        except FileNotFoundError:
            return None
        return None if info["type"] == "directory" else int(info["size"])

    def read(self, name: str) -> bytes:
        fs, path = self.place_of(name)
        with as_absent(name):
            return bytes(self._call(lambda: fs.cat_file(path)))

    def digest(self, name: str) -> str:
        fs, path = self.place_of(name)

        def digest_remote() -> str:
            with fs.open(path, "rb") as file:
                return digest_stream(file)

        return self._call(digest_remote)

    def create(self, name: str, data: bytes, durable: bool) -> bool:
        fs, path = self.place_of(name)
        mark = {"Metadata": {"millrace-write": secrets.token_hex(16)}} if _is_s3(fs) else {}
        try:
            self._call(lambda: fs.pipe_file(path, data, mode="create", **mark))
        except Exception as error:
            if not _is_taken(error):
                raise
            return bool(mark) and self._bears(fs, path, mark["Metadata"])
        return True

    def _bears(self, fs: Any, path: str, mark: dict[str, str]) -> bool:
        """Tell whether the object is the one that we wrote, its answer having been lost."""
        bucket, key, _ = fs.split_path(path)
        try:
            head = self._call(lambda: fs.call_s3("head_object", Bucket=bucket, Key=key))
        except FileNotFoundError:
            return False
        return bool(head.get("Metadata") == mark)

    def replace(self, name: str, data: bytes, durable: bool) -> None:
        fs, path = self.place_of(name)
        self._call(lambda: fs.pipe_file(path, data))

    def publish(self, name: str, local_file: Path) -> None:
        fs, path = self.place_of(name)
        self._call(lambda: fs.put_file(str(local_file), path))

    def list(self, prefix: str) -> Entries:
        fs, folder = self.place_of(prefix)
        _, root = self.place_of("")
        try:
            found = self._call(lambda: fs.find(folder, detail=True))
        except FileNotFoundError:
            return []
        return [
            (path[len(root) + 1 :], int(info["size"]), _modified(info))
            for path, info in found.items()
            if path.startswith(f"{folder}/") and not path.endswith("/")
        ]

    def delete(self, name: str) -> None:
        fs, path = self.place_of(name)
        self._call(lambda: fs.rm_file(path))

    def open_parquet(self, name: str) -> pq.ParquetFile:
        if self.takes_turns:
            return pq.ParquetFile(pa.BufferReader(self.read(name)), page_checksum_verification=True)
        fs, path = self.place_of(name)
        file = self._call(
            lambda: fs.open(path, "rb", block_size=PARQUET_BLOCK_BYTES, cache_type="readahead")
        )
        return pq.ParquetFile(file, pre_buffer=True, page_checksum_verification=True)

    def download(self, name: str, to: Path) -> None:
        fs, path = self.place_of(name)
        self._call(lambda: fs.get_file(path, str(to)))

    def probe(self) -> None:
        name = f"{SCRATCH}/probe-{secrets.token_hex(6)}"
        self.replace(name, b"probe", durable=False)
        self.delete(name)


def is_of_the_place(error: BaseException) -> bool:
    """Tell whether an error comes from the disk, the network or the bucket, not from a bug."""
    library = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or library in _BUCKET_LIBRARIES


def _with_patience(url: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with our defaults: no cached listings, and for S3 bounded patience."""
    options = {**options, "use_listings_cache": False}
    if url.startswith(("s3://", "s3a://")):
        patience = {"retries": {"max_attempts": 3, "mode": "standard"}, "connect_timeout": 10}
        options["config_kwargs"] = {**patience, **options.get("config_kwargs", {})}
    return options


def _is_s3(fs: Any) -> bool:
    return "s3" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


def _status(error: BaseException) -> int | None:
    """Return the HTTP status behind an error of s3fs, if there is one."""
    for link in (error, error.__cause__):
        response = getattr(link, "response", None)
        if isinstance(response, dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return int(status) if status else None
    return None


def _is_taken(error: BaseException) -> bool:
    return isinstance(error, FileExistsError) or _status(error) == 412


def _is_passing(error: BaseException) -> bool:
    """Tell whether a bucket may answer otherwise in a moment (s3fs has had its own tries)."""
    if _status(error) in (409, 429, 500, 502, 503, 504):
        return True
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    if isinstance(error, OSError) and error.errno in _BUSY:
        return True
    kinds = {f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__}
    return "botocore.exceptions.ConnectionError" in kinds


def _modified(info: dict[str, Any]) -> float:
    """Return when a file was last written, under whichever name its file system says it."""
    for key in ("LastModified", "mtime", "modified", "last_modified", "updated", "created"):
        value = info.get(key)
        if value is not None:
            return float(value.timestamp() if hasattr(value, "timestamp") else value)
    return 0.0
