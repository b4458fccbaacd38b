"""remove_requested: documents -> documents without those whose removal was requested.

Stands right after ingest, before anything reads a text, so that no later step sees a removed one:
no signal, no duplicate, no curated row, no token. A removed document is quarantined here under
`REASON`, by id and place and without its text.
"""

from __future__ import annotations

import csv
import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.documents import DOCUMENTS
from data_contracts.errors import InputError, RecipeError
from store.identity import digest_bytes, encode
from store.step import Inputs, Output, Step, uncounted

VERSION = 1
REASON = "removal.requested"
_COLUMNS = ("doc_id", "record_key", "url", "text_hash")
_FIELDS = {"id": ("doc_id", "record_key"), "url": ("url",), "text_hash": ("text_hash",)}


@dataclass(frozen=True)
class RemovalsConfig:
    """Which documents have to go. An id is a doc_id or the key that the source gave the record.

    ``ids``, ``urls`` and ``text_hashes`` (`data_contracts.documents.hash_text` of the cleaned text)
    are lists in the recipe; ``path`` names a file of more: ``.jsonl`` or ``.csv`` with fields
    ``id``, ``url``, ``text_hash``, or any other, whose every line is one of these. Blank lines and
    those that begin with ``#`` are none. ``digest`` is written by `with_digest`, never by hand:
    what is requested counts, not where it stands.
    """

    ids: tuple[str, ...] = uncounted(())
    urls: tuple[str, ...] = uncounted(())
    text_hashes: tuple[str, ...] = uncounted(())
    path: str = uncounted("")
    digest: str = ""

    def is_used(self) -> bool:
        """Return whether the recipe asks for any removal."""
        return bool(self.ids or self.urls or self.text_hashes or self.path)


@dataclass(frozen=True)
class Requests:
    """What is requested, by the column of `DOCUMENTS` in which it is looked for; sorted."""

    values: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def digest(self) -> str:
        """Return the digest of all that is requested."""
        return digest_bytes(encode(self.values).encode())


def with_digest(config: RemovalsConfig) -> RemovalsConfig:
    """Return the config with the digest of what is requested now; raises as `read_requests`."""
    return replace(config, digest=read_requests(config).digest())


def read_requests(config: RemovalsConfig) -> Requests:
    """Read what is requested, from the recipe and its file.

    Raises:
        InputError: if the file cannot be read, or a line of it cannot be understood.
    """
    found: dict[str, set[str]] = {name: set() for name in _COLUMNS}
    inline = [("id", v) for v in config.ids] + [("url", v) for v in config.urls]
    inline += [("text_hash", v) for v in config.text_hashes]
    for name, value in [*inline, *_read_file(config.path)]:
        for column in _FIELDS.get(name, _COLUMNS):
            found[column].add(value)
    return Requests({column: tuple(sorted(values)) for column, values in found.items()})


def _read_file(path: str) -> Iterator[tuple[str, str]]:
    """Yield pairs of a field and a value; the field is empty where a line may be any of them."""
    if not path:
        return
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); correct removals.path.") from error
    suffix = Path(path).suffix.lower()
    if suffix == ".csv":
        rows: Iterable[Any] = csv.DictReader(lines)
        yield from _read_rows(enumerate(rows, 2), path)
    elif suffix in (".jsonl", ".ndjson"):
        yield from _read_rows(_parsed(lines, path), path)
    else:
        entries = (line.strip() for line in lines)
        yield from (("", entry) for entry in entries if entry and not entry.startswith("#"))


def _parsed(lines: list[str], path: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                raise _unclear(path, number, "no JSON") from None


def _read_rows(rows: Iterable[tuple[int, Any]], path: str) -> Iterator[tuple[str, str]]:
    for number, row in rows:
        if not isinstance(row, dict):
            raise _unclear(path, number, "no object")
        given = [(name, row[name]) for name in _FIELDS if row.get(name) not in (None, "")]
        if not given:
            raise _unclear(path, number, f"none of {', '.join(_FIELDS)}")
        yield from ((name, str(value)) for name, value in given)


def _unclear(path: str, number: int, what: str) -> InputError:
    return InputError(f"{path} line {number} holds {what}; mend it, so that no request is missed.")


@functools.lru_cache(maxsize=2)
def _value_sets(config: RemovalsConfig) -> dict[str, pa.Array]:
    requests = read_requests(config)
    if requests.digest() != config.digest:
        raise RecipeError(f"{config.path} changed while the run went on; run again.")
    return {name: pa.array(values, pa.string()) for name, values in requests.values.items()}


def remove_requested(inputs: Inputs, config: RemovalsConfig) -> Output:
    """Take the requested documents out of a partition; the others stay as they are, in order."""
    part = inputs.one("documents")
    documents = part.table(DOCUMENTS.names)
    wanted = _value_sets(config)
    requested = pc.is_in(documents["doc_id"], wanted["doc_id"])
    for column in _COLUMNS[1:]:
        requested = pc.or_(requested, pc.is_in(documents[column], wanted[column]))
    removed = documents.select(["doc_id", "source", "uri"]).filter(requested).to_pylist()
    positions = pc.indices_nonzero(requested).to_pylist()
    quarantined = [
        {**row, "position": position, "unit": "row", "error": REASON, "raw": None}
        for row, position in zip(removed, positions, strict=True)
    ]
    kept = documents.filter(pc.invert(requested)) if removed else documents
    return Output(kept, quarantined, facts={"documents_removed": len(removed)})


STEP = Step(
    name="remove_requested",
    version=VERSION,
    kind="map",
    run=remove_requested,
    config=RemovalsConfig,
    schema=DOCUMENTS,
    inputs={"documents": "aligned"},
    accounts_for="documents",
)
