"""Reading a listed file once, forwards, and proving that it still is the file that was listed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from data_contracts.errors import InputError
from store.step import SourceFile

BLOCK_BYTES = 256 << 10


class CheckedReader:
    """The bytes of a listed file, or of its range, hashed as they are read."""

    def __init__(self, raw: BinaryIO, file: SourceFile) -> None:
        self._raw, self._file = raw, file
        self._hash = blake3()
        self._num_read = 0
        self._left = file.size_bytes + 1 if file.length is None else file.length
        raw.seek(file.start)

    def read(self, max_bytes: int) -> bytes:
        """Return the next bytes, at most so many; empty at the end."""
        try:
            data = self._raw.read(min(max_bytes, self._left))
        except OSError as error:
            raise unreadable(self._file.path, error) from error
        self._hash.update(data)
        self._left -= len(data)
        self._num_read += len(data)
        return data

    def blocks(self) -> Iterator[bytes]:
        """Yield what is left in blocks of `BLOCK_BYTES`."""
        while block := self.read(BLOCK_BYTES):
            yield block

    def check(self) -> None:
        """Read what is left and compare size and digest with the listing.

        Raises:
            InputError: if the file is not the one that was listed.
        """
        for _ in self.blocks():
            pass
        length = self._file.size_bytes if self._file.length is None else self._file.length
        if self._num_read != length or self._hash.hexdigest(20) != self._file.digest:
            raise changed(self._file.path)


@contextmanager
def open_checked(path: Path, file: SourceFile) -> Iterator[CheckedReader]:
    """Open a listed file that lies at ``path``; leaving without an error checks what was read.

    Raises:
        InputError: if it cannot be opened or read, or is not the file that was listed.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise unreadable(file.path, error) from error
    with raw:
        reader = CheckedReader(raw, file)
        yield reader
        reader.check()


def digest_range(path: Path, start: int, length: int) -> str:
    """Return the digest of a range of a file, as `store.identity.digest_bytes` gives it."""
    digest = blake3()
    with path.open("rb") as raw:
        raw.seek(start)
        while length > 0 and (block := raw.read(min(BLOCK_BYTES, length))):
            digest.update(block)
            length -= len(block)
    return digest.hexdigest(20)


def changed(path: str) -> InputError:
    """Make the error for a file that is not the one that was listed."""
    return InputError(
        f"{path} changed while it was being read; nothing of its partition was kept. Run again "
        f"when nobody writes to it."
    )


def unreadable(path: str, error: OSError) -> InputError:
    """Make the error for a file that the system does not let us read."""
    cause = error.strerror or type(error).__name__
    return InputError(f"{path} cannot be read ({cause}); mend or remove it and run again.")
