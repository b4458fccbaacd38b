"""Headers of tar archives: read one after another, and on behind damage and behind an end.

A block that should be a header and is none is damage. Reading goes on at the next block that is
one, so that damage costs the members it touches. After the zero blocks of an end more members may
follow, as where archives were joined by ``cat``; GNU tar reads these with ``--ignore-zeros``.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, cast

_MAX_HEADER_BYTES = 1 << 20
_HEADERS = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip


@dataclass(frozen=True)
class Gap:
    """Bytes of an archive that are in no member that was read: from which byte on, and why."""

    offset: int
    error: str


class _Header(tarfile.TarInfo):
    """A header that claims no more memory than a header needs, and tells its archive of damage."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        """Make a header of a block; zeros are the end, even if they are cut short."""
        if buf and not buf.strip(b"\0"):
            raise tarfile.EOFHeaderError("end of file header")  # type: ignore[attr-defined]
        return super().frombuf(buf, encoding, errors)

    @classmethod
    def fromtarfile(cls, tarfile_: Any) -> _Header:
        """Read the header that is next in an archive, and those that belong to it."""
        archive = cast(TarHeaders, tarfile_)
        start = archive.position()
        try:
            header = super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            archive.is_at_end = True
            raise
        except _NO_HEADER as error:
            archive.tell_damage(start, str(error))
            raise tarfile.InvalidHeaderError(str(error)) from None  # type: ignore[attr-defined]
        archive.is_at_end = False
        return header

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADERS and self.size > _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc]


_NO_HEADER = (tarfile.InvalidHeaderError, tarfile.SubsequentHeaderError)  # type: ignore[attr-defined]


class TarHeaders(tarfile.TarFile):
    """An archive that is read forwards; ``is_at_end`` says that the mark of an end came last."""

    tarinfo = _Header

    def __init__(self, *args: Any, **options: Any) -> None:
        self.is_at_end = False
        self._gap: Gap | None = None
        super().__init__(*args, **options)

    def position(self) -> int:
        """Return how many bytes were read."""
        assert self.fileobj is not None
        return self.fileobj.tell()

    def tell_damage(self, offset: int, error: str) -> None:
        """Note that a header should be at ``offset``; only the first one since the last member."""
        self.is_at_end = False
        if self._gap is None:
            self._gap = Gap(offset, f"the tar archive is damaged at byte {offset} ({error})")

    def take_gap(self) -> Gap | None:
        """Return the damage since the last call, None if there was none."""
        gap, self._gap = self._gap, None
        return gap


def open_tar(stream: BinaryIO) -> TarHeaders:
    """Open an archive at the start of a stream; raises what tarfile raises if it is too short."""
    fileobj = cast(IO[bytes], _Whole(stream))
    return TarHeaders.open(fileobj=fileobj, mode="r|", ignore_zeros=True)


class _Whole:
    """A stream whose reads give all that was asked for, as tarfile expects of one."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end alone."""
        pieces = []
        while size > 0 and (piece := self._stream.read(size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)
