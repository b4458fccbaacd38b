"""A home in a local folder: written beside the final name, flushed, then linked or renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from store.home import COPY_BYTES, TEMP_PREFIX, Entries, as_absent, digest_stream

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class LocalHome:
    """A folder (see `store.home.Home` for what each method does)."""

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
        with as_absent(name), open(self._path(name), "rb") as file:
            return file.read()

    def digest(self, name: str) -> str:
        with open(self._path(name), "rb") as file:
            return digest_stream(file)

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
        with as_absent(name):
            return pq.ParquetFile(
                self._path(name), memory_map=True, page_checksum_verification=True
            )

    def download(self, name: str, to: Path) -> None:
        with as_absent(name):
            shutil.copyfile(self._path(name), to)

    def probe(self) -> None:
        folder = nearest_existing(self.root)
        descriptor, path = tempfile.mkstemp(prefix=TEMP_PREFIX, dir=folder)
        try:
            os.write(descriptor, b"probe")
        finally:
            os.close(descriptor)
            os.unlink(path)


def nearest_existing(path: str) -> str:
    """Return the path, or the nearest folder above it that exists."""
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
