"""Files of this machine under a folder: found, listed with their digests, read as listed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fsspec.utils import glob_translate

from data_contracts.errors import InputError
from pipelines.ingest.listing import is_large, list_file, list_ranges
from pipelines.ingest.opening import open_checked, unreadable
from pipelines.ingest.streams import as_stream
from store.step import SourceFile, SourcePart

_GLOB = re.compile(r"[*?\[]")
_A_RUN, _OF_A_RUN = "runs/*/run.json", {"name", "recipe", "steps", "flow_runs"}


class LocalRoot:
    """The files that a path names: a folder's, one alone, or those that match a glob.

    A glob is as fsspec has it: ``*`` within a name, ``**`` over folders, ``?``, ``[…]``.
    """

    def __init__(self, path: str) -> None:
        self.name = path
        given = Path(path).expanduser()
        self._pattern: re.Pattern[str] | None = None
        self._only: Path | None = None
        if given.is_dir():
            self.folder = given
        elif given.exists():
            self.folder, self._only = given.parent, given
        elif _GLOB.search(path):
            self.folder, pattern = _split_glob(given)
            self._pattern = re.compile(glob_translate(pattern))
        else:
            raise InputError(f"{given} does not exist; correct ingest.path.")

    def walk(self) -> Iterator[tuple[str, bool]]:
        """Yield the relative path of each thing that is no folder, and whether it is a file.

        Hidden files and folders (``.name``) are left out. A home of runs is named, as a folder that
        is no file, and left out; links that lead elsewhere are no files. Of a file alone, nothing
        else in its folder is looked at, and if its name is a link, that is followed wherever it
        leads.
        """
        if self._only is not None:
            yield self._only.name, self._only.is_file()
            return
        for path, is_ours in self._all():
            if self._pattern is None or self._pattern.fullmatch(path):
                yield path, is_ours

    def leads_out(self, path: str) -> bool:
        """Return whether a path is a link to a file that is not in the folder."""
        full = self.folder / path
        return full.is_symlink() and os.path.isfile(full) and not _is_ours(full, self.folder)

    def list_file(self, path: str) -> SourceFile:
        """Return the listing of a file."""
        return list_file(self.folder / path, path)

    def list_ranges(self, path: str) -> list[SourcePart]:
        """Return the partitions of a file of lines that is too large for one, else none."""
        full = self.folder / path
        return list_ranges(full, path) if is_large(full, path) else []

    @contextmanager
    def open(self, file: SourceFile, scratch: Path | None) -> Iterator[BinaryIO]:
        """Open a listed file; leaving without an error checks that it is the one listed."""
        with open_checked(self.folder / file.path, file) as reader:
            yield as_stream(reader.blocks(), scratch)

    def _all(self) -> Iterator[tuple[str, bool]]:
        stack = [""]
        while stack:
            prefix = stack.pop()
            try:
                if is_home(self.folder / prefix):
                    yield prefix or "./", False
                    continue
                for entry in list(os.scandir(self.folder / prefix)):
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(f"{prefix}{entry.name}/")
                    else:
                        yield f"{prefix}{entry.name}", _is_ours(entry, self.folder)
            except OSError as error:
                raise unreadable(str(self.folder / prefix), error) from error


def is_home(folder: Path) -> bool:
    """Return whether a folder is a home of runs, which may lie within a source and is none of it.

    Its records change while they would be read. It holds the record of a run; what trackers of
    experiments keep under such a name is none.
    """
    return any(_is_record(path) for path in folder.glob(_A_RUN))


def _is_record(path: Path) -> bool:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    is_ours = isinstance(value, dict) and value.keys() >= _OF_A_RUN
    return is_ours and value["name"] == path.parent.name


def _split_glob(path: Path) -> tuple[Path, str]:
    """Return the folder before the first name with a wildcard, and the rest as a pattern."""
    at = next(i for i, part in enumerate(path.parts) if _GLOB.search(part))
    folder = Path(*path.parts[:at])
    if not folder.is_dir():
        raise InputError(f"The folder {folder} does not exist; correct ingest.path.")
    return folder, "/".join(path.parts[at:])


def _is_ours(entry: os.DirEntry[str] | Path, root: Path) -> bool:
    if not entry.is_symlink():
        return entry.is_file()
    target = os.path.realpath(entry)
    return os.path.isfile(target) and Path(os.path.realpath(root)) in Path(target).parents
