"""The home: a local folder or a bucket (any fsspec URL) holding files that are written once.

Everything that the store keeps goes through `Storage`, by names that are POSIX paths relative to
the home. A file is never visible half-written. Two writes are offered: `Storage.create`, which
only one of many writers wins, and `Storage.replace`. Neither needs locks or renames of a bucket.

On a local disk a file is first written as ``.tmp-*`` in its final folder, then linked or renamed;
what a killed process leaves behind stays invisible to `Storage.list` and is told by
`Storage.leftovers`. In a bucket an object appears when its upload is complete, and `create` is a
conditional PUT (``If-None-Match: *``).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from store.errors import Damaged, DiskFull, ReadOnlyHome, StoreError, UsageError
from store.home import (
    SCRATCH,
    TEMP_PREFIX,
    Entry,
    Home,
    digest_stream,
    first_line,
    is_temp,
)
from store.identity import digest_bytes
from store.local_home import LocalHome, nearest_existing
from store.remote_home import RemoteHome, is_of_the_place

_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


class Storage:
    """One home. Makes no folder and opens no connection until something is read or written.

    Any number of threads may use one object; other processes get their own by pickling, which
    carries the URL and the options. ``fsspec_options`` go to the file system of a bucket
    (``key``, ``secret``, ``client_kwargs`` …); credentials are otherwise found the usual way.

    Raises `store.errors.UsageError` for an empty URL, which is no place.

    Names are checked: a name that is empty, absolute or climbs with ``..`` raises `ValueError`.
    Every other failure but an absent file (`FileNotFoundError`) is a `store.errors.StoreError`.
    """

    def __init__(self, url: str, **fsspec_options: Any):
        path = _local_folder(url)
        self.is_local = path is not None
        self.url = path if path is not None else url.rstrip("/")
        self._options = fsspec_options
        self._home: Home = LocalHome(path) if path else RemoteHome(self.url, fsspec_options)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.url, self._options)

    def __repr__(self) -> str:
        return f"Storage({self.url!r})"

    def exists(self, name: str) -> bool:
        """Tell whether a file (not a folder) has this name."""
        return self.size(name) is not None

    def size(self, name: str) -> int | None:
        """Return the size in bytes, or None if there is no such file."""
        with self.explained("read", name):
            return self._home.size(_checked(name))

    def read(self, name: str) -> bytes:
        """Return all bytes of a file; raises FileNotFoundError if it is absent."""
        with self.explained("read", name):
            return self._home.read(_checked(name))

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return a JSON object, None if the file is absent; raises `Damaged` if it is not one."""
        try:
            value = json.loads(self.read(name))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise Damaged(
                f"{self.place(name)} is not the JSON that was written; "
                "delete it and run again to have it made anew"
            )
        return value

    def read_json_or_none(self, name: str) -> dict[str, Any] | None:
        """`read_json`, with None for a file that holds no JSON object too."""
        try:
            return self.read_json(name)
        except Damaged:
            return None

    def create(self, name: str, data: bytes, *, durable: bool = True) -> bool:
        """Write a new file unless the name is taken; return whether this call wrote it.

        Of many callers exactly one gets True, whatever the process or host: on local disks by
        ``link``, on S3 by a conditional PUT (a repeated request whose first answer was lost still
        counts as ours). Other buckets without such a write: by looking first, which is not atomic.
        ``durable=False`` skips the flush to the disk (local homes), for what need not outlive a
        power failure.
        """
        with self.explained("write", name):
            return self._home.create(_checked(name), data, durable)

    def replace(self, name: str, data: bytes, *, durable: bool = True) -> None:
        """Write a file, new or over an old one; readers see either the old bytes or the new."""
        with self.explained("write", name):
            self._home.replace(_checked(name), data, durable)

    def create_json(self, name: str, value: dict[str, Any], *, durable: bool = True) -> bool:
        """`create` with the canonical JSON of a value (see `canonical_json`)."""
        return self.create(name, canonical_json(value), durable=durable)

    def replace_json(self, name: str, value: dict[str, Any], *, durable: bool = True) -> None:
        """`replace` with the canonical JSON of a value (see `canonical_json`)."""
        self.replace(name, canonical_json(value), durable=durable)

    def publish(self, name: str, local_file: Path) -> None:
        """Put a finished local file under its final name, flushed to the disk or the bucket.

        Equal bytes that are there already are left alone; others (an orphan of a killed attempt)
        are replaced. ``local_file`` is used up: on the file system of a local home it is moved.
        """
        size_bytes = local_file.stat().st_size
        with self.explained("write", name):
            if not self._is_same(_checked(name), local_file, size_bytes):
                self._home.publish(name, local_file)

    def _is_same(self, name: str, local_file: Path, size_bytes: int) -> bool:
        if self._home.size(name) != size_bytes:
            return False
        with contextlib.suppress(FileNotFoundError), open(local_file, "rb") as mine:
            return digest_stream(mine) == self._home.digest(name)
        return False

    def list(self, prefix: str) -> Iterator[Entry]:
        """Yield ``(name, size_bytes, modified)`` of all files below a folder, sorted by name.

        ``""`` is the whole home; an absent folder has nothing in it. Half-written files are left
        out. ``modified`` is in seconds since 1970, by the clock of the disk or bucket.
        """
        with self.explained("read", prefix or "."):
            entries = sorted(self._home.list(_checked(prefix) if prefix else ""))
        return (entry for entry in entries if not is_temp(entry[0]))

    def leftovers(self) -> Iterator[Entry]:
        """Yield what killed processes may have left: half-written files, and all of ``tmp/``.

        Files of running processes are among them: judge by their age. A bucket shows none of its
        unfinished uploads; give it a life-cycle rule that ends them.
        """
        with self.explained("read", "."):
            entries = sorted(self._home.list(""))
        return (e for e in entries if is_temp(e[0]) or e[0].startswith(f"{SCRATCH}/"))

    def delete(self, name: str) -> None:
        """Delete a file; an absent one is fine."""
        with self.explained("write", name), contextlib.suppress(FileNotFoundError):
            self._home.delete(_checked(name))

    def local_path(self, name: str) -> Path | None:
        """Return where a file of a local home lies; None in a bucket."""
        return Path(self.url, _checked(name)) if self.is_local else None

    def open_parquet(self, name: str) -> pq.ParquetFile:
        """Open a Parquet file: mapped into memory (local) or read by blocks as needed (bucket).

        Raises FileNotFoundError if absent, `Damaged` if it is not Parquet.
        """
        with self.explained("read", name):
            try:
                return self._home.open_parquet(_checked(name))
            except pa.ArrowInvalid as error:
                raise Damaged(
                    f"{self.place(name)} is not readable as Parquet ({first_line(error)}); "
                    "delete it and run again to have it made anew"
                ) from error

    def download(self, name: str, to: Path) -> None:
        """Copy a file to a local path, which appears when it is complete."""
        partial = to.with_name(f"{TEMP_PREFIX}{secrets.token_hex(6)}")
        try:
            with self.explained("read", name):
                self._home.download(_checked(name), partial)
            os.replace(partial, to)
        finally:
            partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a new local folder to work in, removed at the end, come what may.

        In a local home it is ``tmp/<pid>-<random>``, so that `publish` only has to rename; for a
        bucket it is where temporary files lie on this machine (``TMPDIR``).
        """
        with self.explained("write", SCRATCH):
            if self.is_local:
                folder = Path(self.url, SCRATCH, f"{os.getpid()}-{secrets.token_hex(6)}")
                folder.mkdir(parents=True)
            else:
                folder = Path(tempfile.mkdtemp(prefix="millrace-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def work_folder(self, step: str, fingerprint: str) -> Iterator[Path]:
        """Give the local folder of one partition in the making, which survives a kill or an error.

        Removed when the block ends well. In a local home it lies under ``tmp/work``; for a bucket
        where temporary files lie on this machine, in a folder that only this user can enter.
        """
        with self.explained("write", SCRATCH):
            root = Path(self.url, SCRATCH, "work") if self.is_local else _private_folder(self.url)
            folder = root / step / fingerprint
            folder.mkdir(parents=True, exist_ok=True)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)

    def free_bytes(self) -> int | None:
        """Return the free bytes of a local home's disk (also before the home exists), else None."""
        if not self.is_local:
            return None
        with self.explained("read", "."):
            return shutil.disk_usage(nearest_existing(self.url)).free

    def check_writable(self) -> None:
        """Raise `ReadOnlyHome` or `DiskFull` unless a file can be written; leaves no trace."""
        with self.explained("write", "."):
            self._home.probe()

    def place(self, name: str) -> str:
        """Return the name as a person would look for it: path or URL."""
        return self.url if name == "." else f"{self.url.rstrip('/')}/{name}"

    def bucket_file(self, name: str) -> tuple[Any, str]:
        """Return the fsspec file system of a bucket home and a file's full path in it."""
        assert isinstance(self._home, RemoteHome)
        return self._home.place_of(_checked(name))

    @contextlib.contextmanager
    def explained(self, action: Literal["read", "write"], name: str) -> Iterator[None]:
        """Turn failures of the disk or bucket in this block into one-sentence `StoreError`s.

        For code that writes to the home itself, such as a Parquet writer in `scratch`. A missing
        file while reading stays FileNotFoundError; errors that are not of the place pass.
        """
        try:
            yield
        except FileNotFoundError as error:
            if action == "read":
                raise
            raise self._cannot_write(error, name) from error
        except Exception as error:
            if not is_of_the_place(error):
                raise
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                raise DiskFull(
                    f"no room to write {self.place(name)}: "
                    "free some disk there, or choose another home with --home"
                ) from error
            if action == "write" and isinstance(error, OSError) and _is_refusal(error):
                raise self._cannot_write(error, name) from error
            raise StoreError(
                f"cannot {action} {self.place(name)} ({first_line(error)}); "
                "look whether the disk or bucket is well and run again"
            ) from error

    def _cannot_write(self, error: OSError, name: str) -> ReadOnlyHome:
        return ReadOnlyHome(
            f"cannot write {self.place(name)} ({first_line(error)}); "
            "make that place, or make it writable, or choose another home with --home"
        )


def canonical_json(value: Any) -> bytes:
    """Return the one UTF-8 form in which the store writes a JSON value.

    Keys sorted, one space of indent, no escapes of non-ASCII, a newline at the end. What stands for
    a byte that is no UTF-8 (in a file's name: a lone surrogate, PEP 383) is escaped. Raises
    ValueError for NaN and infinities, which JSON does not have.
    """
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode() + b"\n"


def _rebuild(url: str, options: dict[str, Any]) -> Storage:
    return Storage(url, **options)


def _private_folder(url: str) -> Path:
    """Return a folder for a bucket's unfinished work, this user's own and nobody else's to enter.

    Raises ReadOnlyHome if another user made it first.
    """
    user = os.getuid()
    folder = Path(tempfile.gettempdir(), f"millrace-work-{user}")
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != user or not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o077:
        raise ReadOnlyHome(
            f"{folder} is not a folder of yours alone, so work on {url} cannot be kept in it; "
            f"remove it, or set TMPDIR to another place."
        )
    return folder / digest_bytes(url.encode())[:16]


def _local_folder(url: str) -> str | None:
    """Return the absolute path that a URL or path means, None for a bucket."""
    for scheme in ("file://", "local://"):
        url = url.removeprefix(scheme)
    if not url.strip():
        raise UsageError("The home has an empty name; name a folder or a bucket with --home.")
    return None if "://" in url else os.path.abspath(os.path.expanduser(url))


def _checked(name: str) -> str:
    if not name or any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        raise ValueError(f"{name!r} is not a relative POSIX path within the home")
    return name


def _is_refusal(error: OSError) -> bool:
    refusals = (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError)
    return isinstance(error, refusals) or error.errno == errno.EROFS
