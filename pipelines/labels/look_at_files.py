"""Which labelled files there are, and whether their first records have the fields that are named.

So a wrong name of a field is found while a run is planned, before anything is read in full.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.errors import InputError, RecipeError
from pipelines.ingest.compressed import BrokenStream, decompress
from pipelines.ingest.lines import LineFramer
from pipelines.ingest.opening import BLOCK_BYTES, unreadable
from pipelines.labels.config import ReadLabelsConfig

LINES_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
PARQUET_SUFFIX = ".parquet"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_PEEKED_RECORDS = 100
_MAX_NAMED = 20


def root_of(path: str) -> Path:
    """Return the folder that the paths of the listed files are relative to."""
    root = Path(path).expanduser()
    return root.parent if root.is_file() else root


def find_files(path: str) -> list[str]:
    """Return the relative paths of the files to read, sorted.

    Raises:
        RecipeError: if no path is given.
        InputError: if there is nothing to read.
    """
    if not path:
        raise RecipeError("labels.path is empty; name a file or folder of labelled texts.")
    root = Path(path).expanduser()
    if not root.exists():
        raise InputError(f"{root} does not exist; correct labels.path.")
    found = [root.name] if root.is_file() else sorted(_walk(root))
    wanted = (*LINES_SUFFIXES, PARQUET_SUFFIX)
    paths = [name for name in found if name.lower().endswith(wanted)]
    if not paths:
        raise InputError(f"{path} holds no {', '.join(wanted)} file; correct labels.path.")
    return paths


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if not name.startswith(".") and not path.is_symlink() and path.is_file():
                yield path.relative_to(root).as_posix()


def fields_of(config: ReadLabelsConfig) -> list[str]:
    """Return the names of the fields that a record must have."""
    return [name for name in (config.text_field, config.label_field, config.group_field) if name]


def check_fields(root: Path, paths: list[str], config: ReadLabelsConfig) -> None:
    """Raise InputError if there are no records, or none of the first ones has a named field."""
    seen: set[str] = set()
    for path in paths:
        seen.update(_peek(root / path, path))
        if seen.issuperset(fields_of(config)):
            return
    if not seen:
        raise InputError(f"{config.path} holds no labelled record; correct labels.path.")
    for key in ("text_field", "label_field", "group_field"):
        name = getattr(config, key)
        if name and name not in seen:
            raise InputError(
                f"no record of {config.path} that was looked at has a field {name!r}; fields that "
                f"there are: {', '.join(sorted(seen)[:_MAX_NAMED])}. Set labels.{key} to one of "
                f"them."
            )


def _peek(path: Path, relative: str) -> set[str]:
    """Return the names of the fields that the first records of a file have."""
    if relative.lower().endswith(PARQUET_SUFFIX):
        with open_parquet(path, relative) as file:
            return set(file.schema_arrow.names) if file.metadata.num_rows else set()
    found: set[str] = set()
    try:
        with path.open("rb") as raw:
            suffix = path.suffix.lower()
            blocks = iter(lambda: raw.read(BLOCK_BYTES), b"")
            lines = _lines(blocks if suffix == ".jsonl" else decompress(raw, suffix))
            for line in itertools.islice(lines, _PEEKED_RECORDS):
                found.update(_names(line))
    except OSError as error:
        raise unreadable(relative, error) from error
    except BrokenStream:
        pass  # what stands after the break is quarantined when the file is read
    return found


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    framer = LineFramer(BLOCK_BYTES * 64)
    for line in framer.lines(blocks):
        if not line.is_blank:
            yield line.data
    if (last := framer.rest()) and not last.is_blank:
        yield last.data


def _names(line: bytes) -> set[str]:
    try:
        fields = json.loads(line.removeprefix(BYTE_ORDER_MARK))
    except (ValueError, RecursionError):
        return set()
    return set(fields) if isinstance(fields, dict) else set()


def open_parquet(path: Path, relative: str) -> pq.ParquetFile:
    """Open a Parquet file; raise InputError if it cannot be read or is none."""
    try:
        return pq.ParquetFile(path)
    except OSError as error:
        raise unreadable(relative, error) from error
    except pa.ArrowException as error:
        raise damaged(relative, error) from error


def damaged(relative: str, error: Exception) -> InputError:
    """Make the error for a Parquet file that is not whole."""
    cause = str(error).splitlines()[0]
    return InputError(f"{relative} is not a whole Parquet file ({cause}); mend or remove it.")
