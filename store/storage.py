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
import hashlib
import json
import os
import secrets
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from store.errors import Damaged, DiskFull, ReadOnlyHome, StoreError, UsageError

Entry = tuple[str, int, float]  # name, size in bytes, modified (seconds since 1970)
Entries = list[Entry]
Found = TypeVar("Found")

TEMP_PREFIX = ".tmp-"
SCRATCH = "tmp"
COPY_BYTES = 1 << 20
PARQUET_BLOCK_BYTES = 4 << 20
REMOTE_ATTEMPTS = 3

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_BUSY = {errno.EBUSY, getattr(errno, "EREMOTEIO", errno.EIO)}  # what s3fs makes of 503, 409, 500
_BUCKET_LIBRARIES = {"botocore", "aiobotocore", "aiohttp", "s3fs", "gcsfs", "adlfs", "azure"}
_MEMORY_TURNS = threading.RLock()


class Storage:
    """One home. Makes no folder and opens no connection until something is read or written.

    Any number of threads may use one object; other processes get their own by pickling, which
    carries the URL and the options. ``fsspec_options`` go to the file system of a bucket
    (``key``, ``secret``, ``client_kwargs`` …); credentials are otherwise found the usual way.

    Names are checked: a name that is empty, absolute or climbs with ``..`` raises `ValueError`.
    Every other failure but an absent file (`FileNotFoundError`) is a `store.errors.StoreError`.
    """

    def __init__(self, url: str, **fsspec_options: Any):
        path = _local_folder(url)
        self.is_local = path is not None
        self.url = path if path is not None else url.rstrip("/")
        self._options = fsspec_options
        self._home: _Home = _LocalHome(path) if path else _RemoteHome(self.url, fsspec_options)

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
            return _digest(mine) == self._home.digest(name)
        return False

    def list(self, prefix: str) -> Iterator[Entry]:
        """Yield ``(name, size_bytes, modified)`` of all files below a folder, sorted by name.

        ``""`` is the whole home; an absent folder has nothing in it. Half-written files are left
        out. ``modified`` is in seconds since 1970, by the clock of the disk or bucket.
        """
        with self.explained("read", prefix or "."):
            entries = sorted(self._home.list(_checked(prefix) if prefix else ""))
        return (entry for entry in entries if not _is_temp(entry[0]))

    def leftovers(self) -> Iterator[Entry]:
        """Yield what killed processes may have left: half-written files, and all of ``tmp/``.

        Files of running processes are among them: judge by their age. A bucket shows none of its
        unfinished uploads; give it a life-cycle rule that ends them.
        """
        with self.explained("read", "."):
            entries = sorted(self._home.list(""))
        return (e for e in entries if _is_temp(e[0]) or e[0].startswith(f"{SCRATCH}/"))

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
                    f"{self.place(name)} is not readable as Parquet ({_first_line(error)}); "
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

    def free_bytes(self) -> int | None:
        """Return the free bytes of a local home's disk (also before the home exists), else None."""
        if not self.is_local:
            return None
        with self.explained("read", "."):
            return shutil.disk_usage(_nearest_existing(self.url)).free

    def check_writable(self) -> None:
        """Raise `ReadOnlyHome` or `DiskFull` unless a file can be written; leaves no trace."""
        with self.explained("write", "."):
            self._home.probe()

    def place(self, name: str) -> str:
        """Return the name as a person would look for it: path or URL."""
        return self.url if name == "." else f"{self.url.rstrip('/')}/{name}"

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
            if not _is_of_the_place(error):
                raise
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                raise DiskFull(
                    f"no room to write {self.place(name)}: "
                    "free some disk there, or choose another home with --home"
                ) from error
            if action == "write" and isinstance(error, OSError) and _is_refusal(error):
                raise self._cannot_write(error, name) from error
            raise StoreError(
                f"cannot {action} {self.place(name)} ({_first_line(error)}); "
                "look whether the disk or bucket is well and run again"
            ) from error

    def _cannot_write(self, error: OSError, name: str) -> ReadOnlyHome:
        return ReadOnlyHome(
            f"cannot write {self.place(name)} ({_first_line(error)}); "
            "make that place, or make it writable, or choose another home with --home"
        )


def canonical_json(value: Any) -> bytes:
    """Return the one UTF-8 form in which the store writes a JSON value.

    Keys sorted, one space of indent, no escapes of non-ASCII, a newline at the end. Raises
    ValueError for NaN and infinities, which JSON does not have.
    """
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


class _Home(Protocol):
    """What `Storage` needs of a place: plain operations that raise OSError and the like."""

    def size(self, name: str) -> int | None: ...
    def read(self, name: str) -> bytes: ...
    def digest(self, name: str) -> str: ...
    def create(self, name: str, data: bytes, durable: bool) -> bool: ...
    def replace(self, name: str, data: bytes, durable: bool) -> None: ...
    def publish(self, name: str, local_file: Path) -> None: ...
    def list(self, prefix: str) -> Entries: ...
    def delete(self, name: str) -> None: ...
    def open_parquet(self, name: str) -> pq.ParquetFile: ...
    def download(self, name: str, to: Path) -> None: ...
    def probe(self) -> None: ...


class _LocalHome:
    """A folder."""

    def __init__(self, root: str):
        self.root = root

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def size(self, name: str) -> int | None:
        try:
            status = os.stat(self._path(name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return None if stat.S_ISDIR(status.st_mode) else status.st_size

    def read(self, name: str) -> bytes:
        with _as_absent(name), open(self._path(name), "rb") as file:
            return file.read()

    def digest(self, name: str) -> str:
        with open(self._path(name), "rb") as file:
            return _digest(file)

    def create(self, name: str, data: bytes, durable: bool) -> bool:
        final = self._path(name)
        if os.path.lexists(final):
            return False
        temp = _write_temp(final, data, durable)
        try:
            created = _link_new(temp, final)
        finally:
            _unlink(temp)
        if created and durable:
            _flush_folder(os.path.dirname(final))
        return created

    def replace(self, name: str, data: bytes, durable: bool) -> None:
        final = self._path(name)
        _rename(_write_temp(final, data, durable), final, durable)

    def publish(self, name: str, local_file: Path) -> None:
        final = self._path(name)
        _make_folder(os.path.dirname(final), durable=True)
        _flush(local_file)
        try:
            os.replace(local_file, final)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _rename(_copy_to_temp(local_file, final), final, durable=True)
        else:
            _flush_folder(os.path.dirname(final))

    def list(self, prefix: str) -> Entries:
        entries: Entries = []
        folders = [prefix]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(self._path(folder) if folder else self.root) as found:
                    items = list(found)
            except (FileNotFoundError, NotADirectoryError):
                continue
            for item in items:
                name = f"{folder}/{item.name}" if folder else item.name
                if item.is_dir():
                    folders.append(name)
                else:
                    with contextlib.suppress(FileNotFoundError):
                        status = item.stat()
                        entries.append((name, status.st_size, status.st_mtime))
        return entries

    def delete(self, name: str) -> None:
        os.unlink(self._path(name))

    def open_parquet(self, name: str) -> pq.ParquetFile:
        with _as_absent(name):
            return pq.ParquetFile(
                self._path(name), memory_map=True, page_checksum_verification=True
            )

    def download(self, name: str, to: Path) -> None:
        with _as_absent(name):
            shutil.copyfile(self._path(name), to)

    def probe(self) -> None:
        folder = _nearest_existing(self.root)
        descriptor, path = tempfile.mkstemp(prefix=TEMP_PREFIX, dir=folder)
        try:
            os.write(descriptor, b"probe")
        finally:
            os.close(descriptor)
            os.unlink(path)


class _RemoteHome:
    """A prefix in a bucket, or any other fsspec file system.

    No listing is ever cached: other runs write to the same home. The memory file system hands out
    one shared file object per path, so there its calls take turns.
    """

    def __init__(self, url: str, options: dict[str, Any]):
        self.url = url
        self.options = _remote_options(url, options)
        self.takes_turns = _MEMORY_TURNS if url.startswith("memory:") else None
        self._opened: tuple[int, Any, str] | None = None

    def _place(self, name: str) -> tuple[Any, str]:
        """Return the file system (this process's own, also after a fork) and the full path."""
        import fsspec

        if self._opened is None or self._opened[0] != os.getpid():
            try:
                fs, root = fsspec.url_to_fs(self.url, **self.options)
            except (ValueError, ImportError) as error:
                raise UsageError(
                    f"cannot open the home {self.url} ({_first_line(error)}); "
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
        fs, path = self._place(name)
        try:
            info = self._call(lambda: fs.info(path))
        except FileNotFoundError:
            return None
        return None if info["type"] == "directory" else int(info["size"])

    def read(self, name: str) -> bytes:
        fs, path = self._place(name)
        with _as_absent(name):
            return bytes(self._call(lambda: fs.cat_file(path)))

    def digest(self, name: str) -> str:
        fs, path = self._place(name)

        def digest_remote() -> str:
            with fs.open(path, "rb") as file:
                return _digest(file)

        return self._call(digest_remote)

    def create(self, name: str, data: bytes, durable: bool) -> bool:
        fs, path = self._place(name)
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
        fs, path = self._place(name)
        self._call(lambda: fs.pipe_file(path, data))

    def publish(self, name: str, local_file: Path) -> None:
        fs, path = self._place(name)
        self._call(lambda: fs.put_file(str(local_file), path))

    def list(self, prefix: str) -> Entries:
        fs, folder = self._place(prefix)
        _, root = self._place("")
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
        fs, path = self._place(name)
        self._call(lambda: fs.rm_file(path))

    def open_parquet(self, name: str) -> pq.ParquetFile:
        if self.takes_turns:
            return pq.ParquetFile(pa.BufferReader(self.read(name)), page_checksum_verification=True)
        fs, path = self._place(name)
        file = self._call(
            lambda: fs.open(path, "rb", block_size=PARQUET_BLOCK_BYTES, cache_type="readahead")
        )
        return pq.ParquetFile(file, pre_buffer=True, page_checksum_verification=True)

    def download(self, name: str, to: Path) -> None:
        fs, path = self._place(name)
        self._call(lambda: fs.get_file(path, str(to)))

    def probe(self) -> None:
        name = f"{SCRATCH}/probe-{secrets.token_hex(6)}"
        self.replace(name, b"probe", durable=False)
        self.delete(name)


def _rebuild(url: str, options: dict[str, Any]) -> Storage:
    return Storage(url, **options)


def _local_folder(url: str) -> str | None:
    """Return the absolute path that a URL or path means, None for a bucket."""
    for scheme in ("file://", "local://"):
        url = url.removeprefix(scheme)
    return None if "://" in url else os.path.abspath(os.path.expanduser(url))


def _remote_options(url: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with our defaults: no cached listings, and for S3 bounded patience."""
    options = {**options, "use_listings_cache": False}
    if url.startswith(("s3://", "s3a://")):
        patience = {"retries": {"max_attempts": 3, "mode": "standard"}, "connect_timeout": 10}
        options["config_kwargs"] = {**patience, **options.get("config_kwargs", {})}
    return options


def _checked(name: str) -> str:
    if not name or any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        raise ValueError(f"{name!r} is not a relative POSIX path within the home")
    return name


def _is_temp(name: str) -> bool:
    return name.rpartition("/")[2].startswith(TEMP_PREFIX)


@contextlib.contextmanager
def _as_absent(name: str) -> Iterator[None]:
    """A folder of that name, or a file where a folder of it should be, is an absent file."""
    try:
        yield
    except (IsADirectoryError, NotADirectoryError) as error:
        raise FileNotFoundError(errno.ENOENT, "no such file", name) from error


def _nearest_existing(path: str) -> str:
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


def _make_folder(folder: str, durable: bool) -> None:
    """Make a folder and those above it, each flushed into its parent if ``durable``."""
    if os.path.isdir(folder):
        return
    _make_folder(os.path.dirname(folder), durable)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder)
        if durable:
            _flush_folder(os.path.dirname(folder))


def _open_temp(final: str, durable: bool) -> tuple[str, int]:
    folder = os.path.dirname(final)
    temp = f"{folder}/{TEMP_PREFIX}{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return temp, os.open(temp, flags, 0o666)
    except FileNotFoundError:
        _make_folder(folder, durable)
        return temp, os.open(temp, flags, 0o666)


def _write_temp(final: str, data: bytes, durable: bool) -> str:
    """Write bytes beside their final name and return the temporary name; no trace if it fails."""
    temp, descriptor = _open_temp(final, durable)
    try:
        with open(descriptor, "wb", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
            if durable:
                os.fsync(file.fileno())
    except BaseException:
        _unlink(temp)
        raise
    return temp


def _copy_to_temp(source: Path, final: str) -> str:
    temp, descriptor = _open_temp(final, durable=True)
    try:
        with open(descriptor, "wb") as target, open(source, "rb") as file:
            shutil.copyfileobj(file, target, COPY_BYTES)
            target.flush()
            os.fsync(target.fileno())
    except BaseException:
        _unlink(temp)
        raise
    return temp


def _link_new(temp: str, final: str) -> bool:
    """Give the temporary file its final name unless that is taken.

    Where the file system has no hard links an empty file claims the name for the moment before the
    rename: a process killed there leaves it empty, which readers call damaged.
    """
    try:
        os.link(temp, final)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            os.close(os.open(final, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        except FileExistsError:
            return False
        os.replace(temp, final)
    return True


def _rename(temp: str, final: str, durable: bool) -> None:
    try:
        os.replace(temp, final)
    except BaseException:
        _unlink(temp)
        raise
    if durable:
        _flush_folder(os.path.dirname(final))


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(folder: str) -> None:
    """Flush a folder's entries; file systems that cannot (some network ones) are left alone."""
    with contextlib.suppress(OSError):
        _flush(Path(folder))


def _digest(file: Any) -> str:
    digest = hashlib.sha256()
    while block := file.read(COPY_BYTES):
        digest.update(block)
    return digest.hexdigest()


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


def _is_of_the_place(error: BaseException) -> bool:
    """Tell whether an error comes from the disk, the network or the bucket, not from a bug."""
    library = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or library in _BUCKET_LIBRARIES


def _is_refusal(error: OSError) -> bool:
    refusals = (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError)
    return isinstance(error, refusals) or error.errno == errno.EROFS


def _modified(info: dict[str, Any]) -> float:
    """Return when a file was last written, under whichever name its file system says it."""
    for key in ("LastModified", "mtime", "modified", "last_modified", "updated", "created"):
        value = info.get(key)
        if value is not None:
            return float(value.timestamp() if hasattr(value, "timestamp") else value)
    return 0.0


def _first_line(error: BaseException) -> str:
    text = (getattr(error, "strerror", None) or str(error)).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
