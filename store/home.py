"""What `store.storage.Storage` needs of a place, be it a folder or a bucket."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pyarrow.parquet as pq
from blake3 import blake3

Entry = tuple[str, int, float]  # name, size in bytes, modified (seconds since 1970)
Entries = list[Entry]

TEMP_PREFIX = ".tmp-"
SCRATCH = "tmp"
COPY_BYTES = 1 << 20


class Home(Protocol):
    """What `Storage` needs of a place: plain operations that raise OSError and the like."""

    def size(self, name: str) -> int | None:
        """Return a file's bytes, None if there is no such file."""

    def read(self, name: str) -> bytes:
        """Return a file's content."""

    def digest(self, name: str) -> str:
        """Return `digest_stream` of a file."""

    def create(self, name: str, data: bytes, durable: bool) -> bool:
        """Write a new file; return False if the name is taken."""

    def replace(self, name: str, data: bytes, durable: bool) -> None:
        """Write a file, new or over an old one, at once."""

    def publish(self, name: str, local_file: Path) -> None:
        """Put a finished local file under its name; it may be moved."""

    def list(self, prefix: str) -> Entries:
        """Return the files below a folder, unsorted."""

    def delete(self, name: str) -> None:
        """Delete a file."""

    def open_parquet(self, name: str) -> pq.ParquetFile:
        """Open a Parquet file with its page checksums verified."""

    def download(self, name: str, to: Path) -> None:
        """Copy a file to a local path."""

    def probe(self) -> None:
        """Write something small and delete it."""


def is_temp(name: str) -> bool:
    """Tell whether a name is of a half-written file."""
    return name.rpartition("/")[2].startswith(TEMP_PREFIX)


@contextlib.contextmanager
def as_absent(name: str) -> Iterator[None]:
    """A folder of that name, or a file where a folder of it should be, is an absent file."""
    try:
        yield
    except (IsADirectoryError, NotADirectoryError) as error:
        raise FileNotFoundError(errno.ENOENT, "no such file", name) from error


def digest_stream(file: Any) -> str:
    """Return the BLAKE3 hash of what is left of an open binary file, as 64 hex digits."""
    digest = blake3()
    while block := file.read(COPY_BYTES):
        digest.update(block)
    return digest.hexdigest()


def first_line(error: BaseException) -> str:
    """Return an error's own words in one line, for the middle of a sentence."""
    text = (getattr(error, "strerror", None) or str(error)).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
