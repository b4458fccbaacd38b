"""Archives: the members of zip and tar files, each a stream of its own with a checked name.

A member whose name leads out of its archive (``..``, an absolute path), a link, a device, one that
is encrypted or itself an archive is refused by name and opened in no case. Nothing is written under
a member's name.
"""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import IO, BinaryIO, TypeVar

from pipelines.ingest.compressed import BrokenStream, Limits
from pipelines.ingest.opening import BLOCK_BYTES
from pipelines.ingest.streams import as_stream, scratch_of, spool
from pipelines.ingest.tar_headers import Gap, open_tar
from pipelines.ingest.zip_headers import Undirected, find_members, find_unlisted, open_listed

MAX_MEMBERS = 10_000_000
_ENCRYPTED = 0x1
# NotImplementedError and RuntimeError: zipfile's own, for a method it has not and a password.
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, OSError, EOFError,
    NotImplementedError, RuntimeError, ValueError, OverflowError,
)  # fmt: skip


T = TypeVar("T")


@dataclass(frozen=True)
class Member:
    """A member: its name, its content unless it is refused, and then why."""

    name: str
    stream: BinaryIO | None
    refusal: str = ""


def members_of(kind: str, stream: BinaryIO, limits: Limits) -> Iterator[Member | Gap]:
    """Yield the members of a ``zip`` or ``tar`` in their order; one is to be read before the next.

    Folders are left out. What damage took is a `Gap` in its place if reading goes on behind it.
    ``limits`` are of all members together. Raises `BrokenStream` where the archive is damaged and
    not read on; from a member's stream if that alone is.
    """
    yield from _zip_members(stream, limits) if kind == "zip" else _tar_members(stream, limits)


class _Budget:
    """What the members of an archive unpacked to so far, against what they were packed in."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._num_out = limits, 0

    def blocks(self, file: IO[bytes], num_packed: int) -> Iterator[bytes]:
        """Yield the blocks of a member; raises `BrokenStream` for damage and for too much."""
        num_member = 0
        while block := _read(file):
            num_member += len(block)
            self._num_out += len(block)
            yield block
            self._limits.check(num_member, num_packed)
            self._limits.check(self._num_out, self._num_out)  # the sum has no ratio


def _read(file: IO[bytes]) -> bytes:
    try:
        return file.read(BLOCK_BYTES)
    except _DAMAGE as error:
        raise BrokenStream(f"damaged in the archive ({_said(error)})") from None


def _zip_members(stream: BinaryIO, limits: Limits) -> Iterator[Member | Gap]:
    """Read by the directory; without one that is whole, by the members' own headers."""
    budget = _Budget(limits)
    with spool(stream) as file:
        infos: Iterable[zipfile.ZipInfo]
        try:
            archive = open_listed(file)
            infos, gaps = archive.infolist(), list(find_unlisted(archive, file))
        except _DAMAGE as error:
            archive, infos = Undirected(file), find_members(file, limits)
            gaps = [Gap(0, f"the zip has no directory that can be read ({_said(error)})")]
        with archive:
            yield from gaps
            for info in _counted(infos):
                if not info.filename.endswith("/") or info.file_size:
                    yield from _zip_member(archive, info, budget, stream)


def _zip_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: _Budget, stream: BinaryIO
) -> Iterator[Member]:
    name = info.filename
    kind = info.external_attr >> 28 if info.create_system == 3 else 0  # of Unix's file modes
    if refusal := _refusal(name, {0: "", 8: ""}.get(kind, "a link or device")):
        yield Member(name, None, refusal)
    elif info.flag_bits & _ENCRYPTED:
        yield Member(name, None, "encrypted")
    else:
        try:
            content = archive.open(info)
        except _DAMAGE as error:
            yield Member(name, None, f"damaged in the archive ({_said(error)})")
            return
        with content:
            blocks = budget.blocks(content, info.compress_size)
            yield Member(name, as_stream(blocks, scratch_of(stream)))


def _tar_members(stream: BinaryIO, limits: Limits) -> Iterator[Member | Gap]:
    """Read forwards only; the stream itself was limited when it was decompressed."""
    budget = _Budget(limits)
    try:
        with open_tar(stream) as archive:
            for info in _counted(archive):
                if gap := archive.take_gap():
                    yield gap
                if not info.isdir():
                    yield _tar_member(archive, info, budget, stream)
                archive.members.clear()  # type: ignore[attr-defined]  # else it keeps them all
            gap = archive.take_gap()
    except _DAMAGE as error:
        raise BrokenStream(f"the tar archive is damaged ({_said(error)})") from None
    if gap:
        yield gap
    elif not archive.is_at_end:
        raise BrokenStream("the tar archive lacks its end; it was cut off")


def _tar_member(
    archive: tarfile.TarFile, info: tarfile.TarInfo, budget: _Budget, stream: BinaryIO
) -> Member:
    kind = "" if info.isreg() else "a link or device"
    if refusal := _refusal(info.name, "a sparse file" if info.issparse() else kind):
        return Member(info.name, None, refusal)
    content = archive.extractfile(info)
    assert content is not None
    return Member(info.name, as_stream(budget.blocks(content, info.size), scratch_of(stream)))


def _counted(infos: Iterable[T]) -> Iterator[T]:
    for number, info in enumerate(infos):
        if number >= MAX_MEMBERS:
            raise BrokenStream(f"has over {MAX_MEMBERS} members; not read on")
        yield info


def _refusal(name: str, kind: str) -> str:
    """Return why a member is not opened, "" if it may be."""
    path = PurePosixPath(name.replace("\\", "/"))
    if kind:
        return kind
    if path.is_absolute() or PureWindowsPath(name).drive:
        return "an absolute path"
    if ".." in path.parts:
        return "a path that leads out of the archive"
    return "" if path.name and "\0" not in name else "a name that is none"


def _said(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
